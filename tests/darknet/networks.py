"""Small Darknet networks in the tests' own words, and values for any network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kplate.darknet.network import Convolution, Network, read_network
from kplate.darknet.weights import Header, LayerWeights, save_weights
from kplate.engines import open_model

#: Darknet's own files, where they lie beside a checkout.
REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "darknet_cfg"


def reference(name: str) -> Path:
    """One of Darknet's own files; skips the test where they are not here."""
    if not REFERENCE.is_dir():
        pytest.skip("the reference .cfg files are not here")
    return REFERENCE / f"{name}.cfg"


def net(**options: object) -> str:
    return section("net", **{"width": 64, "height": 64, "channels": 3, **options})


def section(kind: str, **options: object) -> str:
    return "\n".join((f"[{kind}]", *(f"{key}={value}" for key, value in options.items()), ""))


def conv(
    filters: int,
    size: int = 3,
    stride: int = 1,
    activation: str = "leaky",
    *,
    plain: bool = False,
    **more: object,
) -> str:
    normalised = {} if plain else {"batch_normalize": 1}
    shape = {"filters": filters, "size": size, "stride": stride, "pad": 1, "activation": activation}
    return section("convolutional", **normalised, **shape, **more)


def yolo(mask: str = "0,1", classes: int = 2, **more: object) -> str:
    return section("yolo", mask=mask, anchors="12,9, 30,22, 60,80", classes=classes, num=3, **more)


#: Largest raw number of a head: sizes grow with its exponential.
_LARGEST = 5.0
#: Range of the variances in normalisations: well above what is added to them, on which programs differ (1e-5
#: in the Darknet of YOLOv4, 1e-6 in OpenCV).
_VARIANCES = (2.0, 6.0)

#: Residual blocks, as in YOLOv3: strides 8 and 4, joined by an enlarged layer.
RESIDUAL = "\n".join(
    (
        net(),
        conv(8, stride=2),  # 0
        conv(12, stride=2),  # 1
        conv(6, 1),
        conv(12),
        section("shortcut", **{"from": -3, "activation": "linear"}),  # 4
        conv(16, stride=2),  # 5
        section("dropout", probability=0.5),
        conv(14, 1, activation="linear", plain=True),  # 7
        yolo("1,2"),  # 8
        section("route", layers=-3),
        conv(8, 1, activation="relu"),
        section("upsample", stride=2),
        section("route", layers="-1, 4"),
        conv(14, 1, activation="linear", plain=True),
        yolo("0,1"),
    )
)
#: Plain layers and poolings of stride 2 and 1, as in YOLOv3-tiny.
POOLED = "\n".join(
    (
        net(width=96),
        conv(8),
        section("maxpool", size=2, stride=2),
        conv(12),
        section("maxpool", size=2, stride=2),
        conv(16),
        section("maxpool", size=2, stride=1),
        section("maxpool", size=3, stride=1),
        conv(7, 1, activation="linear", plain=True),
        yolo("2", scale_x_y=1.05),
    )
)
#: Mish, split layers, groups and spatial pyramid pooling, as in YOLOv4.
PARTIAL = "\n".join(
    (
        net(width=96, height=64),
        conv(16, stride=2, activation="mish"),
        section("route", layers=-1, groups=2, group_id=1),
        conv(8, activation="swish", groups=4),
        conv(8, activation="mish"),
        section("route", layers="-1,-2"),
        section("maxpool", size=5, stride=1),
        section("route", layers=-2),
        section("maxpool", size=9, stride=1),
        section("route", layers="-1,-3,-4"),
        conv(16, 1, stride=2, activation="logistic"),
        conv(14, 1, activation="linear", plain=True),
        yolo("0,2", scale_x_y=1.2),
    )
)
#: Sizes without exponentials, as in scaled YOLOv4.
NEW_COORDS = "\n".join(
    (
        net(),
        conv(8, stride=2, activation="mish"),
        conv(8, stride=2, activation="mish"),
        conv(14, 1, activation="logistic", plain=True),
        yolo("0,1", scale_x_y=2.0, new_coords=1),
    )
)
#: What OpenCV cannot be asked about: several layers in one shortcut, and the mean of a layer.
MIXED = "\n".join(
    (
        net(),
        conv(8, stride=2),
        conv(8),
        conv(8),
        section("avgpool"),
        section("route", layers=-2),
        section("shortcut", **{"from": "-4,-5", "activation": "leaky"}),
        conv(14, 1, activation="linear", plain=True),
        yolo(),
    )
)
NETWORKS = {
    "residual": RESIDUAL,
    "pooled": POOLED,
    "partial": PARTIAL,
    "new_coords": NEW_COORDS,
    "mixed": MIXED,
}


