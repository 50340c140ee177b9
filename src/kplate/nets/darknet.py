"""A PyTorch network built from a Darknet `.cfg` file.

The text of the `.cfg` *is* the architecture: :func:`parse_cfg` reads it, :class:`Darknet` builds it, and
nothing else in kplate knows how the detector looks inside. Sections follow the Darknet of YOLOv4 (A.
Bochkovskiy et al., 2020).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.errors import DataError

NANO_CFG = Path(__file__).parent / "cfg" / "kplate-nano.cfg"
LEAKY_SLOPE = 0.1  # Darknet's constant, src/activations.h
BATCH_NORM_EPS = (
    1e-5  # Darknet's .000001 is added to the standard deviation; this is the nearest PyTorch form
)

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "leaky": lambda: nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    "mish": lambda: nn.Mish(inplace=True),
    "swish": lambda: nn.SiLU(inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "logistic": nn.Sigmoid,
}


class CfgError(DataError):
    """A `.cfg` file that cannot be built; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Section:
    """One `[kind]` block of a `.cfg`.

    Attributes:
        kind: Name between the brackets, e.g. `convolutional`.
        options: The `key=value` lines.
        source: File name, for messages.
        line: 1-based line of the header.
        lines: 1-based line of each option.
    """

    kind: str
    options: dict[str, str]
    source: str
    line: int
    lines: dict[str, int]

    def error(self, message: str, key: str | None = None) -> CfgError:
        """An error that points at this section, or at one of its options."""
        line = self.lines.get(key, self.line) if key else self.line
        return CfgError(f"{self.source}, line {line}: [{self.kind}] {message}")

    def text(self, key: str, default: str | None = None) -> str:
        """The option as text; raises :class:`CfgError` when it is missing and has no default."""
        value = self.options.get(key, default)
        if value is None:
            raise self.error(f"needs `{key}=`")
        return value

    def integers(self, key: str, default: str | None = None) -> tuple[int, ...]:
        """The option as comma-separated whole numbers."""
        text = self.text(key, default)
        try:
            return tuple(int(part) for part in text.split(",") if part.strip())
        except ValueError:
            raise self.error(f"`{key}={text}` is not a list of whole numbers", key) from None

    def integer(self, key: str, default: int | None = None) -> int:
        """The option as one whole number."""
        values = self.integers(key, None if default is None else str(default))
        if len(values) != 1:
            raise self.error(f"`{key}=` needs exactly one whole number", key)
        return values[0]

    def number(self, key: str, default: float | None = None) -> float:
        """The option as one number."""
        text = self.text(key, None if default is None else str(default))
        try:
            return float(text)
        except ValueError:
            raise self.error(f"`{key}={text}` is not a number", key) from None

    def numbers(self, key: str) -> tuple[float, ...]:
        """The option as comma-separated numbers."""
        text = self.text(key)
        try:
            return tuple(float(part) for part in text.split(",") if part.strip())
        except ValueError:
            raise self.error(f"`{key}={text}` is not a list of numbers", key) from None


def parse_cfg(path: Path | str) -> list[Section]:
    """Reads a `.cfg` file into its sections.

    Args:
        path: The file; `#` and `;` start comments.

    Returns:
        Sections in file order; the first is `[net]`.

    Raises:
        CfgError: The file cannot be read, a line is neither a header nor `key=value`, or `[net]` is not
            first.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CfgError(f"{path}: cannot be read as a .cfg file ({error})") from None
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#")[0].split(";")[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1].strip(), {}, path.name, number, {}))
        elif "=" in line and sections:
            key, value = (part.strip() for part in line.split("=", 1))
            sections[-1].options[key] = value
            sections[-1].lines[key] = number
        else:
            raise CfgError(f"{path.name}, line {number}: expected `[section]` or `key=value`, found `{line}`")
    if not sections or sections[0].kind not in {"net", "network"}:
        raise CfgError(f"{path.name}, line 1: a .cfg starts with [net]")
    return sections


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


@dataclass(frozen=True, slots=True)
class _Step:
    """A layer's inputs (absolute layer indices, -1 = the picture) and what it gives."""

    inputs: tuple[int, ...]
    channels: int
    stride: int


