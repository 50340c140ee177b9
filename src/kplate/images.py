"""Reading pictures safely, finding them, writing them.

A picture is a :data:`Image` everywhere in kplate: ``uint8``, H x W x 3, blue-green-red, as it is displayed
(after the turn that its EXIF tag asks for). OpenCV decodes ordinary JPEG files, which is the fast case;
Pillow reads every header and decodes whatever is out of the ordinary.
"""

import glob
import importlib
import io
import os
import re
import stat
import unicodedata
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from kplate.errors import ImageError, OutputError
from kplate.files import StrPath, printable, reason_of, write_atomic

Image = NDArray[np.uint8]

#: Pictures of more pixels are refused from their header: 64 megapixels are 192 MB of memory once decoded,
#: and more than any camera that photographs plates has.
MAX_PIXELS: Final = 64_000_000

#: Names that are taken for pictures when a folder is searched.
SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif"}
)

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

#: A JPEG marker other than stuffing (00), restarts (D0-D7) and fill bytes (FF): ITU-T T.81, table B.1.
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_END: Final = 0xD9
_JPEG_SEGMENTS: Final = frozenset([*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE])

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
    except _Refusal as refusal:
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


def find_images(paths: Iterable[StrPath]) -> Iterator[Path | ImageError]:
    """Find the pictures that some arguments of a command name.

    * A file is taken whatever its suffix. A name that exists is never a pattern, brackets or not; a name
      that does not exist is also tried composed and decomposed (macOS stores Hangul decomposed).
    * A folder is searched through all its folders for names with a suffix of :data:`SUFFIXES`, in any
      case, in sorted order; hidden names and links to folders are left alone.
    * A pattern (``*``, ``?``, ``[...]``, and ``**`` for any depth) stands for its matches, sorted: folders
      among them are searched, and files with other suffixes are passed over, unless all have such.

    Args:
        paths: Files, folders and patterns.

    Yields:
        Each picture once, in the order of the arguments; for an argument without any, an ImageError.
    """
    seen: set[str] = set()
    for argument in paths:
        empty = True
        for found in _find(os.fspath(argument)):
            empty = False
            if isinstance(found, ImageError):
                yield found
            elif (key := os.path.abspath(found)) not in seen:  # noqa: PTH100 - links stay what they are
                seen.add(key)
                yield found
        if empty:
            name = printable(argument)
            reason = "the folder holds no pictures" if Path(argument).is_dir() else "nothing matches"
            yield ImageError(f"cannot read {name}: {reason}", os.fspath(argument))


def _find(argument: str) -> Iterator[Path | ImageError]:
    spellings = dict.fromkeys([argument, *(unicodedata.normalize(form, argument) for form in ("NFC", "NFD"))])
    for spelling in spellings:
        if spelling and "\0" not in spelling and os.path.lexists(spelling):
            path = Path(spelling)
            yield from _search(path) if path.is_dir() else [path]
            return
    if "\0" in argument or not glob.has_magic(argument):
        reason = "no such file or folder" if argument else "the name is empty"
        yield ImageError(f"cannot read {printable(argument) or repr(argument)}: {reason}", argument)
        return
    found: set[str] = set()
    for spelling in spellings:  # Path.glob takes no absolute patterns
        found.update(glob.iglob(spelling, recursive=True))  # noqa: PTH207
    folders = {path for path in map(Path, found) if path.is_dir()}
    files = {Path(path) for path in found} - folders
    pictures = {path for path in files if path.suffix.lower() in SUFFIXES}
    for path in sorted(folders | (pictures or files)):
        yield from _search(path) if path in folders else [path]


def _search(folder: Path) -> Iterator[Path | ImageError]:
    problems: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122
                yield Path(root, name)
        yield from _denied(problems)
    yield from _denied(problems)


def _denied(problems: list[OSError]) -> Iterator[ImageError]:
    """Report, once, folders that could not be listed."""
    while problems:
        problem = problems.pop()
        path = os.fspath(problem.filename)
        yield ImageError(f"cannot read {printable(path)}: {reason_of(problem)}", path)


def write_image(path: StrPath, image: Image) -> None:
    """Write a picture, all or nothing; the suffix chooses the format.

    Args:
        path: Where to; the folder must exist.
        image: uint8, H x W x 3, BGR.

    Raises:
        OutputError: The suffix is none that can be written, the picture is too large for the format, or
            the file cannot be written.
    """
    name = printable(path)
    suffix = Path(path).suffix.lower()
    if not suffix:
        raise OutputError(f"cannot write {name}: the name needs a suffix such as .jpg or .png")
    try:
        done, data = cv2.imencode(suffix, image, _WRITE_OPTIONS.get(suffix, []))
    except cv2.error:
        done = False
    if not done:
        height, width = image.shape[:2]
        raise OutputError(f"cannot write {name}: {width}x{height} pixels cannot be stored as {suffix}")
    write_atomic(path, data.tobytes())


