"""`.names` files: the classes of a Darknet network, one a line."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kplate.classes import CLASSES, LICENSE_PLATE, VEHICLES
from kplate.darknet.cfg import CfgError, read_text
from kplate.darknet.network import Network
from kplate.files import StrPath, excerpt, printable

#: What others call the classes that kplate knows, in small letters and with `_` for blanks and hyphens.
_OWN: Final = {
    **{name: name for name in (*CLASSES, *VEHICLES)},
    "plate": LICENSE_PLATE,
}


def read_names(names: StrPath | Sequence[str], network: Network) -> tuple[str, ...]:
    """Reads the names of a network's classes.

    Args:
        names: A `.names` file, or the names themselves.
        network: What the `.cfg` describes.

    Returns:
        A label for each class: kplate's own for vehicles, plates and permits under any of their names, the
        others as they are.

    Raises:
        CfgError: The file cannot be read, a line is empty or no text, or there is not one name for each
            class.
    """
    if isinstance(names, (str, os.PathLike)):
        source = printable(Path(names).name)
        lines = read_text(names, ".names").rstrip().splitlines()
    else:
        source, lines = "the list of names", list(names)
        for number, line in enumerate(lines, start=1):
            if not isinstance(line, str):
                raise CfgError(f"{source}, line {number}: {excerpt(repr(line))} is no text")
    lines = [line.strip() for line in lines]
    if "" in lines:
        raise CfgError(
            f"{source}, line {lines.index('') + 1}: is empty where the name of a class should stand"
        )
    for index in network.outputs:
        section = network.steps[index].section
        classes = section.integer("classes")
        if classes != len(lines):
            count = f"{len(lines)} name{'' if len(lines) == 1 else 's'}"
            raise CfgError(
                f"{source} has {count}, but {section.place('classes')} says `classes={classes}`: "
                "there must be one name for each class"
            )
    return tuple(_OWN.get(line.lower().replace("-", "_").replace(" ", "_"), line) for line in lines)
