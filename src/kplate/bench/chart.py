"""The times as a picture: one bar a row, from a common zero in each group."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from kplate.bench.cases import Case
from kplate.images import Image

_WIDTH: Final = 1000
_LEFT: Final = 380
_RIGHT: Final = 130
_ROW: Final = 24
_HEAD: Final = 34
_TEXT: Final = 14
_INK: Final = (36, 41, 47)
_FAINT: Final = (110, 119, 129)
_COLOURS: Final = {
    "float32": (31, 111, 235),
    "float16": (26, 127, 55),
    "bfloat16": (26, 127, 55),
    "int8": (191, 86, 0),
}
#: Px of the input from which further networks count as detectors; narrower ones read plates.
_LEAST_OF_DETECTORS: Final = 96
_OTHER: Final = (130, 80, 223)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_chart(cases: Sequence[Case], title: str) -> Image:
    """Draw the median of each case as a bar, and the range of the middle 80 % of its times as a line.

    Args:
        cases: Measured; one group a kind, in their order.
        title: Above all.

    Returns:
        uint8 H x W x 3, BGR.
    """
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(_group(case), []).append(case)
    height = 2 * _HEAD + sum(_HEAD + _ROW * len(group) for group in groups.values())
    picture = Pillow.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(picture)
    bold, plain = ImageFont.load_default(_TEXT + 3), ImageFont.load_default(_TEXT)
    draw.text((16, 12), title, _INK, bold)
    top = _HEAD + 8
    for name, group in groups.items():
        draw.text((16, top + 8), name, _INK, bold)
        top += _HEAD
        longest = max(case.timing.quantile(0.9) for case in group if case.timing)
        for case in group:
            _bar(draw, case, top, longest, plain)
            top += _ROW
    return np.asarray(picture, np.uint8)[:, :, ::-1].copy()


def _group(case: Case) -> str:
    if case.what == "whole way":
        return f"whole way: a picture of {case.size[0]}x{case.size[1]} with three plates"
    reads = case.what == "reader" or min(case.size) < _LEAST_OF_DETECTORS
    return "readers: one plate" if reads else "detectors: one picture, the network alone"


def _bar(draw: ImageDraw.ImageDraw, case: Case, top: int, longest: float, font: Font) -> None:
    assert case.timing
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    middle = top + _ROW // 2 - 2
    own = case.what in ("detector", "reader", "whole way")
    name = " ".join(
        part
        for part in (
            "kplate" if own else case.what,
            case.engine or case.runtime.split()[0],
            case.precision,
            f"{case.size[0]}x{case.size[1]}" if case.what != "whole way" else "",
            f"{case.threads} thread{'s' if case.threads > 1 else ''}",
        )
        if part
    )
    draw.text((_LEFT - 10, middle), name, _INK, font, anchor="rm")
    end = _LEFT + case.timing.median * scale
    draw.rectangle(
        (_LEFT, top + 2, end, top + _ROW - 6), _COLOURS.get(case.precision, _OTHER) if own else _FAINT
    )
    low, high = (_LEFT + case.timing.quantile(share) * scale for share in (0.1, 0.9))
    draw.line((low, middle, high, middle), _INK, 1)
    draw.text((max(end, high) + 8, middle), f"{case.timing.median:.2f} ms", _INK, font, anchor="lm")
