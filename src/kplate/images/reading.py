"""Reading pictures, good and bad, of every common kind.

Pillow reads every header. TurboJPEG decodes ordinary JPEG files, which is the fast case; Pillow decodes
whatever is out of the ordinary.
"""

import importlib
import io
import os
import re
import stat
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
import PIL.Image

from kplate.errors import ImageError
from kplate.files import StrPath, printable, reason_of
from kplate.images import jpeg, png
from kplate.images.basics import Image, Refusal

#: Pictures of more pixels are refused from their header: 64 megapixels are 192 MB of memory once decoded,
#: and more than any camera that photographs plates has.
MAX_PIXELS: Final = 64_000_000

_JPEG: Final = "JpegImagePlugin.JpegImageFile"
_PNG: Final = "PngImagePlugin.PngImageFile"
#: Which Pillow reader takes a file, by the bytes it begins with. A list of our own keeps away from
#: Pillow's rarer readers, some of which start other programs.
_READERS: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = (
    (re.compile(rb"\xff\xd8\xff"), _JPEG),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _PNG),
    (re.compile(rb"GIF8[79]a"), "GifImagePlugin.GifImageFile"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebPImagePlugin.WebPImageFile"),
    (re.compile(rb"BM"), "BmpImagePlugin.BmpImageFile"),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), "TiffImagePlugin.TiffImageFile"),
    (re.compile(rb"P[1-6]\s"), "PpmImagePlugin.PpmImageFile"),
    (re.compile(rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"), "Jpeg2KImagePlugin.Jpeg2KImageFile"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "AvifImagePlugin.AvifImageFile"),
)
_HEIC: Final = re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL)
_READABLE: Final = "JPEG, PNG, GIF, WebP, BMP, TIFF, PPM, JPEG 2000 and AVIF"
#: EXIF tag that says how the camera was held.
_ORIENTATION: Final = 0x0112

# Pillow warns on standard error about EXIF blocks and tags that it cannot read. They are passed over here,
# and what matters comes as an error.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


