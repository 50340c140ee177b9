"""A small painter of three-dimensional things: a pinhole camera and filled, shaded polygons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image

Points = NDArray[np.float64]
Colour = NDArray[np.float64]
Tone = Sequence[float] | Colour

_SHIFT: Final = 4  # sub-pixel bits of OpenCV's drawing functions
_FAR: Final = 60_000  # px; OpenCV's drawing functions take no larger coordinates
_NEAREST: Final = 0.5  # m; what is nearer to the camera is drawn as if it were this far


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera above the ground, looking along +z (x to the right, y up, metres).

    Attributes:
        width: Picture width in px.
        height: Picture height in px.
        focal: Focal length in px.
        eye: Position.
        yaw: Turn to the right, radians.
        pitch: Turn downwards, radians.
        roll: Turn about the line of sight, radians.
    """

    width: int
    height: int
    focal: float
    eye: tuple[float, float, float]
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def project(self, points: Points) -> Points:
        """Px of the picture (N x 2) of points in the world (N x 3)."""
        return self._flat(self._turned(points))

    def outline(self, points: Points) -> Points:
        """Px of a polygon in the world (N x 3), cut off where it comes too near to the camera (M x 2)."""
        turned = self._turned(points)
        result = []
        for here, there in zip(turned, np.roll(turned, -1, axis=0), strict=True):
            if here[2] >= _NEAREST:
                result.append(here)
            if (here[2] >= _NEAREST) != (there[2] >= _NEAREST):
                result.append(here + (there - here) * (_NEAREST - here[2]) / (there[2] - here[2]))
        return self._flat(np.array(result)) if result else np.zeros((0, 2))

    def _turned(self, points: Points) -> Points:
        """Points in the camera's frame."""
        cy, sy, cp, sp = np.cos(self.yaw), np.sin(self.yaw), np.cos(self.pitch), np.sin(self.pitch)
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        x, y, z = (np.asarray(points, np.float64) - np.array(self.eye)).T
        x, z = x * cy - z * sy, x * sy + z * cy
        y, z = y * cp + z * sp, z * cp - y * sp
        return np.column_stack((x * cr - y * sr, x * sr + y * cr, z))

    def _flat(self, turned: Points) -> Points:
        x, y, z = turned.T
        z = np.maximum(z, _NEAREST)
        return np.column_stack((self.width / 2 + self.focal * x / z, self.height / 2 - self.focal * y / z))

    def horizon(self) -> float:
        """Row of the horizon at the middle of the picture, px."""
        return float(self.height / 2 - self.focal * np.tan(self.pitch))


def colour(values: Tone, factor: float = 1.0) -> tuple[float, float, float]:
    """A BGR colour times a factor, within 0..255."""
    b, g, r = np.clip(np.asarray(values, np.float64) * factor, 0, 255).tolist()
    return b, g, r


def smooth(points: Points, rounds: int = 2) -> Points:
    """Rounds the corners of a closed polygon (G. Chaikin, 1974)."""
    for _ in range(rounds if len(points) else 0):
        following = np.roll(points, -1, axis=0)
        cut = np.stack((0.78 * points + 0.22 * following, 0.22 * points + 0.78 * following), axis=1)
        points = cut.reshape(-1, points.shape[1])
    return points


def fill(image: Image, points: Points, tone: Tone) -> None:
    """Fills a polygon (N x 2 px) with one colour, in place."""
    if len(points) < 3:
        return
    fixed = np.round(np.clip(points, -_FAR, _FAR) * 2**_SHIFT - 2 ** (_SHIFT - 1)).astype(np.int32)
    cv2.fillPoly(image, [fixed], colour(tone), cv2.LINE_AA, _SHIFT)


def line(image: Image, points: Points, tone: Tone, width: float, *, closed: bool = False) -> None:
    """Draws a line through points (N x 2 px), in place."""
    if len(points) < 2:
        return
    fixed = np.round(np.clip(points, -_FAR, _FAR) * 2**_SHIFT - 2 ** (_SHIFT - 1)).astype(np.int32)
    cv2.polylines(image, [fixed], closed, colour(tone), max(1, round(width)), cv2.LINE_AA, _SHIFT)


def _window(image: Image, points: Points, margin: int) -> tuple[slice, slice] | None:
    if len(points) < 3:
        return None
    height, width = image.shape[:2]
    x1, y1 = np.floor(points.min(axis=0)).astype(int) - margin
    x2, y2 = np.ceil(points.max(axis=0)).astype(int) + margin + 1
    x1, y1, x2, y2 = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
    return (slice(y1, y2), slice(x1, x2)) if x2 > x1 and y2 > y1 else None


def blend(
    image: Image,
    points: Points,
    tone: Tone,
    strength: float,
    *,
    blur: float = 0.0,
) -> None:
    """Lays a translucent, soft-edged polygon over the picture, in place.

    Args:
        image: uint8 H x W x 3.
        points: N x 2 px.
        tone: BGR.
        strength: 0..1.
        blur: Standard deviation of its edge in px.
    """
    window = _window(image, points, int(3 * blur) + 1)
    if window is None:
        return
    part = image[window]
    mask = np.zeros(part.shape[:2], np.uint8)
    origin = np.array((window[1].start, window[0].start))
    fixed = (np.clip(points - origin, -_FAR, _FAR) * 2**_SHIFT - 2 ** (_SHIFT - 1)).round().astype(np.int32)
    cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, _SHIFT)
    if blur > 0.3:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), blur), np.uint8)
    alpha = mask.astype(np.float32)[..., None] * (strength / 255)
    part[:] = (part + (np.asarray(colour(tone), np.float32) - part) * alpha).astype(np.uint8)


def shade(image: Image, points: Points, upper: Tone, lower: Tone) -> None:
    """Fills a polygon (N x 2 px) with a vertical run of colours, in place."""
    window = _window(image, points, 1)
    if window is None:
        return
    part = image[window]
    top, bottom = float(points[:, 1].min()), float(points[:, 1].max())
    rows = (np.arange(window[0].start, window[0].stop) - top) / max(bottom - top, 1.0)
    run = np.clip(rows, 0, 1)[:, None, None].astype(np.float32)
    tones = np.asarray(colour(upper), np.float32) * (1 - run) + np.asarray(colour(lower), np.float32) * run
    mask = np.zeros(part.shape[:2], np.uint8)
    origin = np.array((window[1].start, window[0].start))
    fixed = (np.clip(points - origin, -_FAR, _FAR) * 2**_SHIFT - 2 ** (_SHIFT - 1)).round().astype(np.int32)
    cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, _SHIFT)
    alpha = mask.astype(np.float32)[..., None] / 255
    part[:] = (part + (tones - part) * alpha).astype(np.uint8)
