"""Draws car parks without cars: garages and open lots, by day and by night, with painted bays and signs."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.synth import compositing as comp
from kplate.synth.painter import Camera, Colour, Points, blend, colour, fill, line, shade, smooth
from kplate.synth.permits import access_symbol

BAY_WIDTH: Final = 2.5  # m; Korean law asks for 2.5 x 5.0 m, and 3.3 m for disabled people's bays
BAY_DEPTH: Final = 5.0
#: BGR of floors, walls' bands and lines.
FLOORS: Final = ((118, 122, 120), (96, 104, 96), (150, 152, 150), (88, 118, 92), (84, 88, 96))
BANDS: Final = ((170, 120, 30), (60, 150, 60), (40, 140, 235), (60, 60, 200), (160, 90, 130))
DISABLED_BLUE: Final = (178, 104, 32)
LINE_WHITE: Final = (228, 230, 230)
LINE_YELLOW: Final = (60, 200, 235)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scene plays.

    Attributes:
        garage: Under a roof; otherwise an open lot.
        front: Distance of the bays' near end from the camera, metres.
        wall: Distance of the wall behind them.
        left: x of the left line of the first bay.
        bays: How many bays there are.
        disabled: Bays for disabled people, by index.
        light: Brightness of the scene, 1 = day.
    """

    garage: bool
    front: float
    wall: float
    left: float
    bays: int
    disabled: tuple[int, ...]
    light: float

    def middle(self, bay: int) -> float:
        """Place of the middle of a bay, across."""
        return self.left + (bay + 0.5) * BAY_WIDTH


def draw_place(camera: Camera, place: Place, rng: np.random.Generator) -> Image:
    """Draws the empty car park, uint8 H x W x 3 BGR."""
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    if place.garage:
        _garage(image, camera, place, rng)
    else:
        _open_air(image, camera, place, rng)
    return image


def _quad(camera: Camera, x1: float, x2: float, z1: float, z2: float, y: float = 0.0) -> Points:
    """A rectangle on the ground or parallel to it, far end first."""
    return camera.outline(np.array(((x1, y, z2), (x2, y, z2), (x2, y, z1), (x1, y, z1))))


def _wall(camera: Camera, x1: float, x2: float, y1: float, y2: float, z: float) -> Points:
    """An upright rectangle that faces the camera, from its top left."""
    return camera.outline(np.array(((x1, y2, z), (x2, y2, z), (x2, y1, z), (x1, y1, z))))