def read_image(path: StrPath, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture as it is displayed.

    EXIF turns are applied, transparency is laid over white, 16-bit samples are scaled to 8, grey and
    CMYK become BGR, and of an animation or a multi-page file the first picture is taken. What the file
    is follows from its content, not from its name.

    Args:
        path: The file.
        max_pixels: Larger pictures are refused before they are decoded.

    Returns:
        uint8, H x W x 3, BGR.

    Raises:
        ImageError: The file is missing, empty, truncated, damaged, too large or no picture.
    """
    name = printable(path)
    try:
        with _open_file(path) as file:
            return _decode(file, max_pixels)
    except Refusal as refusal:
        raise ImageError(f"cannot read {name}: {refusal}", os.fspath(path)) from None
    except OSError as error:
        raise ImageError(f"cannot read {name}: {reason_of(error)}", os.fspath(path)) from error
    except MemoryError:
        raise ImageError(f"cannot read {name}: not enough memory", os.fspath(path)) from None


def as_image(image: Image | StrPath) -> Image:
    """Return a picture from a picture or a path.

    Args:
        image: A path, which is read, or a uint8 array, H x W x 3, BGR, which is checked.

    Returns:
        uint8, H x W x 3, BGR, contiguous; the very array that came in where it is that already.

    Raises:
        ImageError: The file cannot be read, or the array has another shape or type, or no pixels.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    if not isinstance(image, np.ndarray):
        raise ImageError(f"a picture must be a path or a NumPy array, not {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        shape = "x".join(map(str, image.shape)) or "scalar"
        raise ImageError(f"a picture must be a uint8 array of HxWx3 (BGR), not {image.dtype} of {shape}")
    if image.size == 0:
        raise ImageError(f"the picture has no pixels ({image.shape[1]}x{image.shape[0]})")
    return np.ascontiguousarray(image)


def _open_file(path: StrPath) -> BinaryIO:
    """Open an ordinary, not empty file; never wait for a pipe or read a device."""
    if not os.fspath(path):
        raise Refusal("the name is empty")
    try:
        status = Path(path).stat()
    except ValueError as error:  # a null byte in the name
        raise Refusal(str(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise Refusal("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise Refusal("it is not an ordinary file")
    if status.st_size == 0:
        raise Refusal("the file is empty")
    return Path(path).open("rb")


def _decode(file: BinaryIO, max_pixels: int) -> Image:
    head = file.read(32)
    file.seek(0)
    reader = next((reader for magic, reader in _READERS if magic.match(head)), None)
    if reader is None:
        if _HEIC.match(head):
            raise Refusal("HEIC pictures are not read; save the picture as JPEG")
        raise Refusal(f"it is not a picture, or not of a kind that is read ({_READABLE})")
    picture = _header(reader, file)
    width, height = picture.size
    if width < 1 or height < 1:
        raise Refusal(f"the picture has no pixels ({width}x{height})")
    if width * height > max_pixels:
        raise Refusal(
            f"{width}x{height} pixels are {width * height / 1e6:.0f} megapixels, "
            f"more than the {max_pixels / 1e6:.0f} that are read"
        )
    if reader in (_JPEG, _PNG):  # Pillow lets damage pass in these two
        file.seek(0)
        data = file.read()
        if reader == _JPEG:
            data = jpeg.check(data)
            pixels = jpeg.decode(data)
            if pixels is not None and picture.mode in ("RGB", "L"):
                return _turn(pixels, _orientation(picture))
        else:
            png.check(data)
        picture = _header(reader, io.BytesIO(data))
    return _decode_with_pillow(picture)


def _header(reader: str, file: BinaryIO) -> Any:
    """Let Pillow read a header.

    The reader's class is called directly, not ``PIL.Image.open``: that one warns on standard error about
    large pictures, and this module has a limit and a message of its own.
    """
    module, name = reader.split(".")
    try:
        return getattr(importlib.import_module(f"PIL.{module}"), name)(file)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise a dozen types on damaged files
        raise _damage(error) from error


def _damage(error: Exception) -> Refusal:
    text = " ".join(str(error).split()) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return Refusal("the file is truncated")
    if isinstance(error, SyntaxError) and "not identified" in text:
        return Refusal("the file is damaged, or truncated within its header")
    return Refusal(f"the file is damaged ({text})")


def _decode_with_pillow(picture: Any) -> Image:
    try:
        picture.load()
        pixels = _bgr(picture)
        # TIFF pictures come turned already and have lost the tag by now, so this is asked after loading.
        return _turn(pixels, _orientation(picture))
    except (Refusal, MemoryError):
        raise
    except Exception as error:  # as above
        raise _damage(error) from error


def _bgr(picture: Any) -> Image:
    """Turn a loaded Pillow picture of any mode into BGR."""
    mode: str = picture.mode
    if mode.startswith("I;16") or (mode == "I" and picture.format in ("PNG", "PPM")):
        wide = np.asarray(picture).astype(np.uint32).clip(0, 65535)
        grey = ((wide + 128) // 257).astype(np.uint8)
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if mode in ("I", "F", "LAB"):
        raise Refusal("pictures with 32 bits a sample or in Lab colours are not read")
    if picture.has_transparency_data or mode in ("RGBa", "La"):
        rgba = picture.convert("RGBA")
        picture = PIL.Image.new("RGB", rgba.size, "white")
        picture.paste(rgba, mask=rgba.getchannel("A"))
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"), np.uint8)[..., ::-1])


def _orientation(picture: Any) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or it makes no sense."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block does not spoil the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turn(image: Image, orientation: int) -> Image:
    """Apply an EXIF orientation (CIPA DC-008, 4.6.5): where the stored first row and column belong."""
    if orientation == 1:
        return image
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