def write_cfg(folder: Path, text: str, name: str = "my.cfg") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def random_values(network: Network, seed: int = 0) -> list[LayerWeights]:
    """Values with which every head gives numbers of the size that trained networks give."""
    rng = np.random.default_rng(seed)
    values = [_random_layer(layer, rng) for _, _, layer in network.convolutions]
    from kplate.darknet.graph import build_graph

    picture = rng.random((1, network.channels, 4 * network.multiple, 5 * network.multiple), np.float32)
    raw = open_model(build_graph(network, values), "random", threads=1).run(picture)
    places = [index for index, _, _ in network.convolutions]
    for head, index in zip(raw.values(), network.outputs, strict=True):
        at = places.index(index - 1)
        old = values[at]
        values[at] = LayerWeights(
            old.biases, np.asarray(old.weights * (_LARGEST / np.abs(head).max()), np.float32)
        )
    return values


def _random_layer(layer: Convolution, rng: np.random.Generator) -> LayerWeights:
    inputs = layer.channels // layer.groups
    shape = (layer.filters, inputs, layer.size, layer.size)
    spread = np.mean(_VARIANCES) if layer.normalised else 1.0
    kernel = rng.normal(0, (2 * spread / (inputs * layer.size**2)) ** 0.5, shape).astype(np.float32)
    biases = rng.normal(0, 0.1, layer.filters).astype(np.float32)
    if not layer.normalised:
        return LayerWeights(biases, kernel)
    scales, means = rng.uniform(0.7, 1.3, layer.filters), rng.normal(0, 0.1, layer.filters)
    variances = rng.uniform(*_VARIANCES, layer.filters)
    scales, means, variances = (part.astype(np.float32) for part in (scales, means, variances))
    return LayerWeights(biases, kernel, scales, means, variances)


def write_network(
    folder: Path, text: str, names: Sequence[str] = (), header: Header | None = None
) -> tuple[Path, Path, Path]:
    """Write a `.cfg` with random `.weights` and, if given, `.names`; return their paths."""
    cfg = write_cfg(folder, text)
    network = read_network(cfg)
    save_weights(folder / "my.weights", header or Header(), random_values(network))
    (folder / "my.names").write_text("\n".join((*names, "")), encoding="utf-8")
    return cfg, folder / "my.weights", folder / "my.names"


#: Pure colours (blue, green, red), which the painted network finds in cells of 32 x 32 px, and its classes.
PAINTS = {
    "car": (0, 255, 0),
    "license-plate": (0, 0, 255),
    "disabled_sticker": (255, 0, 0),
    "bus": (0, 255, 255),
    "person": (255, 0, 255),
}
CELL = 32


def write_painted(folder: Path) -> tuple[Path, Path, Path]:
    """Write a network whose answers are known: it finds painted cells, as boxes of 64 x 32 px."""
    shape = {"filters": 5 + len(PAINTS), "size": CELL, "stride": CELL, "pad": 0, "activation": "linear"}
    head = section("yolo", anchors="64,32", classes=len(PAINTS))
    cfg = write_cfg(folder, net(width=416, height=416) + section("convolutional", **shape) + head)
    weights, biases = np.zeros((5 + len(PAINTS), 3), np.float32), np.zeros(5 + len(PAINTS), np.float32)
    weights[4], biases[4] = 40, -20
    for row, colour in enumerate(PAINTS.values(), start=5):
        wanted = np.array(colour[::-1]) > 0
        weights[row], biases[row] = np.where(wanted, 40, -80), 20 - 40 * wanted.sum()
    kernel = np.ones((1, 1, CELL, CELL), np.float32) * weights[:, :, None, None] / CELL**2
    save_weights(folder / "my.weights", Header(), [LayerWeights(biases, np.asarray(kernel, np.float32))])
    (folder / "my.names").write_text("\n".join((*PAINTS, "")), encoding="utf-8")
    return cfg, folder / "my.weights", folder / "my.names"


def painted(*cells: tuple[str, int, int]) -> NDArray[np.uint8]:
    """Draw a dark picture of 416 x 416 px with coloured cells: (class, column, row)."""
    image = np.zeros((416, 416, 3), np.uint8)
    for name, column, row in cells:
        image[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = PAINTS[name]
    return image
