"""Training batches: a random part of a random picture, at a random size, in random light.

Geometry is a single warp straight to the network's input, light a single table look-up a channel, so that the
pictures cost a few milliseconds on the core that trains.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.classes import CLASSES
from kplate.training.data import PERMIT, PLATE, Array, Pool, Record

Image = NDArray[np.uint8]

MIN_VISIBLE = 0.45  # share of an object that must stay in the frame for it to be taught
MIN_SIDE = 6.0  # px; smaller objects are ignored
GREY_PERMIT = 24.0  # px; smaller permits are not taught in grey pictures
FLIP = 0.5
MOSAIC = 0.4  # four pictures in one: what is far away without a frame of nothing around it
FOCUS = 0.42  # how often the view is laid around an object
ZOOM = (0.75, 1.05, 2.6)  # least, likeliest and largest enlargement, 1 = the whole picture fills the frame
SHIFT = 0.12  # share of the frame by which a picture may leave its middle
PERSPECTIVE = 0.25  # how often a picture is seen from a slant
SLANT = 0.12  # and by how much: relative change of scale over half a frame
INFRA_RED = 0.3  # share of grey pictures in which plates shine, as they do under infra-red light


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step trains on: pictures N x H x W x 3 uint8 BGR, labels as `nets.losses.Targets` has them."""

    pictures: Image
    objects: Array
    ignored: Array
    negatives: Array


