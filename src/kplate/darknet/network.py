"""What a `.cfg` describes: its layers with their inputs and shapes, checked, in no framework's terms.

:func:`read_network` is the one place where Darknet's options get their meaning. PyTorch
(:mod:`kplate.nets.darknet`), ONNX (:mod:`kplate.darknet.graph`) and `.weights` files
(:mod:`kplate.darknet.weights`) follow it layer by layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kplate.darknet.cfg import CfgError, Section, parse_cfg
from kplate.files import StrPath, printable
from kplate.images.letterbox import LARGEST_SIDE

ACTIVATIONS: Final = ("linear", "leaky", "mish", "swish", "relu", "logistic")
LEAKY_SLOPE: Final = 0.1  # Darknet's constant, src/activations.h
#: What is added to a variance before its root: the value Darknet folds normalisations with (src/network.c).
BATCH_NORM_EPS: Final = 1e-5
#: Width and height of the input where `[net]` names none.
_SIZE: Final = 416
#: Stride of a layer that has one cell for the whole picture.
_GLOBAL: Final = 0


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution, its normalisation and its activation.

    Attributes:
        channels: Of the input.
        filters: Channels of the output.
        size: Of the kernel, which is square.
        stride: Cells of the input per cell of the output.
        padding: Zeros on every side.
        groups: Channels are split into this many independent parts.
        normalised: Whether a batch normalisation stands in the bias's place.
        activation: One of `ACTIVATIONS`.
    """

    channels: int
    filters: int
    size: int
    stride: int
    padding: int
    groups: int
    normalised: bool
    activation: str


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Max pooling; Darknet pads `size - 1` in all, the smaller half first."""

    size: int
    stride: int

    @property
    def padding(self) -> tuple[int, int]:
        """Cells before and after, in both directions."""
        if self.stride == self.size:  # sizes are multiples of the stride: the padding is never looked at
            return 0, 0
        before = (self.size - 1) // 2
        return before, self.size - 1 - before


@dataclass(frozen=True, slots=True)
class AveragePool:
    """The mean of every channel over the whole picture."""


@dataclass(frozen=True, slots=True)
class Route:
    """Concatenates layers, of each of which it takes slice `group` of `groups` along the channels."""

    groups: int
    group: int


@dataclass(frozen=True, slots=True)
class Shortcut:
    """The sum of layers of equal shape."""

    activation: str


@dataclass(frozen=True, slots=True)
class Upsample:
    """Repeats every cell `factor` times in both directions."""

    factor: int


@dataclass(frozen=True, slots=True)
class Dropout:
    """Drops values in training; does nothing when reading."""

    probability: float


@dataclass(frozen=True, slots=True)
class Head:
    """What is needed to turn one raw output into boxes.

    Attributes:
        stride: Pixels of the network's input per cell.
        anchors: (width, height) of each anchor, px of the network's input.
        classes: Number of classes.
        scale_x_y: How far a centre may leave its cell (1 = not at all).
        new_coords: Sizes are `anchor * (2 sigmoid)^2` (true) or `anchor * exp` (false).
    """

    stride: int
    anchors: tuple[tuple[float, float], ...]
    classes: int
    scale_x_y: float
    new_coords: bool


Layer = Convolution | MaxPool | AveragePool | Route | Shortcut | Upsample | Dropout | Head


@dataclass(frozen=True, slots=True)
class Step:
    """A layer in its place.

    Attributes:
        layer: What it does.
        inputs: Absolute indices of its inputs; -1 is the picture.
        channels: Of its output.
        stride: Pixels of the network's input per cell of its output; 0 = one cell for the whole picture.
        section: Where it is described.
    """

    layer: Layer
    inputs: tuple[int, ...]
    channels: int
    stride: int
    section: Section


@dataclass(frozen=True, slots=True)
class Network:
    """A whole network.

    Every `[yolo]` gives one raw output, N x A*(5+C) x H x W, per anchor: x, y, w, h, objectness, classes, all
    before their sigmoids. (Where a file says `activation=logistic` in front of a `[yolo]` with `new_coords`,
    that sigmoid is left to the decoder too, so that losses and decoders see one convention.)

    Attributes:
        source: File name, for messages.
        name: File name without its suffix.
        channels: Of the picture.
        size: (width, height) of the input that the network is meant for, in px.
        steps: The layers in file order.
    """

    source: str
    name: str
    channels: int
    size: tuple[int, int]
    steps: tuple[Step, ...]

    @property
    def heads(self) -> tuple[Head, ...]:
        """The `[yolo]` sections, in file order."""
        return tuple(step.layer for step in self.steps if isinstance(step.layer, Head))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Indices of the `[yolo]` sections."""
        return tuple(index for index, step in enumerate(self.steps) if isinstance(step.layer, Head))

    @property
    def last_layers(self) -> tuple[int, ...]:
        """Indices of the layers that give the `[yolo]` sections their numbers: above any `[dropout]`."""
        return tuple(
            max((at for at in range(index) if not isinstance(self.steps[at].layer, Dropout)), default=-1)
            for index in self.outputs
        )

    @property
    def convolutions(self) -> Iterator[tuple[int, Step, Convolution]]:
        """The layers that have weights, with their indices, in the order of a `.weights` file."""
        for index, step in enumerate(self.steps):
            if isinstance(step.layer, Convolution):
                yield index, step, step.layer

    @property
    def multiple(self) -> int:
        """What the sides of an input must be multiples of: the largest stride of any layer."""
        return max(1, *(step.stride for step in self.steps))


