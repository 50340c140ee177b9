"""How a bay looks with the vehicle that stands in it, remembered apart for light of each strength."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kplate.bays.looks import COLUMNS, SHAPE, Look, light_of, likeness, look_of
from kplate.bays.scene import Scene, covered, renewed
from kplate.images import Image
from kplate.results import Box

Array = NDArray[Any]
#: A place looks the same from the first likeness on, and different below the second.
_ALIKE: Final = 0.5
_UNLIKE: Final = 0.3
#: Light that has changed by more than this factor makes other edges, so that a bay may look unlike itself.
_SWITCHED: Final = 1.6
#: Something hides a part of the vehicle from this share of its columns on.
_HIDES: Final = 0.15
#: Below this light (0..255) nothing can be told.
DARK: Final = 30.0


@dataclass(frozen=True, slots=True)
class Picture:
    """What a frame shows, as far as bays are compared with it.

    Attributes:
        image: uint8 H x W x 3 BGR.
        light: How light it is, 0..255.
        scene: The image in few cells.
        single: There was no picture shortly before it.
    """

    image: Image
    light: float
    scene: Scene
    single: bool

    @classmethod
    def of(cls, image: Image, single: bool) -> "Picture":
        """Return what a frame shows.

        Args:
            image: uint8 H x W x 3 BGR.
            single: See the attribute.
        """
        return cls(image, light_of(image), Scene.of(image), single)


@dataclass(frozen=True, slots=True)
class _Moment:
    """How the bay looked in light of one strength.

    Attributes:
        look: The place of the vehicle.
        grounds: All of the picture without what passed: as it is, and as it was before.
        last: The picture when it was last renewed.
    """

    look: Look
    grounds: tuple[Scene, ...]
    last: Scene


@dataclass(slots=True)
class Memory:
    """How a bay looks with its vehicle."""

    _moments: list[_Moment] = field(default_factory=list)
    _glance: Look | None = None
    _before: list[_Moment] = field(default_factory=list)

    def clear(self) -> None:
        """Forget how the vehicle looks: it stands in another place now. The ground before it is the same."""
        self._moments, self._before = [], self._moments

    def seen(self) -> None:
        """Note that the vehicle was found: rest begins anew."""
        self._glance = None

    def remember(self, picture: Picture, place: Box) -> None:
        """Note how the vehicle looks.

        Args:
            picture: A frame.
            place: Where the vehicle stands in it, px.
        """
        look = look_of(picture.image, place, picture.light)
        if look is None or picture.light < DARK:
            return
        known = self._known(look.light)
        scene = picture.scene
        grounds = (scene,) if known is None else renewed(known.grounds, known.last, scene)
        others = [moment for moment in self._moments if not _same_light(moment.look.light, look.light)]
        self._moments = [*others, _Moment(look, grounds, scene)]

    def refresh(self, picture: Picture) -> None:
        """Bring the ground up to date while the vehicle is in view: what has come to rest belongs to it.

        Args:
            picture: A frame.
        """
        self._moments = [
            replace(moment, grounds=renewed(moment.grounds, moment.last, picture.scene), last=picture.scene)
            if _same_light(moment.look.light, picture.light)
            else moment
            for moment in self._moments
        ]

    def _known(self, light: float) -> _Moment | None:
        """Return what is remembered of light of some strength."""
        moments = (*self._moments, *self._before)
        return next((moment for moment in moments if _same_light(moment.look.light, light)), None)

    def hides(self, picture: Picture, place: Box) -> bool:
        """Tell whether something hides a part of the vehicle, to judge by the ground before the bay.

        Args:
            picture: A frame.
            place: Where the vehicle stands, px.
        """
        found = (
            covered(moment.grounds, picture.scene, place, COLUMNS)
            for moment in self._moments
            if _same_light(moment.look.light, picture.light)
        )
        return any(columns is not None and columns.mean() >= _HIDES for columns in found)

    def alike(self, picture: Picture, place: Box, covers: Sequence[Box]) -> bool | None:
        """Tell whether the bay looks as it did with the vehicle; None where that cannot be told.

        Args:
            picture: A frame.
            place: Where the vehicle stood, px.
            covers: Boxes of other vehicles that stand before it, px.
        """
        now = look_of(picture.image, place, picture.light)
        if picture.light < DARK or now is None:
            return None
        ground = (now.part[0], place[1], now.part[2], place[3])
        unlike = False
        for moment in self._moments:
            value = likeness(moment.look, now, covers)
            if value is None:
                return None
            if value >= _ALIKE:
                return True
            if value < _UNLIKE and _same_light(moment.look.light, now.light):
                hidden = covered(moment.grounds, picture.scene, ground, COLUMNS)
                unlike |= _below(likeness(moment.look, now, covers, hidden), _UNLIKE)
        return False if unlike else None

    def rests(self, picture: Picture, place: Box) -> bool:
        """Tell whether the bay looks as in the frame before; a picture by itself is taken to be at rest.

        An empty bay is at rest; what drives or walks by before it, found or not, is not.

        Args:
            picture: A frame.
            place: Where the vehicle stood, px.
        """
        before, self._glance = self._glance, look_of(picture.image, place, picture.light)
        if picture.single:
            return True
        if before is None or self._glance is None:
            return False
        return not _below(likeness(before, self._glance, ()), _ALIKE)

    def packed(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Array]]]:
        """Yield what is remembered as plain values and arrays, for keeping."""
        for moment in self._moments:
            part = [round(float(side), 1) for side in moment.look.part]
            values = {"part": part, "light": round(moment.look.light, 1), "scale": list(moment.last.scale)}
            grounds = np.stack([ground.cells for ground in moment.grounds])
            cells = np.rint(np.clip(grounds, 0, 255)).astype(np.uint8)
            yield values, {"edges": moment.look.edges.astype(np.float16), "cells": cells}

    @classmethod
    def unpacked(cls, moments: Iterable[tuple[Mapping[str, Any], Mapping[str, Array]]]) -> "Memory":
        """Return what :meth:`packed` has yielded.

        Raises:
            ValueError: It is none of that; also KeyError or TypeError.
        """
        found = []
        for values, arrays in moments:
            edges, cells = arrays["edges"].astype(np.float32), arrays["cells"].astype(np.float32)
            left, top, right, bottom = (float(side) for side in values["part"])
            across, down = (float(scale) for scale in values["scale"])
            look = Look(edges, (left, top, right, bottom), float(values["light"]))
            if edges.shape != SHAPE or cells.ndim != 4 or cells.shape[3] != 3 or not len(cells):
                raise ValueError("an array has the wrong size")
            grounds = tuple(Scene(ground, (across, down)) for ground in cells)
            found.append(_Moment(look, grounds, grounds[0]))
        return cls(found)


def _below(value: float | None, limit: float) -> bool:
    return value is not None and value < limit


def _same_light(first: float, second: float) -> bool:
    return max(first, second) <= _SWITCHED * max(1.0, min(first, second))
