"""Checkpoints of the reader, written all or nothing, and the weights that a run begins with."""

import pickle
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from kplate.errors import KplateError, WeightsError
from kplate.files import printable, reason_of
from kplate.nets.lprnet import LprNetConfig
from kplate.nets.readers import DEFAULT, ReaderNet, build_reader
from kplate.plates.alphabet import ALPHABET
from kplate.plates.script import KOREA, Script

#: What a folder of a run holds: the best weights by validation, and the latest state.
BEST: Final = "best.pt"
LATEST: Final = "checkpoint.pt"
#: Parameters with a row for each symbol.
_PER_SYMBOL: Final = ("classifier.2.weight", "classifier.2.bias")
#: Parameter with a vector for each cell of the plate's map.
_PER_CELL: Final = "position"


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        KplateError: The file is missing or no checkpoint.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"network", "average", "config", "step", "seconds"} - set(state)
    except OSError as error:
        raise KplateError(f"cannot load {printable(path)}: {reason_of(error)}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise KplateError(f"cannot load {printable(path)}: it is no file of PyTorch's") from error
    if missing:
        raise KplateError(f"cannot load {printable(path)}: it is no checkpoint of a reader")
    return state


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def config_of(state: dict[str, Any]) -> LprNetConfig:
    """Return the sizes of a checkpoint's network.

    Raises:
        TypeError: They are those of another network.
    """
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, (list, tuple)) else value
        for key, value in state["config"].items()
    }
    return LprNetConfig(**values)


def network_of(state: dict[str, Any]) -> ReaderNet:
    """Rebuild the averaged network of a checkpoint, in evaluation mode.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: It holds none that is known.
    """
    network = build_reader(state.get("architecture", DEFAULT), config_of(state))
    network.load_state_dict(state["average"])
    return network.eval()


def script_of(state: dict[str, Any]) -> Script:
    """Return the symbols and the grammar of a checkpoint; checkpoints that say nothing are Korean."""
    return Script(state.get("alphabet", ALPHABET), state.get("grammar", KOREA))


def initialise(network: ReaderNet, script: Script, weights: dict[str, Tensor], alphabet: str) -> None:
    """Give a network the weights of another one of the same width.

    Where the alphabets differ, each symbol that both know keeps its row of the classifier, and the new ones
    begin at random. Where the plate's map has more or fewer cells, what is known of the cells is stretched.

    Args:
        network: The network to change.
        script: Its symbols.
        weights: Parameters and buffers of the other network by name.
        alphabet: The other network's symbols.

    Raises:
        WeightsError: The other network has other sizes.
    """
    weights = dict(weights)
    own = network.state_dict()
    if script.alphabet != alphabet:
        if _PER_SYMBOL[0] not in own:
            raise WeightsError("cannot begin with these weights: this network cannot change its alphabet")
        for name in _PER_SYMBOL:
            weights[name] = _rows_by_symbol(own[name], weights[name], script.alphabet, alphabet)
    if _PER_CELL in own and _PER_CELL in weights and weights[_PER_CELL].shape[:2] == own[_PER_CELL].shape[:2]:
        cells = (own[_PER_CELL].shape[2], own[_PER_CELL].shape[3])
        weights[_PER_CELL] = F.interpolate(
            weights[_PER_CELL], size=cells, mode="bilinear", align_corners=False
        )
    wrong = sorted(name for name in own if name not in weights or weights[name].shape != own[name].shape)
    if wrong:
        raise WeightsError(f"cannot begin with these weights: {wrong[0]} is missing or has another size")
    network.load_state_dict({name: weights[name] for name in own})


def _rows_by_symbol(own: Tensor, other: Tensor, alphabet: str, others: str) -> Tensor:
    rows = own.clone()
    rows[-1] = other[-1]  # the blank
    for index, symbol in enumerate(alphabet):
        if symbol in others:
            rows[index] = other[others.index(symbol)]
    return rows
