"""JPEG files: sound ones that decoders remark on, and damage that decoders pass over."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from kplate.errors import ImageError
from kplate.images import Image, read_image

from .pictures import assert_close, pillow_picture, refusal

END = b"\xff\xd9"


def photograph() -> Pillow.Image:
    """A picture with enough detail that its data outweigh its header."""
    noise = np.random.default_rng(3).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    return Pillow.fromarray(cv2.GaussianBlur(noise, (0, 0), 1.5))


def encoded(image: Pillow.Image | None = None, **options: Any) -> bytes:
    data = io.BytesIO()
    (image or photograph()).save(data, "JPEG", **{"quality": 90, **options})
    return data.getvalue()


def decoded(data: bytes) -> Image:
    """What Pillow makes of it."""
    return np.ascontiguousarray(np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))[..., ::-1])


def scan_of(data: bytes) -> int:
    """Where the compressed data begin."""
    start = data.index(b"\xff\xda")
    return start + 2 + int.from_bytes(data[start + 2 : start + 4])


def written(folder: Path, data: bytes) -> Path:
    path = folder / "a.jpg"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": 0},
        {"subsampling": 1},
        {"keep_rgb": True},
        {"restart_marker_blocks": 3},
        {"quality": 10},
    ],
    ids=str,
)
def test_the_fast_way_sees_what_pillow_sees(tmp_path: Path, options: dict[str, Any]) -> None:
    data = encoded(**options)
    assert_close(read_image(written(tmp_path, data)), decoded(data), 2)


def test_grey_becomes_three_channels(tmp_path: Path) -> None:
    data = encoded(pillow_picture("L"))
    assert_close(read_image(written(tmp_path, data)), decoded(data), 2)


def with_stray_bytes(data: bytes) -> bytes:
    table = data.index(b"\xff\xdb")
    return data[:table] + b"\1\2\3\4\5" * 200 + data[table:]


def with_stray_bytes_before_restarts(data: bytes) -> bytes:
    first = data.index(b"\xff\xd0", scan_of(data))
    return data[:first] + b"\x12\x34\x56" + data[first:]


#: What some cameras do and decoders remark on.
REMARKABLE: dict[str, Callable[[bytes], bytes]] = {
    "stray bytes between segments": with_stray_bytes,
    "fill bytes before a segment": lambda data: data[:2] + b"\xff" * 40 + data[2:],
    "some bytes before the end": lambda data: data[:-2] + b"\1\2\3\4\5\6\7" + END,
    "padding before the end": lambda data: data[:-2] + bytes(5000) + END,
    "bytes after the end": lambda data: data + b"MPF\xff\xd8\xff" + bytes(99),
    "a thumbnail after the end": lambda data: data + data,
    "some bytes before a restart": with_stray_bytes_before_restarts,
    "unknown JFIF revision": lambda data: data.replace(b"JFIF\0\1", b"JFIF\0\7"),
}


@pytest.mark.parametrize("name", REMARKABLE)
def test_sound_files_that_decoders_remark_on_are_read(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(restart_marker_rows=4)
    odd = REMARKABLE[name](data)
    assert odd != data
    assert_close(read_image(written(tmp_path, odd)), decoded(data), 2)
    assert capfd.readouterr() == ("", "")


def with_shifted_bits(data: bytes) -> bytes:
    """Take out a quarter of the compressed data: all codes are good, but too many are missing."""
    start = scan_of(data)
    quarter = (len(data) - start) // 4
    return data[: start + quarter] + data[start + 2 * quarter :]


def with_extra_data(data: bytes) -> bytes:
    start = scan_of(data)
    middle = (start + len(data)) // 2
    return data[:middle] + data[middle - 500 : middle] + data[middle:]


def with_bad_codes(data: bytes) -> bytes:
    """Sixteen ones are no code of any Huffman table; each FF is followed by its stuffing."""
    middle = (scan_of(data) + len(data)) // 2
    return data[:middle] + b"\xff\0" * 40 + data[middle + 80 :]


def without_restart(data: bytes) -> bytes:
    second = data.index(b"\xff\xd1", scan_of(data))
    return data[:second] + data[second + 2 :]


#: Damage -> what is done to a file, and a word of the message.
DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut short but ended": (lambda data: data[: len(data) // 2] + END, "premature end"),
    "a part is missing": (with_shifted_bits, "premature end"),
    "a part is there twice": (with_extra_data, "left over"),
    "bad codes": (with_bad_codes, "damaged"),
    "zeros": (lambda data: data[: len(data) // 2] + bytes(600) + data[len(data) // 2 + 600 :], "damaged"),
}


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_data_are_refused(
    tmp_path: Path, name: str, progressive: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    damage, word = DAMAGE[name]
    message = refusal(written(tmp_path, damage(encoded(progressive=progressive))))
    assert "the file is damaged" in message
    assert progressive or word in message
    assert capfd.readouterr() == ("", "")


def test_a_lost_restart_marker_is_damage(tmp_path: Path) -> None:
    data = without_restart(encoded(restart_marker_rows=4))
    assert "damaged" in refusal(written(tmp_path, data))


def test_stray_bytes_in_the_header_hide_no_damage(tmp_path: Path) -> None:
    data = with_stray_bytes(with_extra_data(encoded()))
    assert "left over" in refusal(written(tmp_path, data))


def test_damaged_cmyk_is_refused(tmp_path: Path) -> None:
    data = encoded(photograph().convert("CMYK"))
    assert read_image(written(tmp_path, data)).shape == (240, 320, 3)
    assert "damaged" in refusal(written(tmp_path, data[: len(data) // 2] + END))


def test_most_overwritten_data_are_noticed(tmp_path: Path) -> None:
    """JPEG has no checksum: a change that decodes to as many blocks as before looks like a picture."""
    rng = np.random.default_rng(5)
    whole = np.frombuffer(encoded(), np.uint8)
    start, refused = scan_of(whole.tobytes()), 0
    for _ in range(60):
        data = whole.copy()
        at = int(rng.integers(start, len(data) - 300))
        data[at : at + 256] = rng.integers(0, 256, 256)
        try:
            assert read_image(written(tmp_path, data.tobytes())).shape == (240, 320, 3)
        except ImageError:
            refused += 1
    assert refused > 45