#: JPEG quality 95 and 4:4:4 keep coloured labels and thin lines free of smears.
_WRITE_OPTIONS: Final = {
    suffix: [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    for suffix in (".jpg", ".jpeg")
}


class _Refusal(Exception):  # noqa: N818 - never leaves this file
    """Why a file is not taken, without its name."""


def _open_file(path: StrPath) -> BinaryIO:
    """Open an ordinary, not empty file; never wait for a pipe or read a device."""
    if not os.fspath(path):
        raise _Refusal("the name is empty")
    try:
        status = Path(path).stat()
    except ValueError as error:  # a null byte in the name
        raise _Refusal(str(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise _Refusal("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise _Refusal("it is not an ordinary file")
    if status.st_size == 0:
        raise _Refusal("the file is empty")
    return Path(path).open("rb")


def _decode(file: BinaryIO, max_pixels: int) -> Image:
    head = file.read(32)
    file.seek(0)
    reader = next((reader for magic, reader in _READERS if magic.match(head)), None)
    if reader is None:
        if _HEIC.match(head):
            raise _Refusal("HEIC pictures are not read; save the picture as JPEG")
        raise _Refusal(f"it is not a picture, or not of a kind that is read ({_READABLE})")
    picture = _header(reader, file)
    width, height = picture.size
    if width < 1 or height < 1:
        raise _Refusal(f"the picture has no pixels ({width}x{height})")
    if width * height > max_pixels:
        raise _Refusal(
            f"{width}x{height} pixels are {width * height / 1e6:.0f} megapixels, "
            f"more than the {max_pixels / 1e6:.0f} that are read"
        )
    if reader in _CHECKS:
        file.seek(0)
        data = file.read()
        _CHECKS[reader](data)
        if reader == _JPEG and picture.mode in ("RGB", "L"):
            flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
            if decoded is not None:
                return _turn(np.asarray(decoded, np.uint8), _orientation(picture))
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


def _damage(error: Exception) -> _Refusal:
    text = " ".join(str(error).split()) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return _Refusal("the file is truncated")
    if isinstance(error, SyntaxError) and "not identified" in text:
        return _Refusal("the file is damaged, or truncated within its header")
    return _Refusal(f"the file is damaged ({text})")


def _decode_with_pillow(picture: Any) -> Image:
    try:
        picture.load()
        pixels = _bgr(picture)
        # TIFF pictures come turned already and have lost the tag by now, so this is asked after loading.
        return _turn(pixels, _orientation(picture))
    except (_Refusal, MemoryError):
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
        raise _Refusal("pictures with 32 bits a sample or in Lab colours are not read")
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


def _check_jpeg(data: bytes) -> None:
    """Refuse a JPEG file that ends early or whose data were overwritten.

    Decoders fill what is missing with grey and say nothing, or say it on standard error. A whole file
    has an end marker, and between its segments and in its compressed data no markers but the known ones.
    """
    position = 2
    while match := _JPEG_MARKER.search(data, position):
        marker = data[match.start() + 1]
        if marker == _JPEG_END:
            return
        if marker not in _JPEG_SEGMENTS:
            raise _Refusal(f"the file is damaged (marker {marker:02X} in the JPEG data)")
        length = int.from_bytes(data[match.end() : match.end() + 2])
        position = match.end() + length
    raise _Refusal("the file is truncated")


def _check_png(data: bytes) -> None:
    """Refuse a PNG file that ends early or whose critical chunks fail their checksum.

    Pillow passes over the checksums of compressed data.
    """
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        name = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            break
        # An upper-case first letter means that the picture cannot be shown without this chunk.
        if name[:1].isupper():
            checksum = int.from_bytes(data[end : end + 4])
            if checksum != zlib.crc32(memoryview(data)[position + 4 : end]):
                raise _Refusal(f"the file is damaged (checksum of chunk {name.decode('latin-1')!r})")
        if name == b"IEND":
            return
        position = end + 4
    raise _Refusal("the file is truncated")


#: Checks of a whole file, for kinds whose decoders let damage pass.
_CHECKS: Final[dict[str, Callable[[bytes], None]]] = {_JPEG: _check_jpeg, _PNG: _check_png}
