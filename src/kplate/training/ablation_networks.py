"""The reader with parts of it taken away."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kplate.nets.lprnet import STEPS, LprNet, LprNetConfig, LprNetOutput, normalised, straighten
from kplate.nets.lprnet_published import FIRST, STRIDE


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts a network has.

    Attributes:
        stn: Straighten the plate; else the whole crop is taken for it.
        context: Add what is seen in the whole plate to each place of it.
        attention: Let each step look where it likes; else steps are columns, as published.
    """

    stn: bool = True
    context: bool = True
    attention: bool = True


def columns_of_steps(columns: int) -> Tensor:
    """Return float32 (columns, 18): how much of each column the steps of the published network see."""
    places = (FIRST + STRIDE * torch.arange(STEPS)) * columns - 0.5
    return (1 - (torch.arange(columns)[:, None] - places[None]).abs()).clamp(min=0)


class AblatedLprNet(LprNet):
    """:class:`~kplate.nets.lprnet.LprNet` without some parts; with all of them it computes the same."""

    def __init__(self, config: LprNetConfig, parts: Parts) -> None:
        super().__init__(config)
        self.parts = parts
        if not parts.stn:
            del self.localisation
        if not parts.attention:
            del self.attention
        whole = torch.tensor((0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0))
        self.register_buffer("whole", whole, persistent=False)
        self.register_buffer("columns", columns_of_steps(self.position.shape[3]), persistent=False)

    def forward(self, image: Tensor, guide: Tensor | None = None) -> LprNetOutput:
        """Read N crops; see :meth:`LprNet.forward`."""
        if self.parts == Parts():
            return super().forward(image, guide)
        if self.parts.stn:
            corners = self.localisation(image).float()
        else:
            corners = self.get_buffer("whole").expand(image.shape[0], -1)
        used = corners.detach()
        if guide is not None and self.parts.stn:
            used = torch.where(guide.isnan(), used, guide)
        late, context = self._features(image, used)
        if self.parts.attention:
            attention = self.attention(late).float().flatten(2).softmax(-1)
            looked = torch.bmm(attention.to(late.dtype), late.flatten(2).transpose(1, 2))
            attention = attention.reshape(-1, STEPS, late.shape[2], late.shape[3])
        else:
            looked = (late.mean(2).float() @ self.get_buffer("columns")).transpose(1, 2)
            attention = late.new_zeros(late.shape[0], STEPS, 0, 0)
        logits = self.classifier(looked + self.step)
        return LprNetOutput(logits, self.kind(context), corners, attention)

    def _features(self, image: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen in the straightened plate, (N, width, H', W'), and in all of it, (N, width)."""
        with torch.autocast(image.device.type, enabled=False):
            plate = normalised(straighten(image.float(), corners, self.config.plate_size))
        middle = self.middle(self.stem(plate))
        late = self.late(middle)
        context = F.relu(self.context(torch.cat((middle.mean((2, 3)), late.mean((2, 3))), 1)))
        if self.parts.context:
            late = late + context[:, :, None, None]
        return self.mix(late + self.position), context