class Sampler:
    """Draws batches from pools.

    Args:
        pools: Sources with their shares.
        rng: Source of randomness.
        classes: Names of the classes; kplate's own get views and light of their own.
    """

    def __init__(
        self, pools: Sequence[Pool], rng: np.random.Generator, classes: Sequence[str] = CLASSES
    ) -> None:
        self.classes = len(classes)
        self.plate = classes.index(CLASSES[PLATE]) if CLASSES[PLATE] in classes else None
        self.permit = classes.index(CLASSES[PERMIT]) if CLASSES[PERMIT] in classes else None
        self.pools = [pool for pool in pools if pool.records]
        shares = np.asarray([pool.share for pool in self.pools])
        self.shares = shares / shares.sum()
        self.rng = rng

    def batch(self, count: int, height: int, width: int) -> Batch:
        """One batch of `count` pictures of `height` x `width` px."""
        pictures = np.empty((count, height, width, 3), np.uint8)
        objects, ignored, negatives = [], [], np.ones((count, self.classes), np.float32)
        for n in range(count):
            found, unsure, negatives[n] = self._draw(pictures[n])
            objects.append(np.insert(found, 0, n, axis=1))
            ignored.append(np.insert(unsure, 0, n, axis=1))
        return Batch(pictures, np.concatenate(objects), np.concatenate(ignored), negatives)

    def _draw(self, canvas: Image) -> tuple[Array, Array, Array]:
        if self.rng.random() >= MOSAIC:
            objects, ignored, negatives = self._place(canvas)
            degrade(canvas, self.rng)
            return objects, ignored, negatives
        height, width = canvas.shape[:2]
        y, x = int(height * self.rng.uniform(0.35, 0.65)), int(width * self.rng.uniform(0.35, 0.65))
        found_all: list[Array] = []
        unsure_all: list[Array] = []
        weights: list[Array] = []
        for top, bottom in ((0, y), (y, height)):
            for left, right in ((0, x), (x, width)):
                tile = np.empty((bottom - top, right - left, 3), np.uint8)
                shift = np.array([0, left, top, left, top], np.float32)
                found, unsure, negative = self._place(tile)
                canvas[top:bottom, left:right] = tile
                found_all.append(found + shift)
                unsure_all.append(unsure + shift)
                area = [
                    [label, left, top, right, bottom] for label in range(self.classes) if negative[label] == 0
                ]
                unsure_all.append(np.asarray(area, np.float32).reshape(-1, 5))
                weights.append(negative)
        degrade(canvas, self.rng)
        negatives = np.stack(weights)
        lowest = np.where(negatives > 0, negatives, np.inf).min(0)
        lowest = np.where(np.isinf(lowest), 0, lowest).astype(np.float32)
        return np.concatenate(found_all), np.concatenate(unsure_all), lowest

    def _place(self, canvas: Image) -> tuple[Array, Array, Array]:
        """Fills the canvas with a view of a random picture; gives objects, ignored regions, weights."""
        pool = self.pools[self.rng.choice(len(self.pools), p=self.shares)]
        picture, record, scale = pool.draw(self.rng)
        height, width = canvas.shape[:2]
        matrix, picture = self._view(picture, record, scale, height, width)
        if self.rng.random() < PERSPECTIVE:
            matrix = slant(width, height, self.rng) @ np.vstack((matrix, (0, 0, 1)))
        warp = cv2.warpAffine if len(matrix) == 2 else cv2.warpPerspective
        fill = int(self.rng.integers(0, 256))
        warp(
            picture,
            between_middles(matrix),
            (width, height),
            dst=canvas,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(fill, fill, fill),
        )
        grey = recolour(canvas, self.rng)
        own = picture.shape[1] / record.width
        objects, lost = move(record.objects, matrix, own, height, width)
        if grey:
            if self.plate is not None and self.rng.random() < INFRA_RED:
                shine(canvas, objects[objects[:, 0] == self.plate, 1:], self.rng)
            sides = (objects[:, 3:] - objects[:, 1:3]).max(axis=1, initial=0.0)
            # A small permit without its colour is a badge.
            doubtful = (objects[:, 0] == self.permit) & (sides < GREY_PERMIT)
            objects, lost = objects[~doubtful], np.concatenate((lost, objects[doubtful]))
        unsure, rest = move(record.ignored, matrix, own, canvas.shape[0], canvas.shape[1])
        return objects, np.concatenate((lost, unsure, rest)), np.asarray(record.negatives, np.float32)

    def _view(
        self, picture: Image, record: Record, scale: float, height: int, width: int
    ) -> tuple[NDArray[np.float64], Image]:
        """An affine matrix from picture to canvas, and the picture it is meant for (halved for far views)."""
        rng = self.rng
        rows, columns = picture.shape[:2]
        fit = min(width / columns, height / rows)
        zoom = float(fit * np.exp(rng.triangular(*np.log(ZOOM))))
        centre = np.array([columns / 2, rows / 2])
        if record.objects.shape[0] and rng.random() < FOCUS:
            plates = record.objects[record.objects[:, 0] == self.plate]
            permits = record.objects[record.objects[:, 0] == self.permit]
            near = permits if len(permits) and rng.random() < 0.5 else plates
            among = near if len(near) else record.objects
            box = among[int(rng.integers(len(among))), 1:] * scale
            centre = (box[:2] + box[2:]) / 2
            largest = 0.3 if near is permits else 0.85
            target = np.exp(rng.uniform(np.log(8), np.log(largest * width)))
            if len(near):
                zoom = float(np.clip(target / max(2.0, box[2] - box[0]), 0.6 * fit, 4.0 * fit))
        if zoom < 0.6:
            smaller = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            picture = np.asarray(smaller, np.uint8)
            centre, zoom = centre / 2, zoom * 2
        room = np.maximum(
            np.array([width, height]) * SHIFT, np.abs(np.array([columns, rows]) * fit - [width, height]) / 2
        )
        at = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * room
        angle = np.deg2rad(rng.normal(0, 3.0))
        squeeze = np.exp(rng.normal(0, 0.08))
        flip = -1.0 if rng.random() < FLIP else 1.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shear = np.array([[1.0, rng.normal(0, 0.04)], [rng.normal(0, 0.02), 1.0]])
        linear = turn @ shear @ np.diag([flip * zoom * squeeze, zoom / squeeze])
        return np.concatenate((linear, (at - linear @ centre)[:, None]), axis=1), picture


