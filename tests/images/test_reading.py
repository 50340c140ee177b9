"""Good pictures of every kind, and arrays in place of files."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from kplate.errors import ImageError, KplateError
from kplate.images import as_image, read_image

from .pictures import assert_close, picture, pillow_picture, saved

# Pillow's warnings about damaged tags, which kplate.images silences; pytest turns them on again.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".gif", ".webp", ".bmp", ".tiff", ".ppm", ".jp2", ".avif"]
)
def test_every_kind_is_read(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"a{suffix}", quality=90)
    found = read_image(path)
    assert found.shape == (64, 96, 3)
    # GIF, AVIF and JPEG change colours a little.
    assert np.abs(found.astype(int) - picture().astype(int)).mean() < 4


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    saved(path, format="PNG")
    assert_close(read_image(path), picture(), 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_exif_turns(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"turned{suffix}", exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Pillow.open(path)).convert("RGB")
    wanted = np.asarray(upright)[..., ::-1]
    assert wanted.shape[:2] == ((96, 64) if orientation >= 5 else (64, 96))
    assert_close(read_image(path), np.ascontiguousarray(wanted))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_exif_turn_that_makes_no_sense_is_passed_over(tmp_path: Path, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    assert_close(read_image(path), picture(), 6)


def test_a_broken_exif_block_does_not_spoil_the_picture(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(9), quality=95, subsampling=0
    )
    assert_close(read_image(path), picture(), 6)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff"])
def test_grey(tmp_path: Path, suffix: str) -> None:
    grey = pillow_picture("L")
    wanted = np.repeat(np.asarray(grey)[..., None], 3, axis=2)
    assert_close(read_image(saved(tmp_path / f"grey{suffix}", grey)), wanted)


def test_black_and_white(tmp_path: Path) -> None:
    two = pillow_picture("1")
    wanted = np.repeat(np.asarray(two.convert("L"))[..., None], 3, axis=2)
    assert_close(read_image(saved(tmp_path / "two.png", two)), wanted, 0)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_transparency_lies_over_white(tmp_path: Path, suffix: str) -> None:
    rgba = np.dstack([picture()[..., ::-1], np.full((64, 96), 255, np.uint8)])
    rgba[:20, :, 3] = 0
    rgba[20:40, :, 3] = 128
    found = read_image(saved(tmp_path / f"alpha{suffix}", Pillow.fromarray(rgba), lossless=True))
    wanted = picture()
    wanted[:20] = 255
    wanted[20:40] = np.round(wanted[20:40] * (128 / 255) + 255 * (127 / 255))
    assert_close(found, wanted, 1)


def test_transparent_palette_and_grey_lie_over_white(tmp_path: Path) -> None:
    palette = Pillow.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    path = saved(tmp_path / "palette.png", palette, transparency=1)
    assert read_image(path)[0, 0].tolist() == [255, 255, 255]
    grey = Pillow.new("LA", (8, 8), (100, 0))
    assert read_image(saved(tmp_path / "grey.png", grey))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_is_scaled_to_8(tmp_path: Path, suffix: str, channels: int) -> None:
    eight = cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY) if channels == 1 else picture()
    wide = eight.astype(np.uint16) * 257
    if channels == 4:
        wide = np.dstack([wide, np.full(wide.shape[:2], 65535, np.uint16)])
    path = tmp_path / f"deep{suffix}"
    assert cv2.imwrite(str(path), wide)
    wanted = np.repeat(eight[..., None], 3, axis=2) if channels == 1 else eight
    assert_close(read_image(path), np.ascontiguousarray(wanted), 1)


def test_big_endian_16_bit_tiff(tmp_path: Path) -> None:
    samples = np.full((4, 4), 0x8040, ">u2")
    path = saved(tmp_path / "deep.tiff", Pillow.frombytes("I;16B", (4, 4), samples.tobytes()))
    assert read_image(path)[0, 0].tolist() == [0x80] * 3


@pytest.mark.parametrize("suffix", [".jpg", ".tiff"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"print{suffix}", pillow_picture("CMYK"), quality=95)
    assert_close(read_image(path), picture(), 12)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tiff"])
def test_of_an_animation_the_first_picture_is_read(tmp_path: Path, suffix: str) -> None:
    others = [Pillow.new("RGB", (96, 64), colour) for colour in ("red", "lime")]
    first = Pillow.new("RGB", (96, 64), (0, 0, 255))
    path = saved(tmp_path / f"moving{suffix}", first, save_all=True, append_images=others)
    found = read_image(path)
    assert np.abs(found.astype(int) - np.array([255, 0, 0])).max() <= 3


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 4000), (30000, 2), (60000, 1)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_extreme_shapes(tmp_path: Path, width: int, height: int, suffix: str) -> None:
    path = saved(tmp_path / f"thin{suffix}", Pillow.new("RGB", (width, height), "white"))
    assert read_image(path).shape == (height, width, 3)


def test_as_image_takes_paths_and_arrays(tmp_path: Path) -> None:
    image = picture()
    assert as_image(image) is image
    assert_close(as_image(str(saved(tmp_path / "a.png"))), image, 0)
    assert_close(as_image(image[:, ::-1]), np.ascontiguousarray(image[:, ::-1]), 0)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.zeros((4, 4), np.uint8), "uint8 of 4x4"),
        (np.zeros((4, 4, 4), np.uint8), "4x4x4"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.uint8(3), "uint8"),
        (None, "NoneType"),
        ([[1, 2, 3]], "list"),
    ],
)
def test_as_image_refuses_what_is_no_picture(bad: Any, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        as_image(bad)
    assert caught.value.path is None
    assert isinstance(caught.value, KplateError)
