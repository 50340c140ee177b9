"""Truncated and damaged files of every kind."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from kplate.errors import ImageError
from kplate.images import read_image

from .pictures import assert_close, picture, refusal, saved

# Pillow's warnings about damaged tags, which kplate.images silences; pytest turns them on again.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".gif", ".webp", ".bmp", ".tiff", ".ppm", ".jp2", ".avif"]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_truncated_files(
    tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    whole = saved(tmp_path / f"whole{suffix}", Pillow.fromarray(noise)).read_bytes()
    path = tmp_path / f"part{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    message = refusal(path)
    assert any(word in message for word in ("truncated", "damaged", "not a picture")), message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_refused(tmp_path: Path, progressive: bool) -> None:
    whole = saved(tmp_path / "whole.jpg", progressive=progressive).read_bytes()
    path = tmp_path / "part.jpg"
    for end in range(1, len(whole), 7):
        path.write_bytes(whole[:end])
        refusal(path)
    path.write_bytes(whole[:-2])
    assert "truncated" in refusal(path)


def test_a_jpeg_followed_by_other_data_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", quality=95, subsampling=0)
    path.write_bytes(path.read_bytes() + b"SEFHe\xff\xd8\xff" + bytes(100))
    assert_close(read_image(path), picture(), 6)


def test_a_jpeg_with_overwritten_data_is_refused(tmp_path: Path) -> None:
    data = bytearray(saved(tmp_path / "a.jpg", quality=95).read_bytes())
    middle = len(data) * 3 // 4
    data[middle : middle + 64] = bytes.fromhex("ff37") * 32
    path = tmp_path / "b.jpg"
    path.write_bytes(data)
    assert "damaged" in refusal(path)


def test_a_png_with_overwritten_data_is_refused(tmp_path: Path) -> None:
    data = bytearray(saved(tmp_path / "a.png").read_bytes())
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "b.png"
    path.write_bytes(data)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".gif", ".webp", ".bmp", ".tiff", ".ppm", ".jp2", ".avif"]
)
def test_random_damage_gives_a_picture_or_an_image_error(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(7)
    whole = saved(tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"damaged{suffix}"
    for _ in range(100):
        data = np.frombuffer(whole, np.uint8).copy()
        hit = rng.integers(0, min(len(data), 400), 6)
        data[hit] = rng.integers(0, 256, len(hit))
        path.write_bytes(data.tobytes())
        try:
            assert read_image(path).ndim == 3
        except ImageError:
            refusal(path)
    assert capfd.readouterr() == ("", "")
