"""Reading, finding and writing pictures, above all bad ones."""

import io
import os
import struct
import time
import unicodedata
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from kplate.errors import ImageError, KplateError, OutputError
from kplate.images import Image, as_image, find_images, read_image, write_image

# Pillow's warnings about damaged tags, which kplate.images silences; pytest turns them on again.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")


def picture(width: int = 96, height: int = 64) -> Image:
    """A smooth picture that looks different in every orientation."""
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    planes = [255 * x * (1 - y), 255 * y + 0 * x, 255 * (1 - x) * np.ones_like(y)]
    return np.stack(planes, axis=-1).round().astype(np.uint8)


def pillow_picture(mode: str = "RGB") -> Pillow.Image:
    return Pillow.fromarray(np.ascontiguousarray(picture()[..., ::-1])).convert(mode)


def saved(path: Path, image: Pillow.Image | None = None, **options: Any) -> Path:
    (image or pillow_picture()).save(path, **options)
    return path


def assert_close(found: Image, wanted: Image, tolerance: int = 4) -> None:
    assert found.shape == wanted.shape
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= tolerance


def refusal(path: Path | str) -> str:
    """Read a bad picture and return the message, which must be one line that names the file."""
    with pytest.raises(ImageError) as caught:
        read_image(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("cannot read ")
    assert caught.value.path == str(path)
    return message


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
    printed = capfd.readouterr()
    assert printed.out == ""
    assert suffix == ".jpg" or printed.err == ""  # OpenCV's JPEG decoder remarks on odd but whole files


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (100_000, 100_000), (2**31 - 1, 3)])
def test_huge_pictures_are_refused_from_their_header(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(width, height))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = time.perf_counter()
        message = refusal(path)
    assert time.perf_counter() - start < 0.5
    assert f"{width}x{height}" in message
    assert "megapixels" in message


def test_a_huge_jpeg_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = bytearray(saved(tmp_path / "a.jpg").read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 10_000, 10_000)
    path = tmp_path / "huge.jpg"
    path.write_bytes(data)
    assert "100 megapixels, more than the 64" in refusal(path)


