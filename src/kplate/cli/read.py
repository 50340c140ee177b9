"""``kplate read``: pictures in, plates out."""

import argparse
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kplate.cli.common import FAILED, Screen, add_recognizer_arguments, prepare_folder, write_json_line
from kplate.cli.naming import output_names, safe
from kplate.cli.networks import open_recognizer
from kplate.cli.tables import ResultTable, tab_separated
from kplate.errors import ImageError, OutputError
from kplate.images import Image, find_images, read_image, write_image
from kplate.recognizer import crop_window
from kplate.results import Box, Recognition, json_line

#: What ``--only`` can name: the fields of a result.
PARTS: Final = ("vehicles", "plates", "permits", "others")
_JPEG_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="pictures, folders of pictures, or patterns")
    parser.add_argument(
        "--json", action="store_true", help="print JSON Lines: one object a picture, as it is read"
    )
    parser.add_argument("--annotate", metavar="DIR", help="write each picture with its results drawn in")
    parser.add_argument(
        "--crops", metavar="DIR", help="write each plate, vehicle and permit as its own picture"
    )
    parser.add_argument(
        "--only",
        type=_parts,
        action="extend",
        metavar="PART",
        help=f"report only these, of {', '.join(PARTS)}; may be repeated or list several with commas",
    )
    add_recognizer_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read the pictures; the status is 1 where one of them failed or an output could not be written."""
    screen = Screen(json=args.json)
    outputs = Outputs(
        annotated=prepare_folder(args.annotate) if args.annotate is not None else None,
        crops=prepare_folder(args.crops) if args.crops is not None else None,
    )
    recognizer = open_recognizer(args)
    found = list(find_images(args.paths))
    names = output_names(path for path in found if isinstance(path, Path))
    show = _printer(screen, json=args.json)
    failed = False
    with screen.progress(len(found), "pictures") as advance:
        for path in found:
            file = (path.path or "") if isinstance(path, ImageError) else os.fspath(path)
            try:
                if isinstance(path, ImageError):
                    raise path
                image = read_image(path)
                result = dataclasses.replace(recognizer(image, cropped=args.cropped), file=file)
                result = keep_only(result, args.only or PARTS)
            except ImageError as error:
                failed = True
                if args.json:
                    write_json_line(json_line({"file": file, "error": str(error)}))
                else:
                    screen.complain(str(error))
            else:
                problem = outputs.write(names[file], image, result)
                show(result)
                if problem:
                    failed = True
                    screen.complain(problem)
            advance(file)
    return FAILED if failed else 0


def _printer(screen: Screen, *, json: bool) -> Callable[[Recognition], None]:
    """Return what prints one picture's result, at once."""
    if json:
        return lambda result: write_json_line(result.to_json())
    if screen.shows_table:
        return ResultTable(screen.out).show
    return lambda result: print(tab_separated(result), flush=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Outputs:
    """The folders that pictures are written to; None where none are wanted."""

    annotated: Path | None
    crops: Path | None

    def write(self, name: str, image: Image, result: Recognition) -> str | None:
        """Write what is wanted of one picture and return why that failed, or None.

        A full disk does not make a reading wrong, so this is no reason not to print it.
        """
        try:
            if self.annotated:
                suffix = _suffix(result.file or "")
                write_image(self.annotated / f"{name}_annotated{suffix}", result.draw(image))
            if self.crops:
                write_crops(self.crops, name, image, result)
        except OutputError as error:
            return str(error)
        return None


def keep_only(result: Recognition, parts: Sequence[str]) -> Recognition:
    """Return a result with only the named parts; without the vehicles nothing points at one any more."""
    plates = result.plates if "plates" in parts else ()
    permits = result.permits if "permits" in parts else ()
    if result.others and "others" not in parts:
        result = dataclasses.replace(result, others=())
    if "vehicles" in parts:
        return dataclasses.replace(result, plates=plates, permits=permits)
    return dataclasses.replace(
        result,
        vehicles=(),
        plates=tuple(dataclasses.replace(plate, vehicle=None) for plate in plates),
        permits=tuple(dataclasses.replace(permit, vehicle=None) for permit in permits),
    )


def write_crops(folder: Path, name: str, image: Image, result: Recognition) -> None:
    """Write everything that was found as its own picture.

    Plates are cut out as the reader saw them, so that `kplate read --cropped` on them reads the same.

    The names are ``NAME_plate0_52주3108.png`` (``unread`` in place of the text where it is not trusted),
    ``NAME_vehicle0.png``, ``NAME_permit0.png`` and ``NAME_other0.png``, numbered as in the result.

    Raises:
        OutputError: A file cannot be written.
    """
    size = (result.width, result.height)
    for index, plate in enumerate(result.plates):
        text = safe(plate.text) if plate.text else "unread"
        write_image(folder / f"{name}_plate{index}_{text}.png", _cut(image, crop_window(plate.box, *size)))
    boxes = [(f"vehicle{index}", vehicle.box) for index, vehicle in enumerate(result.vehicles)]
    boxes += [(f"permit{index}", permit.box) for index, permit in enumerate(result.permits)]
    boxes += [(f"other{index}", other.box) for index, other in enumerate(result.others or ())]
    for part, box in boxes:
        write_image(folder / f"{name}_{part}.png", _cut(image, _pixels(box, *size)))


def _cut(image: Image, window: tuple[int, int, int, int]) -> Image:
    left, top, right, bottom = window
    return image[top:bottom, left:right]


def _pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the whole pixels that a box covers, at least one."""
    left, top = min(max(0, int(box[0])), width - 1), min(max(0, int(box[1])), height - 1)
    return left, top, max(left + 1, min(width, round(box[2]))), max(top + 1, min(height, round(box[3])))


def _suffix(file: str) -> str:
    """Annotated photographs stay JPEG, which is small; everything else becomes PNG, which loses nothing."""
    return ".jpg" if Path(file).suffix.lower() in _JPEG_SUFFIXES else ".png"


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise argparse.ArgumentTypeError(f"{text!r}: choose of {', '.join(PARTS)}")
    return parts
