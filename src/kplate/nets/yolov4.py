"""The networks of YOLOv4 and YOLOv4-tiny as `.cfg` files, written from what their papers say.

A. Bochkovskiy, C.-Y. Wang, H.-Y. M. Liao, "YOLOv4", 2020 (CSPDarknet53, spatial pyramid pooling, path
aggregation), and "Scaled-YOLOv4", 2021, for the tiny one. Layers stand in Darknet's order, so that weights
trained elsewhere on other classes can be started from. `python -m kplate.nets.yolov4` writes both files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kplate.files import write_atomic

#: Classes of kplate's own networks: car, license_plate, disabled_sticker.
CLASSES: Final = 3
#: k-means of the boxes that kplate's detector learns from (`kplate train detector --anchors`), px of the
#: input: 416 x 416 for the tiny network, 608 x 608 for the other.
TINY_ANCHORS: Final = ((11, 6), (23, 12), (41, 27), (67, 53), (140, 101), (324, 214))
ANCHORS: Final = (
    *((11, 6), (19, 9), (31, 16)),
    *((47, 28), (66, 52), (114, 71)),
    *((148, 130), (276, 191), (502, 332)),
)
_ANCHORS_A_HEAD: Final = 3
_FOLDER: Final = Path(__file__).parent / "cfg"


class _Writer:
    """Sections of a `.cfg`, one after the other."""

    def __init__(self, title: str, anchors: Sequence[tuple[int, int]]) -> None:
        self._parts, self._note = [title], ""
        self._anchors = anchors
        self.layers = 0

    def section(self, kind: str, **options: int | float | str) -> None:
        """Adds a section."""
        lines = [f"[{kind}]", *(f"{key}={value}" for key, value in options.items())]
        self._parts.append(self._note + "\n".join(lines))
        self._note = ""
        self.layers += kind != "net"

    def note(self, text: str) -> None:
        """Adds a comment above the next section, with the number of its layer."""
        self._note = f"# {self.layers}: {text}\n"

    def conv(self, filters: int, size: int, activation: str, stride: int = 1) -> None:
        """Adds a normalised convolution."""
        self.section("convolutional", batch_normalize=1, filters=filters, size=size, stride=stride, pad=1,
                     activation=activation)  # fmt: skip

    def route(self, *layers: int, **more: int) -> None:
        """Adds a route."""
        self.section("route", layers=",".join(map(str, layers)), **more)

    def head(self, mask: Sequence[int], scale: float) -> None:
        """Adds the convolution that gives the raw numbers, and what they mean."""
        self.section("convolutional", filters=_ANCHORS_A_HEAD * (5 + CLASSES), size=1, stride=1, pad=1,
                     activation="linear")  # fmt: skip
        self.section(
            "yolo",
            mask=",".join(map(str, mask)),
            anchors=", ".join(f"{width},{height}" for width, height in self._anchors),
            classes=CLASSES,
            num=len(self._anchors),
            scale_x_y=scale,
        )

    def text(self) -> str:
        """The whole file."""
        return "\n\n".join(self._parts) + "\n"


def yolov4_tiny() -> str:
    """YOLOv4-tiny: three blocks of partial connections, heads at 1/32 and 1/16."""
    cfg = _Writer("# YOLOv4-tiny for kplate's classes; written by kplate.nets.yolov4.", TINY_ANCHORS)
    cfg.section("net", width=416, height=416, channels=3)
    cfg.note("stem, to 1/4")
    cfg.conv(32, 3, "leaky", 2)
    cfg.conv(64, 3, "leaky", 2)
    for filters in (64, 128, 256):
        cfg.note(
            f"half of {filters} channels goes through two convolutions, then everything at half the size"
        )
        cfg.conv(filters, 3, "leaky")
        cfg.route(-1, groups=2, group_id=1)
        cfg.conv(filters // 2, 3, "leaky")
        cfg.conv(filters // 2, 3, "leaky")
        cfg.route(-1, -2)
        cfg.conv(filters, 1, "leaky")
        finer = cfg.layers - 1
        cfg.route(-6, -1)
        cfg.section("maxpool", size=2, stride=2)
    cfg.conv(512, 3, "leaky")
    cfg.note("head at 1/32")
    cfg.conv(256, 1, "leaky")
    cfg.conv(512, 3, "leaky")
    cfg.head((3, 4, 5), 1.05)
    cfg.note("head at 1/16")
    cfg.route(-4)
    cfg.conv(128, 1, "leaky")
    cfg.section("upsample", stride=2)
    cfg.route(-1, finer)
    cfg.conv(256, 3, "leaky")
    cfg.head((0, 1, 2), 1.05)
    return cfg.text()


def _partial_stage(cfg: _Writer, filters: int, blocks: int) -> int:
    """A stage of CSPDarknet53 at half the size of what is before it; gives its last layer."""
    first = blocks == 1  # the first stage keeps its width in both branches
    half = filters if first else filters // 2
    cfg.note(f"stage of {blocks} residual blocks, {filters} channels")
    cfg.conv(filters, 3, "mish", 2)
    cfg.conv(half, 1, "mish")
    cfg.route(-2)
    cfg.conv(half, 1, "mish")
    for _ in range(blocks):
        cfg.conv(half // 2 if first else half, 1, "mish")
        cfg.conv(half, 3, "mish")
        cfg.section("shortcut", **{"from": -3}, activation="linear")
    cfg.conv(half, 1, "mish")
    cfg.route(-1, -(3 * blocks + 4))
    cfg.conv(filters, 1, "mish")
    return cfg.layers - 1


def _five(cfg: _Writer, filters: int) -> int:
    """Five convolutions, narrow and wide in turn; gives the last layer."""
    for size in (1, 3, 1, 3, 1):
        cfg.conv(filters * (2 if size > 1 else 1), size, "leaky")
    return cfg.layers - 1


def yolov4() -> str:
    """YOLOv4: CSPDarknet53, spatial pyramid pooling, path aggregation, heads at 1/8, 1/16 and 1/32."""
    cfg = _Writer("# YOLOv4 for kplate's classes; written by kplate.nets.yolov4.", ANCHORS)
    cfg.section("net", width=608, height=608, channels=3)
    cfg.conv(32, 3, "mish")
    stages = [_partial_stage(cfg, 2**n, blocks) for n, blocks in ((6, 1), (7, 2), (8, 8), (9, 8), (10, 4))]
    cfg.note("spatial pyramid pooling")
    for filters, size in ((512, 1), (1024, 3), (512, 1)):
        cfg.conv(filters, size, "leaky")
    pooled = cfg.layers - 1
    for size in (5, 9, 13):
        cfg.section("maxpool", size=size, stride=1)
        if size < 13:
            cfg.route(pooled - cfg.layers)
    cfg.route(-1, -3, -5, -6)
    for filters, size in ((512, 1), (1024, 3), (512, 1)):
        cfg.conv(filters, size, "leaky")
    ends = [cfg.layers - 1]
    for filters, stage in ((256, stages[3]), (128, stages[2])):
        cfg.note("up, beside the stage of this size")
        cfg.conv(filters, 1, "leaky")
        cfg.section("upsample", stride=2)
        cfg.route(stage)
        cfg.conv(filters, 1, "leaky")
        cfg.route(-1, -3)
        ends.append(_five(cfg, filters))
    for level, (filters, scale) in enumerate(((128, 1.2), (256, 1.1), (512, 1.05))):
        if level:
            cfg.note("down again")
            cfg.route(-4)
            cfg.conv(filters, 3, "leaky", 2)
            cfg.route(-1, ends[2 - level] - cfg.layers)
            _five(cfg, filters)
        cfg.note(f"head at 1/{8 * 2**level}")
        cfg.conv(2 * filters, 3, "leaky")
        cfg.head(range(3 * level, 3 * level + 3), scale)
    return cfg.text()


NETWORKS: Final = {"yolov4-tiny": yolov4_tiny, "yolov4": yolov4}


def main() -> None:
    """Writes the files."""
    for name, write in NETWORKS.items():
        write_atomic(_FOLDER / f"{name}.cfg", write().encode())


if __name__ == "__main__":
    main()
