"""Draws streets without cars: houses with shop signs on both sides, lanes, kerbs and crossings."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from kplate.drawing import text_mask
from kplate.images import Image
from kplate.plates.alphabet import ALPHABET
from kplate.synth import compositing as comp
from kplate.synth.painter import Camera, Colour, Points, blend, fill, shade

LANE_WIDTH: Final = 3.2  # m
#: How far the street goes on, metres, and how far behind the camera it begins.
_END: Final = 120.0
_BEHIND: Final = -4.0
#: BGR of walls and shop signs.
_WALLS: Final = ((196, 204, 208), (150, 160, 172), (120, 136, 168), (176, 184, 176), (104, 112, 128))
_SIGNS: Final = ((60, 60, 200), (180, 110, 40), (60, 150, 60), (40, 170, 235), (236, 238, 238), (44, 40, 40))
#: Hangul syllables among the symbols of plates, for signs.
_SYLLABLES: Final = tuple(symbol for symbol in ALPHABET if not symbol.isdigit())


@dataclass(frozen=True, slots=True)
class Street:
    """A straight street away from the camera.

    Attributes:
        left: x of its left kerb, metres.
        lanes: How many lanes it has, half of them towards the camera, on the left.
        light: Brightness of the scene, 1 = day.
        night: Windows and signs are lit.
    """

    left: float
    lanes: int
    light: float = 1.0
    night: bool = False

    @property
    def right(self) -> float:
        """Place of the right kerb, across."""
        return self.left + self.lanes * LANE_WIDTH

    def middle(self, lane: int) -> float:
        """Place of the middle of a lane, across."""
        return self.left + (lane + 0.5) * LANE_WIDTH

    def away(self, lane: int) -> bool:
        """Whether cars drive away from the camera in a lane."""
        return lane >= self.lanes / 2


def draw_street(camera: Camera, street: Street, rng: np.random.Generator) -> Image:
    """Draws the empty street, uint8 H x W x 3 BGR."""
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    sky = np.array((225.0, 206.0, 186.0)) if rng.random() < 0.5 else np.array((216.0, 214.0, 210.0))
    sky = np.array((52.0, 38.0, 30.0)) if street.night else sky * street.light
    image[:] = np.clip(sky * 0.85, 0, 255).astype(np.uint8)
    horizon = max(2.0, camera.horizon())
    box = np.array(((0, 0), (camera.width, 0), (camera.width, horizon), (0, horizon)), np.float64)
    shade(image, box, sky * 0.8, sky * 1.05)
    _ground(image, camera, street, rng)
    for side in (-1, 1):
        _houses(image, camera, street, side, rng)
    _markings(image, camera, street, rng)
    _verge(image, camera, street, rng)
    return image


def _flat(camera: Camera, x1: float, x2: float, z1: float, z2: float, y: float = 0.0) -> Points:
    return camera.outline(np.array(((x1, y, z2), (x2, y, z2), (x2, y, z1), (x1, y, z1)), np.float64))


def _ground(image: Image, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    asphalt = np.array((96.0, 98.0, 98.0)) * street.light * rng.uniform(0.65, 1.15)
    paving = np.array((140.0, 150.0, 158.0)) * street.light * rng.uniform(0.8, 1.1)
    fill(image, _flat(camera, -60, 60, _BEHIND, _END * 3), paving)
    road = _flat(camera, street.left, street.right, _BEHIND, _END * 3)
    shade(image, road, asphalt * 1.15, asphalt * 0.9)
    for x in (street.left, street.right):
        fill(image, _flat(camera, x - 0.12, x + 0.12, _BEHIND, _END, 0.05), paving * 1.2)
    for _ in range(int(rng.integers(2, 7))):  # patches and manholes
        x, z = rng.uniform(street.left, street.right - 1), rng.uniform(4, 40)
        patch = _flat(camera, x, x + rng.uniform(0.5, 1.6), z, z + rng.uniform(0.5, 4))
        blend(image, patch, asphalt * rng.uniform(0.6, 1.3), 0.5, blur=1)
    top = int(np.clip(camera.horizon(), 0, camera.height - 2))
    part = image[top:]
    grain = rng.standard_normal((max(2, part.shape[0] // 2), max(2, part.shape[1] // 2))).astype(np.float32)
    field = 1 + 0.035 * cv2.resize(grain, (part.shape[1], part.shape[0]))
    part[:] = np.clip(part * field[..., None], 0, 255).astype(np.uint8)


def _markings(image: Image, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    white = np.array((226.0, 228.0, 228.0)) * street.light * rng.uniform(0.6, 0.95)
    yellow = np.array((70.0, 190.0, 225.0)) * street.light * rng.uniform(0.6, 0.95)
    for n in range(1, street.lanes):
        x = street.left + n * LANE_WIDTH
        if n * 2 == street.lanes:
            for offset in (-0.12, 0.12):
                line = _flat(camera, x + offset - 0.06, x + offset + 0.06, _BEHIND, _END)
                blend(image, line, yellow, 0.9, blur=0.4)
            continue
        for z in np.arange(_BEHIND, _END / 2, 8.0):
            blend(image, _flat(camera, x - 0.07, x + 0.07, z, z + 3), white, 0.85, blur=0.4)
    if rng.random() < 0.5:  # a crossing
        z = rng.uniform(6, 30)
        for x in np.arange(street.left + 0.3, street.right - 0.5, 0.9):
            blend(image, _flat(camera, x, x + 0.45, z, z + 3.2), white, 0.85, blur=0.4)


def _houses(image: Image, camera: Camera, street: Street, side: int, rng: np.random.Generator) -> None:
    """A row of houses, the far ones first."""
    x = (street.left if side < 0 else street.right) + side * float(rng.uniform(3.0, 5.5))
    fronts = []
    z = 2.0
    while z < _END:
        depth = float(rng.uniform(6, 14))
        fronts.append((z, z + depth, float(rng.uniform(4, 18))))
        z += depth + (float(rng.uniform(0.5, 3)) if rng.random() < 0.3 else 0.0)
    for near, far, height in reversed(fronts):
        tone = np.array(_WALLS[int(rng.integers(len(_WALLS)))], np.float64) * rng.uniform(0.75, 1.15)
        tone = tone * (street.light * (0.6 if street.night else 0.95))
        face = np.array(((x, height, far), (x, height, near), (x, 0, near), (x, 0, far)), np.float64)
        shade(image, camera.outline(face), tone * 1.05, tone * 0.8)
        end = np.array(
            ((x, height, near), (x + side * 8, height, near), (x + side * 8, 0, near), (x, 0, near))
        )
        fill(image, camera.outline(end), tone * 0.7)
        _windows(image, camera, street, (x, near, far, height), tone, rng)
        if rng.random() < 0.8:
            _shop_sign(image, camera, street, (x - side * 0.05, near, far), side, rng)


def _windows(
    image: Image,
    camera: Camera,
    street: Street,
    face: tuple[float, float, float, float],
    tone: Colour,
    rng: np.random.Generator,
) -> None:
    x, near, far, height = face
    lit = np.array((150.0, 205.0, 235.0))
    for y in np.arange(4.2, height - 1.2, 2.9):
        for z in np.arange(near + 0.7, far - 1.4, 2.4):
            pane = np.array(((x, y + 1.4, z + 1.4), (x, y + 1.4, z), (x, y, z), (x, y, z + 1.4)), np.float64)
            dark = tone * rng.uniform(0.35, 0.6)
            fill(image, camera.outline(pane), lit * 0.8 if street.night and rng.random() < 0.35 else dark)
    glass = np.array(((x, 2.4, far - 0.5), (x, 2.4, near + 0.5), (x, 0.1, near + 0.5), (x, 0.1, far - 0.5)))
    fill(image, camera.outline(glass), lit * 0.55 if street.night and rng.random() < 0.6 else tone * 0.4)


def _shop_sign(
    image: Image,
    camera: Camera,
    street: Street,
    face: tuple[float, float, float],
    side: int,
    rng: np.random.Generator,
) -> None:
    """A board with Hangul and digits along a shop's front: no plate."""
    x, near, far = face
    ground = np.array(_SIGNS[int(rng.integers(len(_SIGNS)))], np.float64)
    light = 0.95 if street.night and rng.random() < 0.6 else street.light
    board = _lettered(ground * light, rng)
    length = min(far - near - 0.4, 0.8 * board.shape[1] / board.shape[0])
    z1, z2 = near + 0.2, near + 0.2 + length
    ends = (z1, z2) if side > 0 else (z2, z1)  # read from left to right, as it is seen from the street
    corners = np.array(
        ((x, 3.3, ends[1]), (x, 3.3, ends[0]), (x, 2.6, ends[0]), (x, 2.6, ends[1])), np.float64
    )
    if z1 < 1.5:
        return
    quad = camera.project(corners).astype(np.float32)
    layer = comp.warp(board, np.full(board.shape[:2], 255, np.uint8), quad, image.shape)
    if layer is not None:
        comp.lay(image, layer)


