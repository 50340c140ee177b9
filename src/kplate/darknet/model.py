"""A user's Darknet network, made ready for the detector: an ONNX graph and what its numbers mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kplate.darknet.cfg import CfgError
from kplate.darknet.names import read_names
from kplate.darknet.network import Network, read_network
from kplate.darknet.weights import load_weights
from kplate.errors import WeightsError
from kplate.files import StrPath, printable
from kplate.weights import Manifest

#: Lowest score that Darknet reports (src/detector.c, thresh = .25).
_THRESHOLD: Final = 0.25
_COLOURS: Final = 3


def load_model(cfg: StrPath, weights: StrPath, names: StrPath | Sequence[str]) -> tuple[bytes, Manifest]:
    """Reads the three files of a Darknet network and makes an ONNX network of them.

    Args:
        cfg: The ``.cfg`` file.
        weights: The ``.weights`` file.
        names: The ``.names`` file, or the names of the classes.

    Returns:
        The serialised ONNX network, and a manifest that describes its heads and classes.

    Raises:
        CfgError: The ``.cfg`` or the names cannot be used; the message names the line.
        WeightsError: The weights do not fit, or the `onnx` package is not installed.
    """
    network = read_network(cfg)
    check_channels(network)
    labels = read_names(names, network)
    _, values = load_weights(weights, network)
    try:
        from kplate.darknet.graph import build_graph
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "onnx":
            raise
        raise WeightsError(
            f"cannot load {printable(weights)}: running Darknet networks needs onnx, which is not installed: "
            "pip install 'kplate[darknet]'"
        ) from error
    return build_graph(network, values), _manifest(network, labels, Path(weights).name)


def check_channels(network: Network) -> None:
    """Makes sure that a network takes pictures as kplate reads them.

    Raises:
        CfgError: Its pictures are not in colour.
    """
    if network.channels != _COLOURS:
        raise CfgError(
            f"{network.source}: pictures have {_COLOURS} channels, but `channels={network.channels}`"
        )


def _manifest(network: Network, labels: tuple[str, ...], file: str) -> Manifest:
    heads = [
        {
            "output": f"head{number}",
            "stride": head.stride,
            "anchors": [list(pair) for pair in head.anchors],
            "scale_x_y": head.scale_x_y,
            "new_coords": head.new_coords,
        }
        for number, head in enumerate(network.heads)
    ]
    return Manifest(
        name=network.name,
        task="detector",
        file=file,
        sha256="",  # the values were not written for this manifest but read along the .cfg
        input=network.size,
        classes=labels,
        threshold=_THRESHOLD,
        extra={"heads": heads, "multiple": network.multiple},
    )
