"""What a detector's training begins with: random weights, Darknet's `.weights`, or a checkpoint."""

import tempfile
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from torch import Tensor, nn

from kplate.darknet.model import check_channels
from kplate.darknet.network import Convolution, Network
from kplate.darknet.weights import load_first_weights, weights_count
from kplate.errors import DataError, WeightsError
from kplate.files import printable, reason_of
from kplate.nets.darknet import NANO_CFG, Darknet
from kplate.training.detector_cfg import fit_cfg

_NEEDED: Final = frozenset({"network", "average", "step", "minutes"})
START_SCORES = (-3.0, -1.5)  # biases of objectness and classes: about 1 % at the start


def new_network(cfg: Path | str = NANO_CFG) -> Darknet:
    """A network whose scores start near 1 %, so that the many empty cells do not drown the few full ones.

    Raises:
        CfgError: The `.cfg` cannot be used, or not for training.
        DataError: There is no memory for it.
    """
    try:
        network = Darknet(cfg)
    except (RuntimeError, MemoryError) as error:  # RuntimeError: what PyTorch's allocator raises
        raise DataError(
            f"{printable(Path(cfg).name)}: there is not enough memory for a network of this size"
        ) from error
    check_channels(network.description)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.1, mode="fan_out", nonlinearity="leaky_relu")
    with torch.no_grad():
        for convolution, head in zip(network.head_convolutions(), network.heads, strict=True):
            nn.init.normal_(convolution.weight, std=0.01)
            assert convolution.bias is not None
            bias = convolution.bias.view(len(head.anchors), 5 + head.classes)
            bias.zero_()
            bias[:, 4], bias[:, 5:] = START_SCORES
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def load_state(path: Path, needed: Set[str] = _NEEDED, whose: str = "a detector") -> dict[str, Any]:
    """Reads a checkpoint.

    Args:
        path: The file.
        needed: What it must hold.
        whose: What it is to be a checkpoint of, for messages.

    Raises:
        DataError: The file is missing or no such checkpoint.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = needed - set(state)
    except OSError as error:
        raise DataError(f"cannot load {printable(path)}: {reason_of(error)}") from None
    except (RuntimeError, LookupError, TypeError, ValueError, EOFError, UnpicklingError):
        raise DataError(f"cannot load {printable(path)}: it is no file of PyTorch's") from None
    if missing:
        raise DataError(f"cannot load {printable(path)}: it is no checkpoint of {whose}")
    return state


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken over from other weights: `layers` of the network's `total` convolutions."""

    layers: int
    total: int


def start_from(network: Darknet, path: Path) -> Taken:
    """Gives a network the weights of a file as far as they fit.

    A checkpoint gives every layer of the same shape. Darknet's `.weights` may be of this network, of the same
    one with another number of classes (the heads then begin at random), or hold only its first layers, as
    `yolov4-tiny.conv.29` does.

    Args:
        network: The network; it is changed.
        path: The file.

    Raises:
        DataError: The checkpoint cannot be used.
        WeightsError: The `.weights` cannot.
    """
    if path.suffix in (".pt", ".pth"):
        values: dict[str, Tensor] = load_state(path)["average"]
        return _take(network, values, path)
    other = _of_other_classes(network, path)
    if other is not None:
        return _take(network, other.state_dict(), path)
    taken = load_first_weights(path, network.description)
    network.take_weights(taken)
    return Taken(len(taken), len(list(network.description.convolutions)))


def _take(network: Darknet, values: dict[str, Tensor], path: Path) -> Taken:
    """Takes the values of equal name and shape; whole layers only, so that none is half old, half new."""
    own = network.state_dict()
    layers: dict[str, list[str]] = {}
    for key in own:
        layers.setdefault(key.split(".")[1], []).append(key)
    fitting = {
        layer: keys
        for layer, keys in layers.items()
        if all(key in values and values[key].shape == own[key].shape for key in keys)
    }
    if not fitting:
        raise WeightsError(f"cannot start from {printable(path)}: no layer of it fits {network.cfg.name}")
    network.load_state_dict({key: values[key] for keys in fitting.values() for key in keys}, strict=False)
    return Taken(len(fitting), len(layers))


def _of_other_classes(network: Darknet, path: Path) -> Darknet | None:
    """The same network with as many classes as a `.weights` file has values for; None where it fits as is."""
    values = weights_count(path)
    description = network.description
    wanted = _values(description)
    if values == wanted:
        return None
    a_class = sum(
        len(head.anchors) * (convolution.in_channels + 1)
        for convolution, head in zip(network.head_convolutions(), description.heads, strict=True)
    )
    more, rest = divmod(values - wanted, a_class)
    classes = description.heads[0].classes + more
    if rest or classes < 1:
        return None
    with tempfile.TemporaryDirectory() as folder:
        other = Darknet(fit_cfg(network.cfg, Path(folder), classes=classes))
    other.load_weights(path)
    for convolution in other.head_convolutions():  # their values are those of other classes
        convolution.weight = nn.Parameter(torch.zeros(0))
    return other


def _values(description: Network) -> int:
    return sum(_count(layer) for _, _, layer in description.convolutions)


def _count(layer: Convolution) -> int:
    kernel = layer.channels // layer.groups * layer.size**2
    return layer.filters * (kernel + (4 if layer.normalised else 1))


def freeze(network: Darknet, count: int) -> nn.ModuleList:
    """Keeps the weights of the first layers from learning; gives those layers.

    Args:
        network: The network; it is changed.
        count: Number of layers, as Darknet numbers them.

    Raises:
        DataError: It is negative, or no layer would be left to learn.
    """
    frozen = network.layers[: max(0, count)].requires_grad_(False)
    if count < 0 or not any(parameter.requires_grad for parameter in network.parameters()):
        raise DataError(
            f"--freeze {count}: must be 0 or more and leave a layer to learn; "
            f"{network.cfg.name} has {len(network.layers)}"
        )
    return frozen


def load_average(checkpoint: Path, cfg: Path | str | None = None) -> tuple[Darknet, dict[str, Any]]:
    """The averaged network of a checkpoint, ready to run, and the rest of its state.

    Args:
        checkpoint: The file.
        cfg: The network; None = the `.cfg` that the run wrote beside its checkpoint.

    Raises:
        DataError: The file is missing or fits another network.
    """
    state = load_state(checkpoint)
    if cfg is None:
        cfg = checkpoint.parent / str(state.get("name", NANO_CFG.name))
        cfg = cfg if cfg.is_file() else NANO_CFG
    network = Darknet(cfg)
    try:
        network.load_state_dict(state["average"])
    except (RuntimeError, TypeError, AttributeError):
        raise DataError(f"{printable(checkpoint)} is no checkpoint of {Path(cfg).name}") from None
    return network.eval(), state