def read_network(path: StrPath) -> Network:
    """Reads a `.cfg` file.

    Raises:
        CfgError: Something in the file is unknown or does not fit; the message names the line.
    """
    net, *sections = parse_cfg(path)
    builder = _Builder(net.integer("channels", 3))
    if builder.channels < 1:
        raise net.error("a picture has at least one channel", "channels")
    for section in sections:
        builder.add(section)
    file = Path(path)
    size = net.integer("width", _SIZE), net.integer("height", _SIZE)
    network = Network(
        printable(file.name), printable(file.stem), builder.channels, size, tuple(builder.steps)
    )
    if not network.heads:
        raise CfgError(f"{network.source}: has no [yolo] section, so it finds nothing")
    for key, side in zip(("width", "height"), size, strict=True):
        if side < 1 or side % network.multiple:
            raise net.error(f"`{key}={side}` must be a multiple of {network.multiple}", key)
        if side > LARGEST_SIDE:
            raise net.error(f"`{key}={side}` is more than the {LARGEST_SIDE} px that a side may have", key)
    return network


class _Builder:
    """Gives the sections their meaning, from the first to the last."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.steps: list[Step] = []

    def add(self, section: Section) -> None:
        """Appends the layer of a section."""
        section.check()
        before = (len(self.steps) - 1,)
        channels, stride = self._shape(before[0])
        match section.kind:
            case "convolutional":
                step = self._convolution(section, channels, stride)
            case "maxpool":
                step = self._maxpool(section, channels, stride)
            case "avgpool":
                step = Step(AveragePool(), before, channels, _GLOBAL, section)
            case "route":
                step = self._route(section)
            case "shortcut":
                step = self._shortcut(section, channels, stride)
            case "upsample":
                factor = section.positive("stride", 2)
                if stride == _GLOBAL or stride % factor:
                    raise section.error(f"cannot enlarge a layer of stride {stride} by {factor}", "stride")
                step = Step(Upsample(factor), before, channels, stride // factor, section)
            case "dropout":
                probability = section.number("probability", 0.5)
                if not 0 <= probability <= 1:
                    raise section.error(f"`probability={probability:g}` must be from 0 to 1", "probability")
                step = Step(Dropout(probability), before, channels, stride, section)
            case _:
                step = Step(self._head(section, channels, stride), before, channels, stride, section)
        if any(self._feeds_decoder(index) for index in step.inputs):
            raise section.error("cannot use what a [yolo] gives: boxes are no layer's input")
        self.steps.append(step)

    def _feeds_decoder(self, index: int) -> bool:
        """Whether a layer is a `[yolo]`, or the one above it whose sigmoid was left to the decoder."""
        layers = [step.layer for step in self.steps[max(index, 0) : index + 2]]
        head = next((layer for layer in layers if isinstance(layer, Head)), None)
        return head is not None and (head is layers[0] or head.new_coords)

    def _shape(self, index: int) -> tuple[int, int]:
        if index < 0:
            return self.channels, 1
        return self.steps[index].channels, self.steps[index].stride

    def _resolve(self, section: Section, key: str) -> tuple[int, ...]:
        here = len(self.steps)
        result = []
        for value in section.integers(key):
            index = value if value >= 0 else here + value
            if not 0 <= index < here:
                raise section.error(
                    f"{section.quoted(key)} points at layer {index}; there are {here} above", key
                )
            result.append(index)
        if not result:
            raise section.error(f"`{key}=` is empty", key)
        return tuple(result)

    def _convolution(self, section: Section, channels: int, stride: int) -> Step:
        filters, size = section.positive("filters"), section.positive("size", 1)
        step, groups = section.positive("stride", 1), section.positive("groups", 1)
        padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
        if channels % groups or filters % groups:
            raise section.error(
                f"cannot make {filters} filters in {groups} groups from {channels} channels", "filters"
            )
        if not 0 <= 2 * padding - size + step < step or (stride == _GLOBAL and 2 * padding + 1 != size):
            raise section.error(
                f"of size {size}, stride {step} and {padding} cells of padding gives a layer whose cells do "
                "not line up with those above",
                "pad" if "pad" in section.options else "padding",
            )
        normalised = bool(section.integer("batch_normalize", 0))
        layer = Convolution(
            channels, filters, size, step, padding, groups, normalised, _activation(section, "logistic")
        )
        return Step(layer, (len(self.steps) - 1,), filters, stride * step, section)

    def _maxpool(self, section: Section, channels: int, stride: int) -> Step:
        step = section.positive("stride", 1)
        size = section.positive("size", step)
        if size < step or (stride == _GLOBAL and step > 1):
            raise section.error(f"cannot pool {size} cells every {step}", "size")
        return Step(MaxPool(size, step), (len(self.steps) - 1,), channels, stride * step, section)

    def _route(self, section: Section) -> Step:
        inputs = self._resolve(section, "layers")
        groups, group = section.positive("groups", 1), section.integer("group_id", 0)
        shapes = [self._shape(index) for index in inputs]
        if len({stride for _, stride in shapes}) != 1:
            raise section.error(f"joins layers of strides {[stride for _, stride in shapes]}", "layers")
        if not 0 <= group < groups or any(channels % groups for channels, _ in shapes):
            raise section.error(
                f"cannot take slice {group} of {groups} from {[c for c, _ in shapes]} channels", "groups"
            )
        channels = sum(count // groups for count, _ in shapes)
        return Step(Route(groups, group), inputs, channels, shapes[0][1], section)

    def _shortcut(self, section: Section, channels: int, stride: int) -> Step:
        inputs = (len(self.steps) - 1, *self._resolve(section, "from"))
        for index in inputs:
            if self._shape(index) != (channels, stride):
                raise section.error(f"layer {index} has another shape than the layer above", "from")
        return Step(Shortcut(_activation(section, "linear")), inputs, channels, stride, section)

    def _head(self, section: Section, channels: int, stride: int) -> Head:
        masks, pairs = _anchors(section)
        classes = section.integer("classes")
        wanted = len(masks) * (5 + classes)
        if classes < 1 or channels != wanted:
            raise section.error(
                f"{len(masks)} anchors and {classes} classes need filters={wanted} in the layer above, "
                f"not {channels}",
                "classes",
            )
        if stride == _GLOBAL:
            raise section.error("cannot place boxes: below an [avgpool] there are no cells")
        head = Head(
            stride,
            tuple(pairs[mask] for mask in masks),
            classes,
            section.number("scale_x_y", 1.0),
            bool(section.integer("new_coords", 0)),
        )
        if head.new_coords:
            self._leave_sigmoid_to_decoder(section)
        return head

    def _leave_sigmoid_to_decoder(self, section: Section) -> None:
        step = self.steps[-1] if self.steps else None
        if step is None or not isinstance(step.layer, Convolution) or step.layer.activation != "logistic":
            raise section.error(
                "with `new_coords=1` needs a [convolutional] with `activation=logistic` above it",
                "new_coords",
            )
        self.steps[-1] = replace(step, layer=replace(step.layer, activation="linear"))


def _anchors(section: Section) -> tuple[tuple[int, ...], list[tuple[float, float]]]:
    """Reads `mask=` and `anchors=`: indices of the anchors used, and all anchors."""
    flat = section.numbers("anchors")
    pairs = list(zip(flat[::2], flat[1::2], strict=False))
    if len(flat) % 2 or len(pairs) != section.integer("num", len(pairs)):
        raise section.error(
            f"`anchors=` holds {len(flat)} numbers, `num={section.integer('num', len(pairs))}` asks for "
            "as many pairs of them",
            "anchors",
        )
    if not all(side > 0 for side in flat):
        raise section.error("`anchors=` must be above 0", "anchors")
    masks = section.integers("mask", ",".join(map(str, range(len(pairs)))))
    if not masks or not all(0 <= mask < len(pairs) for mask in masks):
        raise section.error(f"`mask=` must point into {len(pairs)} anchors", "mask")
    return masks, pairs


def _activation(section: Section, default: str) -> str:
    name = section.options.get("activation", default)
    if name not in ACTIVATIONS:
        raise section.error(
            f"does not know {section.quoted('activation')}; known: {', '.join(ACTIVATIONS)}", "activation"
        )
    return name