def test_the_limit_is_an_argument(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")
    assert read_image(path, max_pixels=96 * 64).shape == (64, 96, 3)
    with pytest.raises(ImageError, match="megapixels"):
        read_image(path, max_pixels=96 * 64 - 1)


def test_a_picture_without_pixels(tmp_path: Path) -> None:
    path = tmp_path / "none.png"
    path.write_bytes(png_header(0, 10))
    assert any(word in refusal(path) for word in ("no pixels", "damaged"))
    path = tmp_path / "none.gif"
    path.write_bytes(b"GIF89a\0\0\0\0\0\0\0;")
    refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", "the file is empty"),
        ("zeros.jpg", bytes(1000), "not a picture"),
        ("notes.txt", "차 번호".encode(), "not a picture"),
        ("page.html", b"<html></html>", "not a picture"),
        ("film.mp4", b"\0\0\0\x20ftypisom" + bytes(100), "not a picture"),
        ("phone.heic", b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        ("start.jpg", b"\xff\xd8\xff", "damaged, or truncated"),
        ("start.png", b"\x89PNG\r\n\x1a\n", "damaged"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(path)
    assert name in message
    assert reason in message


def test_missing_files_folders_and_odd_names(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.jpg")
    assert "it is a folder" in refusal(tmp_path)
    assert "name is empty" in refusal("")
    assert "null" in refusal("a\0b.jpg")
    assert "not an ordinary file" in refusal("/dev/null")
    assert "too long" in refusal("x" * 5000)
    assert r"two\nlines.jpg" in refusal(tmp_path / "two\nlines.jpg")


def test_a_name_that_is_no_utf8_can_be_printed(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    message = refusal(name)
    message.encode()
    assert r"caf\udce9.jpg" in message
    try:
        Path(name).write_bytes(saved(tmp_path / "a.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert read_image(name).shape == (64, 96, 3)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read all")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")
    path.chmod(0)
    assert "permission denied" in refusal(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not an ordinary file" in refusal(tmp_path / "pipe.jpg")


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


def names(paths: list[str], folder: Path) -> list[str]:
    """What is found: relative paths, and errors as their text."""
    found = find_images(paths)
    return [str(one) if isinstance(one, ImageError) else one.relative_to(folder).as_posix() for one in found]


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def test_a_folder_is_searched_deeply_in_order_and_any_case(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b.JPG",
        "a.png",
        "z/2.webp",
        "z/1.JpEg",
        "c/x/y.tif",
        "notes.txt",
        ".hidden.jpg",
        ".git/a.jpg",
    )
    assert names([str(tmp_path)], tmp_path) == ["a.png", "b.JPG", "c/x/y.tif", "z/1.JpEg", "z/2.webp"]


def test_problems_are_told_per_argument_and_the_rest_goes_on(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "none/notes.txt", "b.png")
    arguments = [str(tmp_path / name) for name in ("a.jpg", "gone.jpg", "none", "*.bmp", "b.png")]
    first, missing, empty, unmatched, last = names(arguments, tmp_path)
    assert (first, last) == ("a.jpg", "b.png")
    assert missing == f"cannot read {arguments[1]}: no such file or folder"
    assert empty == f"cannot read {arguments[2]}: the folder holds no pictures"
    assert unmatched == f"cannot read {arguments[3]}: nothing matches"
    assert [type(one).__name__ for one in find_images(["", "a\0b*"])] == ["ImageError", "ImageError"]


def test_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.jpg", "3.png", "notes.txt", "d/4.jpg", "d/e/5.jpg", "주차장/번호 6.jpg")
    assert names([str(tmp_path / "*.jpg")], tmp_path) == ["1.jpg", "2.jpg"]
    assert names([str(tmp_path / "[13].*")], tmp_path) == ["1.jpg", "3.png"]
    assert names([str(tmp_path / "**/*.jpg")], tmp_path) == [
        "1.jpg", "2.jpg", "d/4.jpg", "d/e/5.jpg", "주차장/번호 6.jpg",
    ]  # fmt: skip
    assert names([str(tmp_path / "주차장/번호*")], tmp_path) == ["주차장/번호 6.jpg"]
    assert names([str(tmp_path / "d*")], tmp_path) == ["d/4.jpg", "d/e/5.jpg"]
    assert "notes.txt" not in names([str(tmp_path / "*")], tmp_path)
    assert names([str(tmp_path / "*.txt")], tmp_path) == ["notes.txt"]


def test_a_name_with_brackets_is_a_name_before_it_is_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "car[1].jpg", "car1.jpg", "lot[2]/a.jpg")
    assert names([str(tmp_path / "car[1].jpg")], tmp_path) == ["car[1].jpg"]
    assert names([str(tmp_path / "lot[2]")], tmp_path) == ["lot[2]/a.jpg"]


def test_a_picture_named_twice_is_found_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    arguments = [str(tmp_path / "b.jpg"), str(tmp_path), str(tmp_path / "*.jpg")]
    assert names(arguments, tmp_path) == ["b.jpg", "a.jpg"]


def test_hangul_names_are_found_composed_and_decomposed(tmp_path: Path) -> None:
    stored = unicodedata.normalize("NFD", "차량.jpg")
    touch(tmp_path, stored)
    assert names([str(tmp_path / unicodedata.normalize("NFC", "차량.jpg"))], tmp_path) == [stored]


def test_written_pictures_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "번호판 52주3108.png"
    write_image(path, picture())
    assert_close(read_image(path), picture(), 0)
    write_image(tmp_path / "a.JPG", picture())
    assert_close(read_image(tmp_path / "a.JPG"), picture(), 6)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.JPG", path.name]


def test_unwritable_output(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for path, reason in [
        (tmp_path / "missing" / "a.png", "no such file"),
        (tmp_path / "folder.png", "a folder has this name"),
        (tmp_path / "file" / "a.png", "not a directory"),
        (tmp_path / "a.xyz", r"\.xyz"),
        (tmp_path / "name", "suffix"),
    ]:
        with pytest.raises(OutputError, match=reason) as caught:
            write_image(path, picture())
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="70000x1 pixels"):
        write_image(tmp_path / "long.jpg", np.zeros((1, 70000, 3), np.uint8))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder.png"]


def test_devices_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    link = tmp_path / "null.png"
    if not Path("/dev/null").exists():
        pytest.skip("no /dev/null here")
    link.symlink_to("/dev/null")
    write_image(link, picture())
    assert link.is_symlink()
    assert not Path("/dev/null").is_file()


def test_memory_and_file_agree() -> None:
    """The fast way (OpenCV) and the careful way (Pillow) see the same JPEG picture."""
    data = io.BytesIO()
    pillow_picture().save(data, "JPEG", quality=90)
    careful = np.asarray(Pillow.open(data))[..., ::-1]
    fast = cv2.imdecode(np.frombuffer(data.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert_close(np.asarray(fast, np.uint8), np.ascontiguousarray(careful), 2)
