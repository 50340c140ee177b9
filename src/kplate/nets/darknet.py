"""A PyTorch network built from a Darknet `.cfg` file.

The text of the `.cfg` *is* the architecture: :mod:`kplate.darknet` reads it, :class:`Darknet` builds it, and
nothing else in kplate knows how the detector looks inside. Sections follow the Darknet of YOLOv4 (A.
Bochkovskiy et al., 2020).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.darknet.cfg import CfgError, parse_cfg
from kplate.darknet.network import (
    BATCH_NORM_EPS,
    LEAKY_SLOPE,
    AveragePool,
    Convolution,
    Dropout,
    Head,
    Layer,
    MaxPool,
    Route,
    Shortcut,
    Upsample,
    read_network,
)
from kplate.darknet.weights import Header, LayerWeights, load_weights, save_weights
from kplate.files import StrPath

__all__ = ["NANO_CFG", "CfgError", "Darknet", "Head", "parse_cfg"]

NANO_CFG = Path(__file__).parent / "cfg" / "kplate-nano.cfg"

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "leaky": lambda: nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    "mish": lambda: nn.Mish(inplace=True),
    "swish": lambda: nn.SiLU(inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "logistic": nn.Sigmoid,
}


class _Route(nn.Module):
    """Concatenates layers, of each of which it keeps one of `groups` slices of the channels."""

    def __init__(self, groups: int, group: int) -> None:
        super().__init__()
        self.groups, self.group = groups, group

    def forward(self, *inputs: Tensor) -> Tensor:
        parts = [x.chunk(self.groups, dim=1)[self.group] if self.groups > 1 else x for x in inputs]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class _Shortcut(nn.Module):
    """Adds layers of equal shape."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        total = first
        for other in others:
            total = total + other
        return self.activation(total)  # type: ignore[no-any-return]


class _MaxPool(nn.Module):
    """Darknet's max pooling."""

    def __init__(self, pool: MaxPool) -> None:
        super().__init__()
        self.size, self.stride, self.padding = pool.size, pool.stride, pool.padding

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.padding
        if before == after:
            return F.max_pool2d(x, self.size, self.stride, before)
        return F.max_pool2d(
            F.pad(x, (before, after, before, after), value=float("-inf")), self.size, self.stride
        )


class Darknet(nn.Module):
    """The network a `.cfg` describes.

    Every `[yolo]` section gives one raw output, N x A*(5+C) x H x W; see
    :class:`kplate.darknet.network.Network`.

    Args:
        cfg: Path of the `.cfg` file.

    Raises:
        CfgError: Something in the file is unknown or does not fit; the message names the line.
    """

    def __init__(self, cfg: Path | str = NANO_CFG) -> None:
        super().__init__()
        self.cfg = Path(cfg)
        self.description = read_network(cfg)
        self.channels, self.size = self.description.channels, self.description.size
        self.heads: list[Head] = list(self.description.heads)
        self.layers = nn.ModuleList(_module(step.layer) for step in self.description.steps)
        self._inputs = [step.inputs for step in self.description.steps]
        self._outputs = self.description.outputs
        used = {i for n, inputs in enumerate(self._inputs) for i in inputs if i != n - 1}
        self._kept = frozenset(used)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Raw head outputs for pictures N x 3 x H x W (RGB 0..1, H and W multiples of 32), in file order."""
        kept: dict[int, Tensor] = {-1: image}
        last, outputs = image, []
        for index, (module, sources) in enumerate(zip(self.layers, self._inputs, strict=True)):
            inputs = [last if i == index - 1 else kept[i] for i in sources]
            last = module(*inputs)
            if index in self._kept:
                kept[index] = last
            if index in self._outputs:
                outputs.append(last)
        return tuple(outputs)

    def load_weights(self, path: StrPath) -> Header:
        """Takes the values of a Darknet `.weights` file.

        Returns:
            The file's header, for :meth:`save_weights`.

        Raises:
            WeightsError: The file cannot be read, or is of another network.
        """
        header, values = load_weights(path, self.description)
        self.take_weights(values)
        return header

    def take_weights(self, values: Sequence[LayerWeights]) -> None:
        """Takes the values of the first convolutions, in the network's order."""
        with torch.no_grad():
            for (_, targets), source in zip(self._weighted(), values, strict=False):
                for target, array in zip(targets, source.arrays(), strict=True):
                    target.copy_(torch.tensor(array))

    def save_weights(self, path: StrPath, header: Header | None = None) -> None:
        """Writes a Darknet `.weights` file, all or nothing.

        Args:
            path: The file.
            header: Version and number of pictures seen; None = none seen.

        Raises:
            OutputError: The file cannot be written.
        """
        values = []
        for normalised, targets in self._weighted():
            arrays = [target.detach().cpu().float().numpy() for target in targets]
            values.append(LayerWeights(arrays[0], arrays[-1], *(arrays[1:4] if normalised else ())))
        save_weights(path, header or Header(), values)

    def _weighted(self) -> Iterator[tuple[bool, list[Tensor]]]:
        """For each convolution whether it is normalised, and its tensors in the order of the file."""
        for index, _, layer in self.description.convolutions:
            module = self.layers[index]
            assert isinstance(module, nn.Sequential)
            convolution, normalisation = module[0], module[1]
            assert isinstance(convolution, nn.Conv2d)
            if not layer.normalised:
                assert convolution.bias is not None
                yield False, [convolution.bias, convolution.weight]
                continue
            assert isinstance(normalisation, nn.BatchNorm2d)
            assert normalisation.running_mean is not None
            assert normalisation.running_var is not None
            yield (
                True,
                [
                    normalisation.bias,
                    normalisation.weight,
                    normalisation.running_mean,
                    normalisation.running_var,
                    convolution.weight,
                ],
            )

    def head_convolutions(self) -> Iterator[nn.Conv2d]:
        """The last convolution in front of each `[yolo]`: its biases set the first scores of a training.

        Raises:
            CfgError: There is none, or one without biases of its own.
        """
        for index in self.description.last_layers:
            step, layer = self.description.steps[index], self.layers[index]
            if not isinstance(step.layer, Convolution) or step.layer.normalised:
                raise step.section.error(
                    "stands above a [yolo]: to be trained, that needs a [convolutional] without "
                    "`batch_normalize=1` above it",
                    "batch_normalize",
                )
            assert isinstance(layer, nn.Sequential)
            convolution = layer[0]
            assert isinstance(convolution, nn.Conv2d)
            yield convolution


def _module(layer: Layer) -> nn.Module:
    """Builds one layer."""
    match layer:
        case Convolution():
            return _convolution(layer)
        case MaxPool():
            return _MaxPool(layer)
        case AveragePool():
            return nn.AdaptiveAvgPool2d(1)
        case Route():
            return _Route(layer.groups, layer.group)
        case Shortcut():
            return _Shortcut(ACTIVATIONS[layer.activation]())
        case Upsample():
            return nn.Upsample(scale_factor=layer.factor)
        case Dropout():
            return nn.Dropout(layer.probability)
        case Head():
            return nn.Identity()


def _convolution(layer: Convolution) -> nn.Sequential:
    convolution = nn.Conv2d(
        layer.channels,
        layer.filters,
        layer.size,
        layer.stride,
        layer.padding,
        groups=layer.groups,
        bias=not layer.normalised,
    )
    parts: list[nn.Module] = [convolution]
    if layer.normalised:
        parts.append(nn.BatchNorm2d(layer.filters, eps=BATCH_NORM_EPS, momentum=0.03))
    return nn.Sequential(*parts, ACTIVATIONS[layer.activation]())
