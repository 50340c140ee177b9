"""What a camera and the weather do to a picture: light, blur, noise, compression.

Each function takes a uint8 H x W x 3 BGR image and a random generator, and returns a new image of the same
shape. Small pictures are the common case (plate crops), so each is a handful of whole-array operations.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate.images import Image

Field = NDArray[np.float32]


def smooth_field(rng: np.random.Generator, width: int, height: int, cells: tuple[int, int] = (2, 6)) -> Field:
    """Return smooth random values in 0..1, float32 H x W."""
    coarse = rng.random((int(rng.integers(2, cells[0] + 2)), int(rng.integers(2, cells[1] + 2))), np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1).astype(np.float32)


def _apply_curve(image: Image, curves: Field) -> Image:
    """Apply one 256-step curve to each channel; ``curves`` is float 3 x 256 in 0..255."""
    lut = np.clip(curves, 0, 255).astype(np.uint8).T.reshape(1, 256, 3)
    return cv2.LUT(image, np.ascontiguousarray(lut)).astype(np.uint8, copy=False)


def exposure(image: Image, rng: np.random.Generator) -> Image:
    """Change gain, gamma, black level and white balance: sun, shade, sodium lamps, screens."""
    x = np.linspace(0, 1, 256, dtype=np.float32)
    style = rng.random()
    gamma = float(np.exp(rng.normal(0, 0.3)))
    gain = float(np.exp(rng.normal(-0.15, 0.3)))
    lift = 0.0
    if style < 0.10:  # hazy: grey on grey
        gain, lift = float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.1, 0.5))
    elif style < 0.2:  # over-exposed
        gain = float(rng.uniform(1.2, 1.75))
    elif style < 0.34:  # dark
        gain = float(rng.uniform(0.15, 0.5))
    curve = (x**gamma) * gain + lift
    spread = 0.05 if rng.random() < 0.7 else 0.17
    balance = np.exp(rng.normal(0, spread, 3))
    if rng.random() < 0.12:  # warm lamps
        balance *= np.array((rng.uniform(0.4, 0.8), rng.uniform(0.75, 0.95), 1.05))
    curves = curve[None] * balance.astype(np.float32)[:, None] * 255
    return _apply_curve(image, curves.astype(np.float32))


def monochrome(image: Image, rng: np.random.Generator) -> Image:
    """Turn into the grey picture of an infra-red or black-and-white camera, at times tinted.

    Infra-red light is reflected by grounds and swallowed by paint in other shares than visible light, so the
    channels are mixed at random, which makes green grounds dark as well as light.
    """
    weights = rng.dirichlet((1.2, 1.2, 1.2))
    grey = cv2.transform(image, weights.reshape(1, 3).astype(np.float32)).astype(np.uint8)
    result = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    if rng.random() < 0.25:
        x = np.linspace(0, 255, 256, dtype=np.float32)
        tint = 1 + rng.normal(0, 0.06, 3).astype(np.float32)
        result = _apply_curve(result.astype(np.uint8), x[None] * tint[:, None])
    return result.astype(np.uint8, copy=False)


def shadow(image: Image, rng: np.random.Generator) -> Image:
    """Lay a straight-edged shadow over a part, or a gradient of light over the whole."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        field = smooth_field(rng, width, height)
        factor = rng.uniform(0.3, 0.8) + field * rng.uniform(0.3, 0.9)
    else:
        angle = rng.uniform(0, 2 * np.pi)
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        distance = (xs - rng.uniform(0, width)) * np.cos(angle) + (ys - rng.uniform(0, height)) * np.sin(
            angle
        )
        softness = float(rng.uniform(0.5, max(2.0, height / 4)))
        dark = rng.uniform(0.25, 0.75)
        factor = dark + (1 - dark) / (1 + np.exp(-np.clip(distance / softness, -30, 30)))
    shaded = np.clip(image * factor[..., None].astype(np.float32), 0, 255)
    return np.asarray(shaded, np.uint8)


def glare(image: Image, rng: np.random.Generator) -> Image:
    """Add a blob or a streak of light: sun on the film, a lamp above the plate."""
    height, width = image.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    cx, cy = rng.uniform(0, width), rng.uniform(-0.3 * height, 1.3 * height)
    rx, ry = rng.uniform(0.08, 0.5) * width, rng.uniform(0.2, 1.2) * height
    blob = np.exp(-(((xs - cx) / rx) ** 2) - ((ys - cy) / ry) ** 2) * rng.uniform(40, 230)
    return np.asarray(np.clip(image + blob[..., None], 0, 255), np.uint8)