class _Route(nn.Module):
    """Concatenates layers, then keeps one of `groups` slices of the channels."""

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
    """Darknet's max pooling: pads `size - 1` in all, the smaller half first."""

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        self.size, self.stride = size, stride
        self.even = (size - 1) % 2 == 0

    def forward(self, x: Tensor) -> Tensor:
        before = (self.size - 1) // 2
        if self.even:
            return F.max_pool2d(x, self.size, self.stride, before)
        if self.stride == self.size:  # sizes are multiples of the stride: the padding is never looked at
            return F.max_pool2d(x, self.size, self.stride)
        after = self.size - 1 - before
        return F.max_pool2d(
            F.pad(x, (before, after, before, after), value=float("-inf")), self.size, self.stride
        )


class Darknet(nn.Module):
    """The network a `.cfg` describes.

    Every `[yolo]` section gives one raw output, N x A*(5+C) x H x W, per anchor: x, y, w, h, objectness,
    classes, all before their sigmoids. (Where a file says `activation=logistic` in front of a `[yolo]` with
    `new_coords`, that sigmoid is left to the decoder too, so that losses and decoders see one convention.)

    Args:
        cfg: Path of the `.cfg` file.

    Raises:
        CfgError: Something in the file is unknown or does not fit; the message names the line.
    """

    def __init__(self, cfg: Path | str = NANO_CFG) -> None:
        super().__init__()
        self.cfg = Path(cfg)
        net, *sections = parse_cfg(cfg)
        self.channels = net.integer("channels", 3)
        self.size = (net.integer("width", 416), net.integer("height", 416))
        self.layers = nn.ModuleList()
        self.heads: list[Head] = []
        self._steps: list[_Step] = []
        self._outputs: list[int] = []
        for index, section in enumerate(sections):
            following = sections[index + 1] if index + 1 < len(sections) else None
            module, step = self._build(section, following)
            self.layers.append(module)
            self._steps.append(step)
        if not self.heads:
            raise CfgError(f"{self.cfg.name}: has no [yolo] section, so it finds nothing")
        used = {i for n, step in enumerate(self._steps) for i in step.inputs if i != n - 1}
        self._kept = frozenset(used)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Raw head outputs for pictures N x 3 x H x W (RGB 0..1, H and W multiples of 32), in file order."""
        kept: dict[int, Tensor] = {-1: image}
        last, outputs = image, []
        for index, (module, step) in enumerate(zip(self.layers, self._steps, strict=True)):
            inputs = [last if i == index - 1 else kept[i] for i in step.inputs]
            last = module(*inputs)
            if index in self._kept:
                kept[index] = last
            if index in self._outputs:
                outputs.append(last)
        return tuple(outputs)

    def _shape(self, index: int) -> tuple[int, int]:
        if index < 0:
            return self.channels, 1
        return self._steps[index].channels, self._steps[index].stride

    def _resolve(self, section: Section, key: str) -> tuple[int, ...]:
        here = len(self._steps)
        result = []
        for value in section.integers(key):
            index = value if value >= 0 else here + value
            if not 0 <= index < here:
                raise section.error(
                    f"`{key}={section.options[key]}` points at layer {index}; there are {here} above", key
                )
            result.append(index)
        if not result:
            raise section.error(f"`{key}=` is empty", key)
        return tuple(result)

    def _build(self, section: Section, following: Section | None) -> tuple[nn.Module, _Step]:
        here = len(self._steps)
        channels, stride = self._shape(here - 1)
        same = _Step((here - 1,), channels, stride)
        match section.kind:
            case "convolutional":
                return self._convolution(section, following)
            case "maxpool":
                step = section.integer("stride", 1)
                pool = _MaxPool(section.integer("size", step), step)
                return pool, _Step((here - 1,), channels, stride * step)
            case "route":
                return self._route(section)
            case "shortcut":
                inputs = (here - 1, *self._resolve(section, "from"))
                for index in inputs:
                    if self._shape(index) != (channels, stride):
                        raise section.error(f"layer {index} has another shape than the layer above", "from")
                return _Shortcut(_activation(section, "linear")), _Step(inputs, channels, stride)
            case "upsample":
                factor = section.integer("stride", 2)
                if factor < 1 or stride % factor:
                    raise section.error(f"cannot enlarge a layer of stride {stride} by {factor}", "stride")
                return nn.Upsample(scale_factor=factor), _Step((here - 1,), channels, stride // factor)
            case "dropout":
                return nn.Dropout(section.number("probability", 0.5)), same
            case "yolo":
                return self._yolo(section, channels, stride), same
            case other:
                raise section.error(f"is not a kind of layer kplate knows ({other})")

    def _convolution(self, section: Section, following: Section | None) -> tuple[nn.Module, _Step]:
        here = len(self._steps)
        channels, stride = self._shape(here - 1)
        filters, size = section.integer("filters"), section.integer("size", 1)
        step, groups = section.integer("stride", 1), section.integer("groups", 1)
        padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
        if min(filters, size, step, groups) < 1 or channels % groups or filters % groups:
            raise section.error(
                f"cannot make {filters} filters in {groups} groups from {channels} channels", "filters"
            )
        normalised = bool(section.integer("batch_normalize", 0))
        parts: list[nn.Module] = [
            nn.Conv2d(channels, filters, size, step, padding, groups=groups, bias=not normalised)
        ]
        if normalised:
            parts.append(nn.BatchNorm2d(filters, eps=BATCH_NORM_EPS, momentum=0.03))
        to_decoder = following is not None and following.kind == "yolo" and following.integer("new_coords", 0)
        activation = _activation(section, "logistic")
        if not (to_decoder and section.options.get("activation") == "logistic"):
            parts.append(activation)
        return nn.Sequential(*parts), _Step((here - 1,), filters, stride * step)

    def _route(self, section: Section) -> tuple[nn.Module, _Step]:
        inputs = self._resolve(section, "layers")
        groups, group = section.integer("groups", 1), section.integer("group_id", 0)
        shapes = [self._shape(index) for index in inputs]
        if len({stride for _, stride in shapes}) != 1:
            raise section.error(f"joins layers of strides {[stride for _, stride in shapes]}", "layers")
        if groups < 1 or not 0 <= group < groups or any(channels % groups for channels, _ in shapes):
            raise section.error(
                f"cannot take slice {group} of {groups} from {[c for c, _ in shapes]} channels", "groups"
            )
        return _Route(groups, group), _Step(inputs, sum(c // groups for c, _ in shapes), shapes[0][1])

    def _yolo(self, section: Section, channels: int, stride: int) -> nn.Module:
        flat = section.numbers("anchors")
        pairs = list(zip(flat[::2], flat[1::2], strict=False))
        if len(flat) % 2 or len(pairs) != section.integer("num", len(pairs)):
            raise section.error(
                f"`anchors=` holds {len(flat)} numbers, `num=` asks for pairs of them", "anchors"
            )
        masks = section.integers("mask", ",".join(map(str, range(len(pairs)))))
        if not masks or not all(0 <= mask < len(pairs) for mask in masks):
            raise section.error(f"`mask=` must point into {len(pairs)} anchors", "mask")
        classes = section.integer("classes")
        wanted = len(masks) * (5 + classes)
        if channels != wanted:
            raise section.error(
                f"{len(masks)} anchors and {classes} classes need filters={wanted} in the layer above, "
                f"not {channels}",
                "classes",
            )
        anchors = tuple(pairs[mask] for mask in masks)
        new_coords = bool(section.integer("new_coords", 0))
        self.heads.append(Head(stride, anchors, classes, section.number("scale_x_y", 1.0), new_coords))
        self._outputs.append(len(self._steps))
        return nn.Identity()

    def head_convolutions(self) -> Iterator[nn.Conv2d]:
        """The last convolution in front of each `[yolo]`: its biases set the first scores of a training."""
        for index in self._outputs:
            layer = self.layers[index - 1]
            assert isinstance(layer, nn.Sequential)
            convolution = layer[0]
            assert isinstance(convolution, nn.Conv2d)
            yield convolution


def _activation(section: Section, default: str) -> nn.Module:
    name = section.options.get("activation", default)
    if name not in ACTIVATIONS:
        raise section.error(
            f"does not know `activation={name}`; known: {', '.join(ACTIVATIONS)}", "activation"
        )
    return ACTIVATIONS[name]()
