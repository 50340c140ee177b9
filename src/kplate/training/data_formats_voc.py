"""Pascal VOC's label files: an XML file a picture.

What such a file may refer to elsewhere (external entities, a DTD) is refused, so that labels from strangers
can neither read other files nor swell up.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.parsers import expat

from kplate.errors import DataError
from kplate.files import is_file, printable
from kplate.training.data_formats_readers import (
    Entry,
    LabelledBox,
    Labels,
    four,
    picture_beside,
    read_labels_text,
)

#: Where pictures lie, seen from their label file: beside it, or as in the VOC challenges.
_FOLDERS: Final = (Path(), Path("../JPEGImages"), Path("../images"))
_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")


def read_files(paths: Sequence[Path]) -> Labels:
    """Read label files, one a picture."""
    return Labels(_of_file(path) for path in paths)


class _Element:
    """An element with the line that it begins in."""

    def __init__(self, name: str, line: int) -> None:
        self.name, self.line = name, line
        self.parts: list[str] = []
        self.children: list[_Element] = []

    def find(self, name: str) -> "_Element | None":
        """The first child of a name."""
        return next((child for child in self.children if child.name == name), None)

    def say(self, name: str) -> str:
        """The text of a child; empty where there is none."""
        child = self.find(name)
        return "".join(child.parts).strip() if child else ""


def _parse(text: str) -> _Element:
    """The root of a document.

    Raises:
        DataError: It is no XML, or has a document type; the message has no file name yet.
    """
    parser = expat.ParserCreate()
    top = _Element("", 0)
    open_elements = [top]

    def start(name: str, _: dict[str, str]) -> None:
        element = _Element(name, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def data(part: str) -> None:
        open_elements[-1].parts.append(part)

    def refuse(*_: object) -> None:
        raise DataError(f"line {parser.CurrentLineNumber}: has a document type, which is not read")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise DataError(f"line {error.lineno}: is no XML: {expat.ErrorString(error.code)}") from None
    return top.children[0]


def _of_file(path: Path) -> Entry:
    source = printable(path)
    try:
        root = _parse(read_labels_text(path))
    except DataError as error:
        text = str(error)
        return Entry(source, problem=text.removeprefix(f"{source}: "))
    name = root.say("filename")
    if root.name != "annotation" or not name:
        return Entry(source, problem="is no Pascal VOC label: there is no <annotation> with a <filename>")
    candidates = [picture_beside(path.parent / folder, name) for folder in _FOLDERS]
    picture = next((file for file in candidates if is_file(file)), candidates[0])
    boxes = [_box(f"{source}, line {child.line}", child) for child in root.children if child.name == "object"]
    return Entry(source, picture, boxes)


def _box(source: str, element: _Element) -> LabelledBox:
    name, sides = element.say("name"), element.find("bndbox")
    values = four([sides.say(side) for side in _SIDES]) if sides else None
    if not name or values is None:
        return LabelledBox(source, problem="an <object> needs a <name> and a <bndbox> with four numbers")
    x1, y1, x2, y2 = values
    # VOC counts pixels from 1, and its last pixel belongs to the box.
    unsure = element.say("difficult") == "1"
    return LabelledBox(source, name, (x1 - 1, y1 - 1, x2, y2), ignored=unsure)