def between_middles(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map for OpenCV's warps, which count from the middle of the first px; boxes count from edges.

    Args:
        matrix: 2 x 3 or 3 x 3, between positions counted from the edge.
    """
    half = np.array(((1, 0, 0.5), (0, 1, 0.5), (0, 0, 1)))
    whole = np.vstack((matrix, (0, 0, 1))) if len(matrix) == 2 else matrix
    return np.asarray((np.linalg.inv(half) @ whole @ half)[: len(matrix)])


def slant(width: int, height: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A perspective, 3 x 3, that leaves the middle of a frame where it is and the corners near theirs."""
    middle = np.array(((1, 0, -width / 2), (0, 1, -height / 2), (0, 0, 1)), np.float64)
    change = np.eye(3)
    change[2, :2] = rng.uniform(-SLANT, SLANT, 2) * 2 / np.array((width, height))
    return np.asarray(np.linalg.inv(middle) @ change @ middle)


def shine(image: Image, boxes: Array, rng: np.random.Generator) -> None:
    """Darkens a grey picture and lets plates throw the camera's own light back, in place."""
    lit = np.full(image.shape[:2], rng.uniform(0.3, 0.8), np.float32)
    for x1, y1, x2, y2 in boxes.astype(int):
        lit[y1:y2, x1:x2] = rng.uniform(1.0, 1.7)
    image[:] = np.clip(image * lit[..., None], 0, 255).astype(np.uint8)


def move(
    rows: Array, matrix: NDArray[np.float64], scale: float, height: int, width: int
) -> tuple[Array, Array]:
    """Boxes after a warp, clipped to the canvas: those to teach, and those to ignore.

    Args:
        rows: M x 5 (class, box) in px of the label.
        matrix: 2 x 3 or 3 x 3, from picture to canvas.
        scale: From px of the label to px of the picture.
        height: Canvas height in px.
        width: Canvas width in px.
    """
    if not len(rows):
        return rows, rows
    x1, y1, x2, y2 = (rows[:, 1:] * scale).T
    corners = np.stack((np.stack((x1, x2, x2, x1)), np.stack((y1, y1, y2, y2))))  # 2 x 4 x M
    moved = np.einsum("ij,jkm->ikm", matrix[:, :2], corners) + matrix[:, 2][:, None, None]
    if len(moved) == 3:
        moved = moved[:2] / moved[2:]
    # The mean of the extremes: a box turned by an angle grows, the object in it less so.
    ordered = np.sort(moved, axis=1)
    low, high = ordered[:, :2].mean(1), ordered[:, 2:].mean(1)
    low, high = 0.3 * ordered[:, 0] + 0.7 * low, 0.3 * ordered[:, 3] + 0.7 * high
    limit = np.array([[width], [height]], np.float64)
    inner_low, inner_high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    area = np.prod(np.maximum(high - low, 1e-6), axis=0)
    visible = np.prod(np.maximum(inner_high - inner_low, 0), axis=0) / area
    result = np.column_stack((rows[:, 0], inner_low.T, inner_high.T)).astype(np.float32)
    sides = np.minimum(inner_high - inner_low, 1e9).max(0)
    taught = (visible >= MIN_VISIBLE) & (sides >= MIN_SIDE)
    seen = (visible > 0.02) & ~taught
    return result[taught], result[seen]


def recolour(image: Image, rng: np.random.Generator) -> bool:
    """Changes exposure, gamma, colour cast and saturation in place; sometimes to grey, infra-red or night.

    Returns:
        Whether the picture is grey now.
    """
    kind = rng.random()
    levels = np.arange(256, dtype=np.float32) / 255
    night = kind < 0.08
    gamma = float(np.exp(rng.normal(0, 0.3))) * (rng.uniform(1.5, 2.6) if night else 1.0)
    gain = float(np.exp(rng.normal(0, 0.18))) * (rng.uniform(0.35, 0.8) if night else 1.0)
    curve = (levels**gamma - 0.5) * float(np.exp(rng.normal(0, 0.2))) + 0.5
    cast = np.exp(rng.normal(0, 0.07, 3)).astype(np.float32)
    table = np.clip(curve[:, None] * gain * cast[None] * 255 + rng.normal(0, 8), 0, 255).astype(np.uint8)
    if kind > 0.88 or rng.random() < 0.05:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image[:] = cv2.LUT(np.repeat(grey[:, :, None], 3, axis=2), np.repeat(table[None, :, :1], 3, axis=2))
        return True
    if rng.random() < 0.5:
        keep = float(rng.uniform(0.4, 1.4))
        weights = np.full((3, 3), (1 - keep) / 3, np.float32) + np.eye(3, dtype=np.float32) * keep
        cv2.transform(image, weights, dst=image)
    image[:] = cv2.LUT(image, table[None])
    return False


def degrade(image: Image, rng: np.random.Generator) -> None:
    """Sometimes blurs, adds noise, or compresses the picture, in place."""
    if rng.random() < 0.12:
        image[:] = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))
    if rng.random() < 0.05:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        angle = rng.uniform(0, np.pi)
        middle = (length - 1) / 2
        reach = np.array([np.cos(angle), np.sin(angle)]) * middle
        start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
        cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
        image[:] = cv2.filter2D(image, -1, kernel / kernel.sum())
    if rng.random() < 0.15:
        grain = rng.normal(0, rng.uniform(2, 14), image.shape[:2]).astype(np.int16)
        image[:] = np.clip(image.astype(np.int16) + grain[:, :, None], 0, 255).astype(np.uint8)
    if rng.random() < 0.12:
        quality = int(rng.integers(25, 75))
        coded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if coded else None
        if decoded is not None:
            image[:] = decoded
