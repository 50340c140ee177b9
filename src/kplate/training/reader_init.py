"""Beginning with weights that exist: a checkpoint, a run, or an exported network such as the shipped one.

An exported network holds each batch normalisation folded into the layer before it, which computes the
same but cannot be trained further: the statistics are gone. They are measured again on rendered plates, and
the normalisations set up anew around them so that the network computes what it did.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from kplate import weights as shipped
from kplate.errors import WeightsError
from kplate.files import printable
from kplate.nets.lprnet import LprNet, LprNetConfig
from kplate.nets.readers import DEFAULT
from kplate.reader_network import CROP, locator_beside
from kplate.training.reader_checkpoint import BEST, LATEST, config_of, load_checkpoint, script_of
from kplate.training.reader_data import RenderedPlates
from kplate.weights import Manifest

SHIPPED: Final = "shipped"
#: Rendered plates on which the statistics of an exported network are measured.
_MEASURED: Final = 192
_PREFIX: Final = "network."


@dataclass(frozen=True, slots=True)
class Weights:
    """What a run begins with.

    Attributes:
        config: Sizes of the network.
        values: Parameters and buffers by name.
        alphabet: Its symbols.
        taught: Whether it ever learned corners and kinds.
        network: Its name among :data:`kplate.nets.readers.READERS`.
    """

    config: LprNetConfig
    values: dict[str, Tensor]
    alphabet: str
    taught: bool
    network: str = DEFAULT


def load_weights(source: str) -> Weights:
    """Load what a run begins with.

    Args:
        source: ``shipped``, a checkpoint, a folder of a run, or a folder with ``reader.onnx``.

    Raises:
        KplateError: There is nothing that can be used.
    """
    path = Path(source)
    checkpoints = [path / BEST, path / LATEST] if path.is_dir() else [path] * (path.suffix == ".pt")
    found = next((item for item in checkpoints if item.is_file()), None)
    if source != SHIPPED and found:
        state = load_checkpoint(found)
        alphabet, taught = script_of(state).alphabet, state.get("taught", True)
        name = state.get("architecture", DEFAULT)
        return Weights(config_of(state), state["average"], alphabet, taught, name)
    if source != SHIPPED and not path.exists():
        raise WeightsError(f"cannot load {printable(source)}: no such file or folder")
    file, manifest = shipped.load(None if source == SHIPPED else path, "reader")
    locator, _ = shipped.load(locator_beside(file), "locator")
    network = from_onnx(file, locator, manifest)
    return Weights(network.config, network.state_dict(), manifest.alphabet, bool(manifest.kinds))


def from_onnx(path: Path, locator: Path, manifest: Manifest) -> LprNet:
    """Rebuild the trainable network of an exported one.

    Args:
        path: The ``.onnx`` file of what reads.
        locator: That of what finds the corners.
        manifest: Of the former.

    Raises:
        WeightsError: It was not exported from this network.
    """
    values = _values(locator) | _values(path)
    try:
        width = values[f"{_PREFIX}mix.0.weight"].shape[0]
        rows, columns = values[f"{_PREFIX}position"].shape[2:]
        config = LprNetConfig(
            input_size=tuple(manifest.extra[CROP]),
            plate_size=(columns * LprNet.STRIDE[0], rows * LprNet.STRIDE[1]),
            symbols=values[f"{_PREFIX}classifier.2.bias"].shape[0] - 1,
            kinds=values[f"{_PREFIX}kind.bias"].shape[0],
            width=width,
        )
        network = LprNet(config).eval()
        folded = _assign(network, values)
    except (KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"cannot train {printable(path)} further: it was not exported from this network ({error})"
        ) from error
    _unfold(network, folded)
    return network


def _values(path: Path) -> dict[str, Tensor]:
    """Read the named constants; weights of linear layers that were exported as products get their names."""
    try:
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError as error:
        raise WeightsError(
            "to begin with an exported network, onnx must be installed: pip install 'kplate[export]'"
        ) from error
    graph = onnx.load(str(path)).graph
    values = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        bias = next((name for name in node.input if name.endswith(".bias") and name in values), None)
        product = next((products[name] for name in node.input if name in products), None)
        if bias and product in values:
            values[f"{bias.removesuffix('bias')}weight"] = values[product].T.contiguous()
    return values


def _assign(network: LprNet, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Set all but the batch normalisations; return the biases folded into the layers before them."""
    normalised = {
        name
        for name, module in network.named_modules()
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
    }
    state, folded = network.state_dict(), {}
    for name in state:
        module = name.rpartition(".")[0]
        if module not in normalised:
            state[name] = values[_PREFIX + name]
    network.load_state_dict(state)
    for name in normalised:
        folded[name] = values[f"{_PREFIX}{_before(name)}.weight_bias"]
    return folded


def _before(name: str) -> str:
    """Return the name of the layer that stands before a batch normalisation in its sequence."""
    head, _, last = name.rpartition(".")
    return f"{head}.{int(last) - 1}"


def _unfold(network: LprNet, folded: dict[str, Tensor]) -> None:
    """Give each batch normalisation the statistics of what it sees, and weights that undo and then shift."""
    modules = dict(network.named_modules())
    moments: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = []
    for name, bias in folded.items():
        layer: Any = modules[name]
        _set(layer, bias, torch.zeros_like(bias), torch.ones_like(bias))

        def measure(_: nn.Module, inputs: tuple[Tensor], name: str = name) -> None:
            axes = [axis for axis in range(inputs[0].dim()) if axis != 1]
            moments[name] = (inputs[0].mean(axes), inputs[0].var(axes))

        hooks.append(layer.register_forward_pre_hook(measure))
    plates = RenderedPlates(_MEASURED, network.config.input_size, 5, [])
    images = np.stack([plates.row(np.random.default_rng((5, i)))["image"] for i in range(_MEASURED)])
    with torch.inference_mode():
        network(torch.from_numpy(images).float() / 255)
    for hook in hooks:
        hook.remove()
    for name, bias in folded.items():
        _set(modules[name], bias, *(moment.clone() for moment in moments[name]))


def _set(layer: Any, shift: Tensor, mean: Tensor, variance: Tensor) -> None:
    """Make a batch normalisation add ``shift`` and nothing else, given the statistics of its input."""
    with torch.no_grad():
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)
        layer.weight.copy_((variance + layer.eps).sqrt())
        layer.bias.copy_(shift + mean)
