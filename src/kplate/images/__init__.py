"""Reading pictures safely, finding them, writing them.

A picture is a :data:`Image` everywhere in kplate: ``uint8``, H x W x 3, blue-green-red, as it is displayed
(after the turn that its EXIF tag asks for).
"""

from kplate.images.basics import SUFFIXES, Image
from kplate.images.finding import find_images
from kplate.images.reading import MAX_PIXELS, as_image, read_image
from kplate.images.writing import write_image

__all__ = ["MAX_PIXELS", "SUFFIXES", "Image", "as_image", "find_images", "read_image", "write_image"]
