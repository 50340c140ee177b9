"""Finds the `.cfg` of a network by its name, and fits it to a user's classes, input and anchors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kplate.darknet.cfg import BYTES_KEPT, CfgError, parse_cfg, read_text
from kplate.darknet.network import Head, read_network
from kplate.files import printable, write_atomic
from kplate.nets.darknet import NANO_CFG

#: What `--cfg` takes by name.
NAMED: Final = ("kplate-nano", "yolov4-tiny", "yolov4")

Anchors = Sequence[tuple[float, float]]


def find_cfg(name: str) -> Path:
    """The `.cfg` that a name or a path stands for.

    Raises:
        CfgError: There is none.
    """
    if name in NAMED:
        return NANO_CFG.with_name(f"{name}.cfg")
    if not Path(name).is_file():
        known = ", ".join(NAMED)
        raise CfgError(f"{printable(name)}: no such file; networks known by name are {known}")
    return Path(name)


def fit_cfg(
    path: Path,
    out: Path,
    *,
    classes: int,
    size: tuple[int, int] | None = None,
    anchors: Anchors | None = None,
) -> Path:
    """Writes a `.cfg` with other classes, input or anchors; everything else stays as it is, comments too.

    Args:
        path: The file to begin with.
        out: Folder of the new one, which keeps its name.
        classes: Number of classes.
        size: Width and height of the input, px; None leaves them.
        anchors: As many as the heads use; None leaves them. The finest head gets the smallest.

    Returns:
        The new file.

    Raises:
        CfgError: The file cannot be used, or the result would make no network.
    """
    network = read_network(path)
    net = parse_cfg(path)[0]
    changes: dict[int, dict[str, str]] = {}
    if size is not None:
        changes[net.line] = {"width": str(size[0]), "height": str(size[1])}
    masks = _masks(network.heads)
    if anchors is not None and len(anchors) != sum(map(len, masks)):
        raise CfgError(f"{network.source}: has {sum(map(len, masks))} anchors, not {len(anchors)}")
    heads = iter(zip(network.heads, masks, strict=True))
    for at, last in zip(network.outputs, network.last_layers, strict=True):
        head, mask = next(heads)
        section, before = network.steps[at].section, network.steps[last].section
        if before.kind != "convolutional":
            raise before.error("stands above a [yolo]: to be fitted, that needs a [convolutional] above it")
        changes[before.line] = {"filters": str(len(head.anchors) * (5 + classes))}
        changes[section.line] = {"classes": str(classes)}
        if anchors is not None:
            ordered = sorted(anchors, key=lambda pair: pair[0] * pair[1])
            changes[section.line] |= {
                "mask": ",".join(map(str, mask)),
                "anchors": ", ".join(f"{width:g},{height:g}" for width, height in ordered),
                "num": str(len(ordered)),
            }
    target, text = out / path.name, read_text(path, ".cfg", errors=BYTES_KEPT)
    write_atomic(target, _changed(text, changes).encode(errors=BYTES_KEPT))
    read_network(target)
    return target


def _masks(heads: Sequence[Head]) -> list[list[int]]:
    """The numbers of each head's anchors, when all are ordered from the smallest."""
    finest_first = sorted(range(len(heads)), key=lambda n: heads[n].stride)
    masks: list[list[int]] = [[] for _ in heads]
    first = 0
    for n in finest_first:
        masks[n] = list(range(first, first + len(heads[n].anchors)))
        first += len(heads[n].anchors)
    return masks


def _changed(text: str, changes: Mapping[int, Mapping[str, str]]) -> str:
    """The text with other values of options, by the line of their section's header."""
    lines, result = text.splitlines(), []
    wanted: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip().startswith("["):
            result += _missing(wanted)
            wanted = dict(changes.get(number, {}))
        key = line.partition("=")[0].strip()
        if "=" in line and key in wanted:
            result.append(f"{key}={wanted.pop(key)}")
        else:
            result.append(line)
    return "\n".join([*result, *_missing(wanted)]) + "\n"


def _missing(wanted: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in wanted.items()]
