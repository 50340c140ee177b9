"""kplate reads Korean number plates.

>>> import kplate
>>> recognizer = kplate.Recognizer()  # doctest: +SKIP
>>> for plate in recognizer("car.jpg").plates:  # doctest: +SKIP
...     print(plate.display, plate.score)
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kplate.detector import Detection, Detector
    from kplate.errors import (
        DataError,
        EngineError,
        GrammarError,
        ImageError,
        KplateError,
        OutputError,
        WeightsError,
    )
    from kplate.images import Image, find_images, read_image, write_image
    from kplate.reader import Reader, Reading
    from kplate.recognizer import Recognizer
    from kplate.results import Box, Other, Permit, Plate, Point, Quad, Recognition, Vehicle

    __version__: str

__all__ = [
    "Box",
    "DataError",
    "Detection",
    "Detector",
    "EngineError",
    "GrammarError",
    "Image",
    "ImageError",
    "KplateError",
    "Other",
    "OutputError",
    "Permit",
    "Plate",
    "Point",
    "Quad",
    "Reader",
    "Reading",
    "Recognition",
    "Recognizer",
    "Vehicle",
    "WeightsError",
    "__version__",
    "find_images",
    "read_image",
    "write_image",
]

#: Public names by the module they live in. They are imported when first used, so that a command that
#: reads no picture does not wait for OpenCV and the run time.
_HOMES: Final = {
    "kplate.detector": ("Detection", "Detector"),
    "kplate.errors": (
        "DataError",
        "EngineError",
        "GrammarError",
        "ImageError",
        "KplateError",
        "OutputError",
        "WeightsError",
    ),
    "kplate.images": ("Image", "find_images", "read_image", "write_image"),
    "kplate.reader": ("Reader", "Reading"),
    "kplate.recognizer": ("Recognizer",),
    "kplate.results": ("Box", "Other", "Permit", "Plate", "Point", "Quad", "Recognition", "Vehicle"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        globals()[name] = _version()
        return globals()[name]
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    # Imported here: it takes longer to load than all else in this file.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("kplate")
    except PackageNotFoundError:  # used from a source tree that was not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