def _lettered(ground: Colour, rng: np.random.Generator) -> Image:
    """A board of a colour with a few syllables or a number on it."""
    if rng.random() < 0.75:
        text = "".join(str(symbol) for symbol in rng.choice(_SYLLABLES, int(rng.integers(2, 6))))
    else:
        text = "".join(str(digit) for digit in rng.integers(0, 10, int(rng.integers(4, 9))))
    ink = text_mask(text, 48)
    mask = np.pad(ink, ((12, 12), (20, 20)))
    tone = np.array((245.0, 245.0, 245.0)) if ground.mean() < 150 else np.array((40.0, 34.0, 30.0))
    share = mask[..., None].astype(np.float32) / 255
    return np.clip(ground * (1 - share) + tone * share, 0, 255).astype(np.uint8)


def _verge(image: Image, camera: Camera, street: Street, rng: np.random.Generator) -> None:
    """Trees and lamp posts along the kerbs, the far ones first."""
    green = np.array((52.0, 92.0, 66.0)) * street.light * rng.uniform(0.7, 1.2)
    post = np.array((88.0, 92.0, 92.0)) * street.light
    for z in sorted(rng.uniform(8, 60, int(rng.integers(2, 9))).tolist(), reverse=True):
        side = 1 if rng.random() < 0.5 else -1
        x = (street.right if side > 0 else street.left) + side * 0.7
        trunk = np.array(((x - 0.08, 3.2, z), (x + 0.08, 3.2, z), (x + 0.08, 0, z), (x - 0.08, 0, z)))
        fill(image, camera.outline(trunk), post * 0.8)
        if rng.random() < 0.6:
            angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
            for _ in range(5):
                middle = np.array((x, 3.6, z)) + rng.normal(0, 0.5, 3) * (1, 1, 0)
                reach = rng.uniform(0.5, 1.0, 14)
                ring = np.column_stack((np.cos(angles) * reach, np.sin(angles) * reach, np.zeros(14)))
                fill(image, camera.outline(middle + ring), green * rng.uniform(0.75, 1.25))
