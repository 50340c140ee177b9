"""``kplate read``: pictures in, plates out."""

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kplate.cli.common import (
    FAILED,
    Screen,
    add_recognizer_arguments,
    open_recognizer,
    prepare_folder,
    write_json_line,
)
from kplate.cli.naming import output_names, safe
from kplate.cli.tables import ResultTable, tab_separated
from kplate.errors import ImageError, KplateError
from kplate.images import Image, find_images, read_image, write_image
from kplate.results import Box, Recognition, json_line

#: What ``--only`` can name: the fields of a result.
PARTS: Final = ("vehicles", "plates", "permits")
#: Share of its width and height by which a plate's box is grown before it is cut out. As much as the reader
#: itself sees, so that `kplate read --cropped` on the crops reads the same.
_PLATE_MARGIN: Final = (0.08, 0.16)
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
    """Read the pictures; the status is 1 where one of them failed."""
    screen = Screen(json=args.json)
    annotated = prepare_folder(args.annotate) if args.annotate else None
    crops = prepare_folder(args.crops) if args.crops else None
    recognizer = open_recognizer(args)
    found = list(find_images(args.paths))
    names = output_names(path for path in found if isinstance(path, Path))
    table = ResultTable(screen.out)
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
                if annotated:
                    write_image(annotated / f"{names[file]}_annotated{_suffix(path)}", result.draw(image))
                if crops:
                    write_crops(crops, names[file], image, result)
            except KplateError as error:
                failed = True
                if args.json:
                    write_json_line(json_line({"file": file, "error": str(error)}))
                else:
                    screen.complain(str(error))
            else:
                if args.json:
                    write_json_line(result.to_json())
                elif screen.shows_table:
                    table.show(result)
                else:
                    print(tab_separated(result), flush=True)
            advance(file)
    return FAILED if failed else 0


def keep_only(result: Recognition, parts: Sequence[str]) -> Recognition:
    """Return a result with only the named parts; without the vehicles nothing points at one any more."""
    plates = result.plates if "plates" in parts else ()
    permits = result.permits if "permits" in parts else ()
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

    The names are ``NAME_plate0_52주3108.png`` (``unread`` in place of the text where it is not trusted),
    ``NAME_vehicle0.png`` and ``NAME_permit0.png``, numbered as in the result.

    Raises:
        OutputError: A file cannot be written.
    """
    for index, plate in enumerate(result.plates):
        text = safe(plate.text) if plate.text else "unread"
        write_image(folder / f"{name}_plate{index}_{text}.png", cut_out(image, plate.box, _PLATE_MARGIN))
    boxes = [(f"vehicle{index}", vehicle.box) for index, vehicle in enumerate(result.vehicles)]
    boxes += [(f"permit{index}", permit.box) for index, permit in enumerate(result.permits)]
    for part, box in boxes:
        write_image(folder / f"{name}_{part}.png", cut_out(image, box))


def cut_out(image: Image, box: Box, margin: tuple[float, float] = (0.0, 0.0)) -> Image:
    """Return the part inside a box that is grown by shares of its width and height; at least one pixel."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) * margin[0], (y2 - y1) * margin[1]
    left, top = min(max(0, int(x1 - dx)), width - 1), min(max(0, int(y1 - dy)), height - 1)
    right, bottom = min(width, round(x2 + dx)), min(height, round(y2 + dy))
    return image[top : max(top + 1, bottom), left : max(left + 1, right)]


def _suffix(path: Path) -> str:
    """Annotated photographs stay JPEG, which is small; everything else becomes PNG, which loses nothing."""
    return ".jpg" if path.suffix.lower() in _JPEG_SUFFIXES else ".png"


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise argparse.ArgumentTypeError(f"{text!r}: choose of {', '.join(PARTS)}")
    return parts
