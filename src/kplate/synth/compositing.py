"""Puts flat drawings into pictures: by perspective, without aliasing, in the light and grain of the place."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image

Mask = NDArray[np.uint8]
Quad = NDArray[np.float32]
Field = NDArray[np.float32]

#: A flat drawing is reduced to about this many px per px of the picture before it is warped into it.
_OVERSAMPLING = 1.5
#: Share of a picture's brightness range above which noise is hidden by clipping.
_BRIGHT = 250


@dataclass(frozen=True, slots=True)
class Layer:
    """A warped drawing, ready to be laid over a part of a picture.

    Attributes:
        colour: float32 h x w x 3 BGR 0..255.
        alpha: float32 h x w x 1, 0..1.
        left: First column in the picture.
        top: First row in the picture.
    """

    colour: Field
    alpha: Field
    left: int
    top: int


def quad_size(quad: Quad) -> tuple[float, float]:
    """Mean width and height of a quadrilateral in px (corners from the top left, clockwise)."""
    width = (np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    height = (np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    return float(width), float(height)


def quad_box(quad: Quad) -> tuple[float, float, float, float]:
    """The box around a quadrilateral."""
    (x1, y1), (x2, y2) = quad.min(axis=0).tolist(), quad.max(axis=0).tolist()
    return x1, y1, x2, y2


def grow(quad: Quad, share: float) -> Quad:
    """Moves the corners away from their middle by a share of their distance."""
    middle = quad.mean(axis=0)
    return np.asarray(middle + (quad - middle) * (1 + share), np.float32)


def warp(drawing: Image, mask: Mask, quad: Quad, shape: tuple[int, ...], margin: int = 2) -> Layer | None:
    """Warps a drawing onto four corners.

    Args:
        drawing: uint8 H x W x 3.
        mask: uint8 H x W.
        quad: float32 4 x 2, corners in px of the picture, from the drawing's top left clockwise.
        shape: Shape of the picture.
        margin: Px around the corners that the layer covers, for blurs.

    Returns:
        None where the corners lie outside the picture or are no area.
    """
    x1, y1, x2, y2 = quad_box(quad)
    left, top = max(0, int(x1) - margin), max(0, int(y1) - margin)
    right, bottom = min(shape[1], int(np.ceil(x2)) + margin + 1), min(shape[0], int(np.ceil(y2)) + margin + 1)
    width, height = quad_size(quad)
    if right - left < 2 or bottom - top < 2 or width < 2 or height < 1:
        return None
    # Averaged down first: warping samples points, and would pick stray pixels from a much larger drawing.
    reduced = (max(2, round(width * _OVERSAMPLING)), max(2, round(height * _OVERSAMPLING)))
    bgra = np.dstack((drawing, mask))
    if reduced[0] < bgra.shape[1] and reduced[1] < bgra.shape[0]:
        bgra = np.asarray(cv2.resize(bgra, reduced, interpolation=cv2.INTER_AREA), np.uint8)
    h, w = bgra.shape[:2]
    source = np.array(((0, 0), (w, 0), (w, h), (0, h)), np.float32) - 0.5
    target = quad.astype(np.float32) - np.array((left, top), np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, target)
    size = (right - left, bottom - top)
    colour = cv2.warpPerspective(
        bgra[..., :3].copy(), matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    alpha = cv2.warpPerspective(bgra[..., 3].copy(), matrix, size, flags=cv2.INTER_LINEAR)
    return Layer(colour.astype(np.float32), np.asarray(alpha[..., None] / 255, np.float32), left, top)


def lay(
    picture: Image,
    layer: Layer,
    *,
    blur: float = 0.0,
    grain: Callable[[tuple[int, int]], Field] | None = None,
) -> None:
    """Lays a layer over the picture, in place.

    Args:
        picture: uint8 H x W x 3.
        layer: See :func:`warp`.
        blur: Standard deviation of a Gaussian blur in px, for the drawing and its edge.
        grain: Gives noise h x w x 3 for a shape (h, w).
    """
    colour, alpha = layer.colour, layer.alpha
    if blur > 0.15:
        colour = cv2.GaussianBlur(colour, (0, 0), blur).astype(np.float32)
        alpha = cv2.GaussianBlur(alpha, (0, 0), blur).astype(np.float32).reshape(*alpha.shape[:2], 1)
    if grain is not None:
        colour = colour + grain((colour.shape[0], colour.shape[1]))
    height, width = colour.shape[:2]
    part = picture[layer.top : layer.top + height, layer.left : layer.left + width]
    mixed = part + (colour - part) * alpha
    part[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def noise_level(picture: Image) -> float:
    """Standard deviation of a picture's grain, by J. Immerkaer's operator (1996), on its quieter half."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    if min(grey.shape) < 8:
        return 0.0
    kernel = np.array(((1, -2, 1), (-2, 4, -2), (1, -2, 1)), np.float32)
    response = np.abs(cv2.filter2D(grey, -1, kernel))[1:-1, 1:-1]
    usable = response[grey[1:-1, 1:-1] < _BRIGHT]
    if usable.size < 16:
        return 0.0
    return float(np.median(usable) / 0.6745 / 6.0)


def grain_like(level: float, rng: np.random.Generator) -> Callable[[tuple[int, int]], Field]:
    """Noise of a standard deviation, partly shared by the colour channels as camera noise is."""

    def make(shape: tuple[int, int]) -> Field:
        common = rng.standard_normal((*shape, 1), np.float32)
        own = rng.standard_normal((*shape, 3), np.float32)
        return np.asarray((0.8 * common + 0.6 * own) * level, np.float32)

    return make


def light_of(picture: Image, quad: Quad) -> tuple[Field, Field]:
    """The light on a light-coloured surface: colour of its brighter part, and its slope.

    Args:
        picture: uint8 H x W x 3.
        quad: Corners of the surface.

    Returns:
        BGR factors 0..1 of a white surface there (3), and a field 16 x 16 of brightness relative to its
        middle.
    """
    source = quad.astype(np.float32)
    target = np.array(((0, 0), (32, 0), (32, 16), (0, 16)), np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    flat = cv2.warpPerspective(picture, matrix, (32, 16), flags=cv2.INTER_AREA).astype(np.float32)
    luma = flat.mean(axis=2)
    bright = flat[luma >= np.percentile(luma, 70)].mean(axis=0)
    level = float(bright.max())
    saturation = 1 - float(bright.min()) / max(level, 1.0)
    # A strongly coloured plate says nothing about the colour of the light, only about its strength.
    cast = bright / max(level, 1.0) if saturation < 0.25 else np.ones(3)
    gain = float(np.clip(level / 235, 0.12, 1.08))
    y, x = np.mgrid[-1:1:16j, -1:1:32j]
    design = np.column_stack((x.ravel(), y.ravel(), np.ones(x.size)))
    slope_x, slope_y, middle = np.linalg.lstsq(design, luma.ravel(), rcond=None)[0]
    grid_y, grid_x = np.mgrid[-1:1:16j, -1:1:16j]
    field = 1 + np.clip((grid_x * slope_x + grid_y * slope_y) / max(middle, 20.0), -0.35, 0.35)
    return (cast * gain).astype(np.float32), field.astype(np.float32)


def relight(drawing: Image, light: Field, field: Field) -> Image:
    """A drawing in the light that :func:`light_of` found."""
    size = (drawing.shape[1], drawing.shape[0])
    shade = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)[..., None]
    return np.asarray(np.clip(drawing * light * shade, 0, 255), np.uint8)
