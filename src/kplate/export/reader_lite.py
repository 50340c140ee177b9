"""The reader with its channels last: the form that TFLite runs well."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.nets.lprnet import LprNet


class ReaderForLite(nn.Module):
    """What of a trained :class:`LprNet` reads, with the channels of its maps last, one plate at a time.

    Converters turn the maps of other forms around wherever the network averages them or looks at them as
    rows of values.

    Args:
        network: In evaluation mode; its modules are used as they are.
    """

    def __init__(self, network: LprNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, plate: Tensor) -> tuple[Tensor, ...]:
        """Map a plate, float32 (1, H, W, 3), to logits (1, 18, 81) and, where it tells any, kinds."""
        network = self.network
        middle = network.middle(network.stem(_first(plate)))
        late = _last(network.late(middle))
        pooled = torch.cat((_last(middle).mean((1, 2)), late.mean((1, 2))), 1)
        context = F.relu(network.context(pooled))
        told = late + (context[:, None, None, :] + _last(network.position))
        late = network.mix(_first(told))
        cells = late.shape[2] * late.shape[3]
        attention = _last(network.attention(late)).reshape(1, cells, -1).transpose(1, 2).softmax(-1)
        looked = torch.bmm(attention, _last(late).reshape(1, cells, -1))
        logits = network.classifier(looked + network.step)
        return (logits, network.kind(context)) if network.config.kinds else (logits,)


def _first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)
