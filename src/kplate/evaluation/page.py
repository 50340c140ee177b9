"""Parts of an HTML report that is one file: tables, and pictures inside the page."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import cv2
import numpy as np

from kplate.files import StrPath, write_atomic
from kplate.images import Image
from kplate.results import Box

#: Width of an embedded whole picture and height of an embedded part, in pixels.
_SCENE_WIDTH: Final = 400
_PART_HEIGHT: Final = 96
#: Widest an embedded part may become, in pixels.
_PART_WIDTH: Final = 480
#: Share of its size by which a box is grown before it is cut out.
_MARGIN: Final = 0.25
_JPEG_QUALITY: Final = 85
#: Colour of the box in a whole picture, BGR.
_MARK: Final = (40, 40, 230)

_STYLE: Final = """
body { font: 15px/1.5 system-ui, "Apple SD Gothic Neo", "Noto Sans KR", sans-serif; margin: 2rem auto;
  max-width: 1100px; padding: 0 1rem; color: #1b1f24; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; } caption { text-align: left; color: #57606a; }
th, td { border-bottom: 1px solid #d0d7de; padding: .3rem .8rem .3rem 0; text-align: left;
  vertical-align: middle; } th { font-weight: 600; }
img { max-width: 100%; border-radius: 3px; display: block; }
.text { font-size: 1.35rem; white-space: nowrap; letter-spacing: .04em; }
mark { background: #ffd0cc; } .none { color: #57606a; }
"""


def write_page(path: StrPath, title: str, parts: Iterable[str]) -> None:
    """Write a page.

    Args:
        path: The file to write.
        title: Its title.
        parts: HTML, one part below the other.

    Raises:
        OutputError: The file cannot be written.
    """
    page = (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n"
        f"<body>\n{''.join(parts)}</body>\n</html>\n"
    )
    write_atomic(path, page.encode())


def section(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a heading with the number of rows, and the table; nothing without rows. Cells are HTML."""
    return f"<h2>{escape(heading)} ({len(rows)})</h2>\n{table(columns, rows)}" if rows else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are HTML."""
    head = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in columns)}</tr>\n" if columns else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table>\n{head}{body}</table>\n"


def part(image: Image) -> str:
    """Return a small picture as HTML, scaled to one height."""
    return _embed(_fit(image, _PART_WIDTH, _PART_HEIGHT))


def scene(image: Image, box: Box | None = None) -> str:
    """Return a whole picture as HTML; where a box is given, what is in it above, and the box drawn in."""
    small = _fit(image, _SCENE_WIDTH, image.shape[0])
    if box is None:
        return _embed(small)
    scale = small.shape[1] / image.shape[1]
    x1, y1, x2, y2 = (round(value * scale) for value in box)
    marked = cv2.rectangle(small.copy(), (x1, y1), (x2, y2), _MARK, 2)
    return part(_cut(image, box)) + _embed(np.asarray(marked, np.uint8))


def _cut(image: Image, box: Box) -> Image:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) * _MARGIN, (y2 - y1) * _MARGIN
    left, top = max(0, int(x1 - dx)), max(0, int(y1 - dy))
    return image[
        top : max(top + 1, min(height, int(y2 + dy))), left : max(left + 1, min(width, int(x2 + dx)))
    ]


def _fit(image: Image, width: int, height: int) -> Image:
    """Scale a picture to the largest size inside the given one, in pixels."""
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8
    )


def _embed(image: Image) -> str:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode("ascii")}">'