def _grain(image: Image, rng: np.random.Generator, rows: slice, strength: float) -> None:
    """Spots and grain of concrete and asphalt, in place."""
    part = image[rows]
    if not part.size:
        return
    height, width = part.shape[:2]
    coarse = rng.standard_normal((max(2, height // 24), max(2, width // 24))).astype(np.float32)
    fine = rng.standard_normal((max(2, height // 2), max(2, width // 2))).astype(np.float32)
    spots = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR)
    field = 1 + strength * (0.6 * spots + 0.5 * noise)
    part[:] = np.clip(part * field[..., None], 0, 255).astype(np.uint8)


def _floor(image: Image, camera: Camera, place: Place, rng: np.random.Generator) -> None:
    tone = np.array(FLOORS[int(rng.integers(len(FLOORS)))], np.float64)
    tone = tone * (0.7 if not place.garage else 1.0) * place.light
    floor = _quad(camera, -40, 40, -60, place.wall)
    shade(image, floor, tone * 0.78, tone * 1.1)
    top = int(np.clip(floor[:, 1].min(), 0, camera.height))
    _grain(image, rng, slice(max(0, top - 10), camera.height), 0.035 if place.garage else 0.06)
    for _ in range(int(rng.integers(1, 5))):  # oil stains and damp patches
        x, z = place.left + rng.uniform(0, place.bays * BAY_WIDTH), place.front + rng.uniform(-3, 4)
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        radius = rng.uniform(0.15, 0.6) * (1 + 0.3 * rng.standard_normal(12))
        spot = np.column_stack((x + radius * np.cos(angles), np.zeros(12), z + radius * np.sin(angles)))
        blend(image, smooth(camera.outline(spot)), tone * 0.5, 0.35, blur=3)


def _bays(image: Image, camera: Camera, place: Place, rng: np.random.Generator) -> None:
    ink = np.array(LINE_WHITE if rng.random() < 0.7 else LINE_YELLOW, np.float64) * place.light * 0.92
    end = place.front + BAY_DEPTH
    for bay in place.disabled:
        x1 = place.left + bay * BAY_WIDTH
        ground = _quad(camera, x1 + 0.05, x1 + BAY_WIDTH - 0.05, place.front, end)
        blend(image, ground, np.array(DISABLED_BLUE) * place.light, 0.82)
        size = 1.3
        middle = x1 + BAY_WIDTH / 2
        spot = _quad(
            camera, middle - size / 2, middle + size / 2, place.front + 0.1, place.front + 0.1 + size
        )
        white = colour(LINE_WHITE, place.light * 0.95)
        drawing, mask = access_symbol(160, (round(white[0]), round(white[1]), round(white[2])))
        layer = comp.warp(drawing, mask, spot.astype(np.float32), image.shape) if len(spot) == 4 else None
        if layer is not None:
            comp.lay(image, layer)
    for n in range(place.bays + 1):
        x = place.left + n * BAY_WIDTH
        blend(image, _quad(camera, x - 0.06, x + 0.06, place.front - 0.2, end), ink, 0.88, blur=0.5)
    x2 = place.left + place.bays * BAY_WIDTH
    blend(image, _quad(camera, place.left, x2, end - 0.06, end + 0.06), ink, 0.8, blur=0.5)
    stop = np.array((60, 190, 220)) * place.light * 0.8
    for n in range(place.bays):  # wheel stops
        x = place.middle(n)
        fill(image, _wall(camera, x - 0.8, x - 0.2, 0, 0.1, end - 0.7), stop)
        fill(image, _wall(camera, x + 0.2, x + 0.8, 0, 0.1, end - 0.7), stop)


def _garage(image: Image, camera: Camera, place: Place, rng: np.random.Generator) -> None:
    concrete = np.array((176.0, 180.0, 180.0)) * place.light * rng.uniform(0.75, 1.0)
    ceiling = 2.6 + rng.uniform(0, 0.8)
    image[:] = np.clip(concrete * 0.45, 0, 255).astype(np.uint8)
    slab = _quad(camera, -40, 40, 1.0, place.wall, ceiling)
    shade(image, slab, concrete * 0.55, concrete * 0.4)
    for z in np.arange(2.0, place.wall, 2.4):  # beams, and light strips between them
        fill(image, _quad(camera, -40, 40, z, z + 0.3, ceiling - 0.02), concrete * 0.42)
    for x in np.arange(-12.0, 13.0, 4.0) + rng.uniform(0, 4):
        for z in np.arange(3.2, place.wall, 2.4):
            lamp = _quad(camera, x, x + 1.3, z, z + 0.15, ceiling - 0.1)
            blend(image, lamp, (245, 250, 250), 0.35, blur=camera.width / 110)
            fill(image, lamp, np.array((248, 252, 252)) * min(1.0, place.light + 0.3))
    wall = _wall(camera, -40, 40, 0, ceiling, place.wall)
    shade(image, wall, concrete * 0.72, concrete * 0.92)
    band = np.array(BANDS[int(rng.integers(len(BANDS)))], np.float64) * place.light
    fill(image, _wall(camera, -40, 40, 0.9, 1.25, place.wall - 0.01), band)
    _floor(image, camera, place, rng)
    for x in (-7.5, 0.0, 7.5):
        lamp = _quad(camera, x + 1, x + 2.0, 2.2, place.front)  # lamps mirrored in the floor
        blend(image, lamp, concrete * 1.3, 0.16, blur=camera.width / 40)
    _bays(image, camera, place, rng)
    for n in range(-1, place.bays + 2, 3):
        x = place.left + n * BAY_WIDTH
        _pillar(image, camera, x, place.front + BAY_DEPTH - 1.2, ceiling, concrete, band)
    _sign(image, camera, place, rng, (place.left + rng.uniform(0, 4), ceiling - 0.75, place.wall - 0.02))


def _pillar(
    image: Image, camera: Camera, x: float, z: float, ceiling: float, concrete: Colour, band: Colour
) -> None:
    half = 0.35
    shade(image, _wall(camera, x - half, x + half, 0, ceiling, z), concrete * 0.95, concrete * 0.8)
    fill(image, _wall(camera, x - half, x + half, 0.0, 1.3, z), band)
    stripes = ((40, 200, 235), (30, 30, 30))
    for n in range(6):
        low = 0.1 + n * 0.12
        fill(image, _wall(camera, x - half, x + half, low, low + 0.12, z), stripes[n % 2])
    edge = _wall(camera, x - half, x + half, 0, ceiling, z)
    line(image, edge, concrete * 0.5, 1, closed=True)


def _open_air(image: Image, camera: Camera, place: Place, rng: np.random.Generator) -> None:
    sky = np.array((235.0, 205.0, 170.0) if rng.random() < 0.6 else (225.0, 222.0, 216.0)) * place.light
    horizon = max(2, int(camera.horizon()))
    box = np.array(((0, 0), (camera.width, 0), (camera.width, horizon + 40), (0, horizon + 40)), np.float64)
    image[:] = np.clip(sky * (0.72, 0.76, 0.74), 0, 255).astype(
        np.uint8
    )  # what lies beyond the wall, in haze
    shade(image, box, sky * 0.85, sky * 1.05)
    _facade(image, camera, place, rng)
    green = np.array((52.0, 92.0, 66.0)) * place.light * rng.uniform(0.7, 1.2)
    for x in np.arange(-30.0, 31.0, 0.8):  # a hedge
        _foliage(image, camera, (x, 0.35 + rng.normal(0, 0.1), place.wall - 0.6), 0.75, green, rng)
    for _ in range(int(rng.integers(0, 7))):
        x, y, z = rng.uniform(-26, 26), rng.uniform(2.6, 4.2), place.wall + 1.5
        fill(image, _wall(camera, x - 0.12, x + 0.12, 0, y, z), np.array((52.0, 66.0, 80.0)) * place.light)
        for _ in range(9):
            offset = rng.normal(0, 0.7, 2)
            _foliage(image, camera, (x + offset[0], y + offset[1], z), 0.8, green, rng)
    _floor(image, camera, place, rng)
    _bays(image, camera, place, rng)
    if rng.random() < 0.6:
        _sign(image, camera, place, rng, (place.left + rng.uniform(0, 6), 1.9, place.wall - 0.7))


def _foliage(
    image: Image,
    camera: Camera,
    at: tuple[float, float, float],
    size: float,
    green: Colour,
    rng: np.random.Generator,
) -> None:
    angles = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    reach = size * rng.uniform(0.6, 1.15, 9)
    ring = np.column_stack(
        (at[0] + np.cos(angles) * reach, at[1] + np.sin(angles) * reach, np.full(9, at[2]))
    )
    outline = camera.outline(ring)
    if len(outline):
        fill(image, smooth(outline, 1), green * rng.uniform(0.75, 1.25))


def _facade(image: Image, camera: Camera, place: Place, rng: np.random.Generator) -> None:
    x = -30.0
    while x < 30:
        width, height = rng.uniform(6, 14), rng.uniform(4, 16)
        if rng.random() < 0.75:
            distance = place.wall + 6
            tone = np.array((rng.uniform(120, 210),) * 3) * (
                1,
                rng.uniform(0.92, 1.0),
                rng.uniform(0.9, 1.08),
            )
            tone = tone * place.light
            shade(image, _wall(camera, x, x + width, 0, height, distance), tone, tone * 0.85)
            lit = tone * 0.45 if place.light > 0.6 or rng.random() < 0.5 else np.array((120.0, 190.0, 225.0))
            for y in np.arange(1.2, height - 1, 2.6):
                for u in np.arange(x + 0.8, x + width - 1.5, 2.2):
                    fill(
                        image,
                        _wall(camera, u, u + 1.3, y, y + 1.3, distance - 0.05),
                        lit * rng.uniform(0.7, 1.2),
                    )
        x += width + rng.uniform(0, 3)


def _sign(
    image: Image, camera: Camera, place: Place, rng: np.random.Generator, at: tuple[float, float, float]
) -> None:
    """A board with letters and digits: what a detector must not take for a plate."""
    x, y, z = at
    width, height = rng.uniform(0.9, 2.2), rng.uniform(0.3, 0.5)
    ground = tuple(int(v) for v in np.array(BANDS[int(rng.integers(len(BANDS)))]) * place.light)
    if rng.random() < 0.4:
        ground = tuple(int(v * place.light) for v in (236, 238, 238))
    ink = (245, 245, 245) if sum(ground) < 450 else (40, 30, 30)
    board = np.full((64, int(64 * width / height), 3), ground, np.uint8)
    text = str(
        rng.choice(("EXIT", "P", "B1", "B2", "A 12", "OUT", "IN", "C-07", "B3 - 24", "H 2.3m", "10 km/h"))
    )
    cv2.putText(board, text, (8, 48), cv2.FONT_HERSHEY_DUPLEX, 1.4, ink, 3, cv2.LINE_AA)
    mask: NDArray[np.uint8] = np.full(board.shape[:2], 255, np.uint8)
    corners = _wall(camera, x, x + width, y, y + height, z).astype(np.float32)
    layer = comp.warp(board, mask, corners, image.shape) if len(corners) == 4 else None
    if layer is not None:
        comp.lay(image, layer)