def headlights(image: Image, rng: np.random.Generator) -> Image:
    """Look into the car's own headlights: a glow from either side, a veil of stray light, a dimmed rest."""
    height, width = image.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    level = float(rng.uniform(-0.8, 0.6)) * height  # of the lamps, which sit beside the plate or above it
    reach = float(rng.uniform(0.2, 0.55)) * width
    left, right = -float(rng.uniform(0.05, 0.4)) * width, float(rng.uniform(1.05, 1.4)) * width
    far = ((ys - level) / reach) ** 2
    glow = np.exp(-(((xs - left) / reach) ** 2) - far) + np.exp(-(((xs - right) / reach) ** 2) - far)
    light = glow * float(rng.uniform(90, 255)) + float(rng.uniform(0, 50))
    tint = np.array((rng.uniform(0.75, 1.05), rng.uniform(0.92, 1.0), 1.0), np.float32)
    dimmed = image * np.float32(rng.uniform(0.35, 0.9))
    return np.asarray(np.clip(dimmed + light[..., None] * tint, 0, 255), np.uint8)


def motion_blur(image: Image, rng: np.random.Generator, length: float) -> Image:
    """Blur along a direction, mostly near the horizontal; ``length`` in px."""
    size = max(3, int(np.ceil(length)) | 1)
    angle = rng.normal(0, 0.35) if rng.random() < 0.8 else rng.uniform(0, np.pi)
    kernel = np.zeros((size, size), np.float32)
    centre, half = size // 2, length / 2
    dx, dy = np.cos(angle) * half, np.sin(angle) * half
    ends = ((centre - dx) * 16, (centre - dy) * 16), ((centre + dx) * 16, (centre + dy) * 16)
    first, second = ((round(x), round(y)) for x, y in ends)
    cv2.line(kernel, first, second, (1.0,), 1, cv2.LINE_AA, 4)
    total = float(kernel.sum())
    if total <= 0:
        return image
    return cv2.filter2D(image, -1, kernel / total, borderType=cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )


def focus_blur(image: Image, rng: np.random.Generator, sigma: float) -> Image:
    """Blur as an unfocused lens does; ``sigma`` in px."""
    if rng.random() < 0.3:
        size = max(2, round(sigma * 2))
        return cv2.blur(image, (size, size), borderType=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )


def sharpen(image: Image, rng: np.random.Generator) -> Image:
    """Over-sharpen, as cameras and phones do: halos along edges."""
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.7, 2.0)))
    amount = float(rng.uniform(0.5, 2.0))
    return cv2.addWeighted(image, 1 + amount, soft, -amount, 0).astype(np.uint8, copy=False)


def sensor_noise(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Add shot and read noise; ``strength`` is the standard deviation at mid grey, in steps of 255."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        noise = rng.standard_normal((height, width, 1), np.float32) * np.ones((1, 1, 3), np.float32)
    else:
        noise = rng.standard_normal((height, width, 3), np.float32)
    if rng.random() < 0.3:  # coarse grain: noise before the camera's own scaling
        noise = cv2.GaussianBlur(noise, (0, 0), 0.8) * 2.0
    level = np.sqrt(np.maximum(image.astype(np.float32), 6) / 128)
    return np.clip(image + noise * level * strength, 0, 255).astype(np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """Compress to ``quality``, 0 to 100, and decompress.

    Raises:
        ValueError: The picture is too large for JPEG.
    """
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"cannot compress a picture of shape {image.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded.astype(np.uint8, copy=False)


def rescale(image: Image, rng: np.random.Generator, factor: float) -> Image:
    """Lose resolution: shrink by ``factor`` (below 1) and enlarge again."""
    height, width = image.shape[:2]
    small = (max(8, round(width * factor)), max(4, round(height * factor)))
    down = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[int(rng.choice(3, p=(0.6, 0.35, 0.05)))]
    reduced = cv2.resize(image, small, interpolation=down)
    return cv2.resize(reduced, (width, height), interpolation=up).astype(np.uint8, copy=False)


def rain(image: Image, rng: np.random.Generator) -> Image:
    """Draw drops on the lens or streaks in the air."""
    height, width = image.shape[:2]
    result = image.copy()
    for _ in range(int(rng.integers(2, 12))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        radius = int(rng.integers(1, max(2, height // 10)))
        x1, y1, x2, y2 = (
            max(x - radius, 0),
            max(y - radius, 0),
            min(x + radius, width),
            min(y + radius, height),
        )
        if x2 - x1 > 1 and y2 - y1 > 1:
            patch = cv2.blur(result[y1:y2, x1:x2], (2 * radius + 1, 2 * radius + 1))
            result[y1:y2, x1:x2] = np.clip(patch.astype(np.int16) + int(rng.integers(-15, 40)), 0, 255)
    return result
