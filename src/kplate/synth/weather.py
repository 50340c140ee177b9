"""What night, infra-red lamps and rain do to a whole picture whose plates are known.

Each function takes a uint8 H x W x 3 BGR image, the corners of its plates (each float32 4 x 2 px) and a
random generator, and returns a new image of the same shape.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image
from kplate.synth import effects

Quads = Sequence[NDArray[np.float32]]
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def infra_red(image: Image, plates: Quads, rng: np.random.Generator) -> Image:
    """The grey picture of a camera with lamps of its own by night: plates glare, what is far is black."""
    grey = effects.monochrome(image, rng)[..., 0].astype(np.float32)
    height, width = grey.shape
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = width * rng.uniform(0.35, 0.65), height * rng.uniform(0.45, 0.7)
    reach = width * rng.uniform(0.25, 0.45)
    lamp = np.exp(-(((xs - x) / reach) ** 2) - ((ys - y) / (reach * 0.75)) ** 2)
    light = np.float32(rng.uniform(0.05, 0.16)) + lamp * np.float32(rng.uniform(0.55, 0.9))
    dark = grey * light
    glare = grey * np.maximum(light, 0.3) * np.float32(rng.uniform(1.1, 1.6))  # film throws light back
    share = _plate_share(plates, grey.shape)
    result = dark + (glare - dark) * share
    halo = cv2.GaussianBlur(np.maximum(result - 200, 0) * share, (0, 0), max(1.0, width / 220))
    noisy = np.clip(result + halo * 1.5, 0, 255).astype(np.uint8)
    done = cv2.cvtColor(noisy, cv2.COLOR_GRAY2BGR).astype(np.uint8)
    done = effects.focus_blur(done, rng, float(rng.uniform(0.3, 0.9)))
    grain = rng.standard_normal((height, width)).astype(np.float32) * np.float32(rng.uniform(2, 8))
    done = np.clip(done + grain[..., None], 0, 255).astype(np.uint8)
    return _stamped(done, rng) if rng.random() < 0.6 else done


def night(image: Image, plates: Quads, rng: np.random.Generator) -> Image:
    """Street lamps, plates in the light of lamps, and a sensor at its limit, in a picture that is dark."""
    height, width = image.shape[:2]
    field = effects.smooth_field(rng, width, height, (2, 3))[..., None]
    tint = np.array((rng.uniform(0.55, 0.9), rng.uniform(0.82, 0.98), 1.05), np.float32)
    result = image.astype(np.float32) * (np.float32(0.75) + 0.6 * field) * tint
    share = _plate_share(plates, (height, width))[..., None]
    result *= 1 + share * np.float32(rng.uniform(0.5, 1.3))
    glow = cv2.GaussianBlur(np.maximum(result - 190, 0), (0, 0), width / 90)
    done = np.clip(result + glow * 0.9, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        done = effects.motion_blur(done, rng, float(rng.uniform(1.5, 4)))
    return effects.sensor_noise(done, rng, float(rng.uniform(5, 16)))


def rain(image: Image, plates: Quads, rng: np.random.Generator) -> Image:
    """Grey light, haze, streaks in the air, and drops on the lens that keep clear of nothing."""
    del plates  # drops fall where they fall
    height, width = image.shape[:2]
    grey = image.mean(axis=2, keepdims=True)
    drained = image + (grey - image) * np.float32(rng.uniform(0.25, 0.55))
    haze = np.linspace(rng.uniform(0.25, 0.45), 0.05, height, dtype=np.float32)[:, None, None]
    light = np.float32(rng.uniform(0.55, 0.85))
    result = drained * light * (1 - haze) + np.float32(170 * light) * haze
    done = np.clip(result + _streaks(rng, width, height)[..., None], 0, 255).astype(np.uint8)
    done = _drops(done, rng)
    return effects.focus_blur(done, rng, float(rng.uniform(0.4, 1.1)))


def by_night(image: Image, plates: Quads, rng: np.random.Generator) -> Image:
    """A picture taken by day, as it might be by night."""
    gamma, gain = float(rng.uniform(1.1, 1.6)), float(rng.uniform(0.22, 0.42))
    curve = np.linspace(0, 1, 256) ** gamma * gain * 255
    dark = cv2.LUT(image, curve.astype(np.uint8)).astype(np.uint8)
    return night(dark, plates, rng)


def _drops(image: Image, rng: np.random.Generator) -> Image:
    """Drops on the lens: discs in which everything is blurred and a little brighter, with soft edges."""
    height, width = image.shape[:2]
    share = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(0, 14))):
        centre = int(rng.integers(width)), int(rng.integers(height))
        radius = float(np.exp(rng.uniform(np.log(0.008), np.log(0.045)))) * height
        axes = max(2, round(radius)), max(2, round(radius * float(rng.uniform(0.9, 1.5))))
        cv2.ellipse(share, centre, axes, 0, 0, 360, (255,), -1, cv2.LINE_AA)
    weight = cv2.GaussianBlur(share, (0, 0), height / 250)[..., None] * np.float32(0.85 / 255)
    blurred = cv2.GaussianBlur(image, (0, 0), height / 60) * 1.06 + 6
    return np.clip(image + (blurred - image) * weight, 0, 255).astype(np.uint8)


def _plate_share(plates: Quads, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """How much of each pixel is plate, float32 H x W."""
    mask = np.zeros(shape[:2], np.uint8)
    for quad in plates:
        cv2.fillConvexPoly(mask, np.round(quad * 16).astype(np.int32), (255,), cv2.LINE_AA, 4)
    return np.asarray(mask, np.float32) / np.float32(255)


def _streaks(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Falling drops, as bright lines, float32 H x W."""
    canvas = np.zeros((height, width), np.uint8)
    slant = float(rng.normal(0, 0.12))
    for _ in range(int(width * height * rng.uniform(2e-4, 7e-4))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        length = rng.uniform(0.01, 0.045) * height
        ends = (round(x), round(y)), (round(x + slant * length), round(y + length))
        cv2.line(canvas, *ends, (int(rng.integers(25, 90)),), 1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.8), np.float32)


def _stamped(image: Image, rng: np.random.Generator) -> Image:
    """Write the time and the camera's name into a corner, as recorders do: text that is no plate."""
    height = image.shape[0]
    date = f"{rng.integers(2019, 2027)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    clock = f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}:{rng.integers(0, 60):02d}"
    result = image.copy()
    scale = height / 900
    thick = max(1, round(scale * 2))
    cv2.putText(
        result, f"{date} {clock}", (round(14 * scale), round(38 * scale)), _FONT, scale, (235,) * 3, thick
    )
    name = f"CAM {rng.integers(1, 17):02d}"
    cv2.putText(
        result, name, (round(14 * scale), height - round(18 * scale)), _FONT, scale, (235,) * 3, thick
    )
    return result
