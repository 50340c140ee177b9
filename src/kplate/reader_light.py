"""What light a picture was taken in, and what colour a plate's ground has in it.

Electric vehicles' plates differ from white ones in little more than a light blue ground, and the sky paints
white plates blue. The network sees one plate; the whole picture shows what the light does to everything.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from kplate.images import Image

#: A picture shows colour where this share of its pixels differs from one common tint by so many steps of 255.
#: Grey cameras stay under 2 steps; colour photographs of a white car on grey ground reach 9.
_COLOUR_STEPS: Final = 5.0
_COLOUR_SHARE: Final = 0.02
#: Pixels of a picture that are looked at for colour, at most.
_SAMPLED: Final = 2048
#: Pixels darker than this say nothing about colour.
_DARK: Final = 16.0
#: Pixels with a channel above the first and all above the second are left out: a tint that is clipped in one
#: channel looks like colour there.
_CLIPPED: Final = (245.0, 100.0)
#: Rows and columns of a plate's ground that are looked at, about, and how many are left out at its edges,
#: where the border and the bolts are.
_GROUND: Final = (16, 48)
_EDGE: Final = (2, 3)
#: Share of a plate's brightest pixels that are ground, at least.
_BRIGHT: Final = 0.4
#: A picture's own blueness is light only in part: the rest is the sky and the car in it.
_LIGHT_SHARE: Final = 0.5
#: Blueness halfway between the grounds as cameras see them: 0 for white, 0.28 by the notice (183, 229, 245)
#: and up to 1.1 in photographs for electric vehicles; and what it is worth in log-odds. Set by eye, with the
#: 98 cars of docs/experiments.md in view.
_HALFWAY: Final = 0.22
_WORTH: Final = 20.0
_MOST: Final = 6.0
MOST_ODDS: Final = math.exp(_MOST)
"""The colour's say at most: by what it multiplies the odds of an electric vehicle, or divides them."""


@dataclass(frozen=True, slots=True)
class Light:
    """What a picture says about its light.

    Attributes:
        coloured: Whether it shows colours, not shades of one tint as infra-red and grey cameras do.
        blueness: How much bluer than red it is on the whole, as a share of its level; 0 in neutral light.
    """

    coloured: bool
    blueness: float = 0.0


def light_of(image: Image) -> Light:
    """Judge the light of a picture.

    Args:
        image: uint8 H x W x 3 BGR.
    """
    step = math.ceil(math.sqrt(image.shape[0] * image.shape[1] / _SAMPLED))
    channels = np.ascontiguousarray(image[::step, ::step].reshape(-1, 3).T, np.float32)
    total = channels.sum(0)
    usable = (total > 3 * _DARK) & ((channels.max(0) <= _CLIPPED[0]) | (channels.min(0) <= _CLIPPED[1]))
    sums = channels @ usable.astype(np.float32)
    level = float(sums.sum())
    if not level:
        return Light(False)
    off = (np.abs(channels - total * (sums / level)[:, None]) > _COLOUR_STEPS).any(0) & usable
    coloured = np.count_nonzero(off) > _COLOUR_SHARE * np.count_nonzero(usable)
    return Light(bool(coloured), float(3 * (sums[0] - sums[2]) / level))


def electric_odds(plate: Image, light: Light) -> float:
    """Return what the ground's colour says for an electric vehicle's plate and against a white one.

    Args:
        plate: Straightened, uint8 H x W x 3 BGR.
        light: Of the picture that the plate comes from.

    Returns:
        Log-odds from -6 to 6.
    """
    blueness = _ground_blueness(plate) - _LIGHT_SHARE * light.blueness
    return min(max(_WORTH * (blueness - _HALFWAY), -_MOST), _MOST)


def _ground_blueness(plate: Image) -> float:
    """Return how much bluer than red the plate's ground is, as a share of its level."""
    down, across = (max(1, side // most) for side, most in zip(plate.shape[:2], _GROUND, strict=True))
    sampled = plate[down // 2 :: down, across // 2 :: across]
    inner = sampled[_EDGE[0] : -_EDGE[0], _EDGE[1] : -_EDGE[1]].reshape(-1, 3).astype(np.float32)
    level = inner @ np.ones(3, np.float32)
    place = int(len(level) * (1 - _BRIGHT))
    ground = inner[level >= np.partition(level, place)[place]]
    blue, green, red = np.partition(ground, len(ground) // 2, axis=0)[len(ground) // 2].tolist()
    return float(3 * (blue - red) / max(blue + green + red, 1.0))
