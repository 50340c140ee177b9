"""Reads plate crops: text, plate kind, corners. Needs numpy, OpenCV and a runtime; no training library."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kplate.ctc import Path, beam_search, greedy, softmax
from kplate.engines import Network, thread_count
from kplate.engines.runtimes import choice_of
from kplate.errors import WeightsError
from kplate.images import Image, as_image
from kplate.plates.grammar import display, kinds_of, use_of
from kplate.plates.kinds import ELECTRIC_KINDS, UNREAD_KINDS, Kind, Use
from kplate.plates.script import KOREA, Script
from kplate.reader_light import MOST_ODDS, Light, electric_odds, light_of
from kplate.reader_network import ReaderNetwork
from kplate.reader_views import Corners, straighten, to_pixels, upright
from kplate.results import json_line

#: Crops are read at most this many at a time: of more, what is between the layers no longer fits the cache.
_MOST_AT_ONCE: Final = 8
#: Probability of a motorcycle's plate from which on its texts count.
_LOOKS_SO: Final = 0.5
#: Width and height in px at which a plate is straightened where only its colour is looked at.
_PLATE: Final = (192, 64)
#: Odds after the colour's say from which on there is no doubt about an electric vehicle.
_NO_DOUBT: Final = 0.1


@dataclass(frozen=True, slots=True)
class Reading:
    """What a plate crop says.

    Attributes:
        text: Canonical text; ``None`` where the reading is not trusted.
        candidate: The likeliest text, trusted or not; ``None`` where nothing was seen.
        display: The candidate as people write it.
        score: Calibrated probability that the candidate is right, 0..1.
        characters: Probability of each symbol of the candidate.
        kind: What the plate looks like; ``None`` where nothing was seen.
        kind_score: Probability of the kind, 0..1.
        use: What the text says about the vehicle's use; ``None`` where the candidate is no plate's text.
        electric: Whether the plate marks an electric vehicle; ``None`` where colour says nothing.
        corners: Top-left, top-right, bottom-right, bottom-left, in px of the crop.
    """

    text: str | None
    candidate: str | None
    display: str | None
    score: float
    characters: tuple[float, ...]
    kind: str | None
    kind_score: float
    use: str | None
    electric: bool | None
    corners: Corners

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: corners to a tenth of a pixel, scores to four digits."""
        return asdict(self) | {
            "score": round(self.score, 4),
            "characters": [round(value, 4) for value in self.characters],
            "kind_score": round(self.kind_score, 4),
            "corners": [[round(x, 1), round(y, 1)] for x, y in self.corners],
        }

    def to_json(self) -> str:
        """Return the dictionary as one line of JSON, Hangul as it is."""
        return json_line(self.to_dict())


class Reader:
    """Reads plate crops. One reader may be used from several threads at once.

    Attributes:
        networks: What looks at crops: the network that reads, and what finds the plate's corners for it.
        manifest: What is known about the network that reads.
        script: The symbols and the grammar that it reads by, as its manifest says.
        min_score: Readings below this score are not trusted.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
        min_score: float | None = None,
        engine: str | None = None,
        precision: str | None = None,
    ) -> None:
        """Load a reader.

        Args:
            weights: Folder, manifest or network; ``None`` for the network that ships with kplate.
            threads: Cores that one call may use.
            min_score: Readings below this score are not trusted; ``None`` for the manifest's threshold.
            engine: What runs the network, such as ``litert`` or ``onnx:cuda``; ``None`` for the fastest that
                is installed.
            precision: ``float32``, ``float16`` or ``int8``; ``None`` for the most precise there is.

        Raises:
            EngineError: There is no such engine, it is not installed, or there is no network for it.
            WeightsError: The network cannot be used.
            ValueError: ``threads`` or ``min_score`` is out of range.
        """
        if min_score is not None and not 0 <= min_score <= 1:
            raise ValueError(f"min_score must be from 0 to 1, not {min_score}")
        self.networks = ReaderNetwork(weights, threads=threads, engine=engine, precision=precision)
        self.manifest = self.networks.manifest
        try:
            self.script = Script(self.manifest.alphabet, self.manifest.extra.get("grammar", KOREA))
            self._kinds = tuple(Kind(kind) for kind in self.manifest.kinds)
        except ValueError as error:
            raise WeightsError(f"cannot use {self.networks.network.path}: {error}") from None
        self._automaton = self.script.automaton
        on_cores = choice_of(engine).provider in (None, "cpu")
        self._workers = thread_count(threads) if on_cores else 1
        self._alone = partial(ReaderNetwork, weights, threads=1, engine=engine, precision=precision)
        self.min_score = self.manifest.threshold if min_score is None else min_score

    @property
    def network(self) -> Network:
        """The network that reads, and what runs it."""
        return self.networks.network

    def __call__(self, image: Image | str | os.PathLike[str]) -> Reading:
        """Read one crop.

        Args:
            image: A path or a uint8 H x W x 3 BGR array that shows one plate.

        Raises:
            ImageError: The picture cannot be read.
        """
        return self.read_batch([as_image(image)])[0]

    def read_batch(self, images: Sequence[Image], *, light: Light | None = None) -> list[Reading]:
        """Read several crops at once.

        A plate whose reading is not trusted gets a second look, straightened by the corners that the first
        look found: turned and slanted plates then fill the network's input. The surer reading counts.

        Args:
            images: uint8 H x W x 3 BGR arrays.
            light: Of the picture that the crops come from; ``None`` judges each crop by itself.
        """
        places = range(0, len(images), _MOST_AT_ONCE)
        parts = [images[start : start + _MOST_AT_ONCE] for start in places]
        if len(parts) == 1 or self._workers == 1:
            found = [self._read(self.networks, part, light) for part in parts]
        else:
            # Each thread takes crops of its own: that divides the work before and after the networks as well.
            with ThreadPoolExecutor(self._workers) as pool:
                found = list(pool.map(lambda part: self._read(self._for_one_thread, part, light), parts))
        return [reading for part in found for reading in part]

    @cached_property
    def _for_one_thread(self) -> ReaderNetwork:
        """The networks once more, for many crops, opened when the first come."""
        return self._alone()

    def _read(self, networks: ReaderNetwork, images: Sequence[Image], light: Light | None) -> list[Reading]:
        """Read a part of a batch."""
        lights = [light or light_of(image) for image in images]
        readings = self._look(networks, images, lights)
        again = [i for i, reading in enumerate(readings) if reading.text is None and reading.candidate]
        views = [straighten(images[i], readings[i].corners) for i in again]
        pairs = [(i, view) for i, view in zip(again, views, strict=True) if view is not None]
        second = self._look(networks, [view.image for _, view in pairs], [lights[i] for i, _ in pairs])
        for (i, view), reading in zip(pairs, second, strict=True):
            if reading.score > readings[i].score:
                readings[i] = replace(reading, corners=view.back(reading.corners))
        return readings

    def _look(
        self, networks: ReaderNetwork, images: Sequence[Image], lights: Sequence[Light]
    ) -> list[Reading]:
        """Read crops as they are."""
        if not images:
            return []
        seen = networks.run(images)
        if seen.logits.shape[-1] != self.script.blank + 1:
            raise WeightsError(
                f"cannot use {self.manifest.file}: it has {seen.logits.shape[-1] - 1} symbols, "
                f"its manifest's alphabet {self.script.blank}"
            )
        steps = softmax(seen.logits, self.manifest.temperature)
        kinds = softmax(seen.kinds) if seen.kinds.shape[1] else seen.kinds
        plates: Sequence[Image | None] = seen.plates or [None] * len(images)
        rows = zip(images, lights, steps, kinds, seen.corners, plates, strict=True)
        return [self._interpret(*row) for row in rows]

    def _interpret(
        self,
        image: Image,
        light: Light,
        steps: NDArray[np.float32],
        kinds: NDArray[np.float32],
        corners: NDArray[np.float32],
        plate: Image | None,
    ) -> Reading:
        quad = to_pixels(corners, *image.shape[1::-1])
        alphabet = self.script.alphabet
        paths = beam_search(steps, self._automaton, alphabet=alphabet)
        likeliest = self._likeliest(paths, kinds)
        best = likeliest or greedy(steps, alphabet)
        if not best.text:
            return Reading(None, None, None, 0.0, (), None, 0.0, None, None, quad)
        score = min(best.probability, 1.0) if likeliest else 0.0
        text = best.text if likeliest and score >= self.min_score else None
        if light.coloured:
            straight = upright(image, corners, _PLATE) if plate is None else plate
            kinds = self._by_colour(kinds, straight, light)
        kind, kind_score = self._kind(kinds, best)
        electric = kind in ELECTRIC_KINDS if light.coloured and kind else None
        shown, use = (display(best.text), use_of(best.text)) if self._automaton else (best.text, None)
        return Reading(
            text, best.text, shown, score, best.characters,
            kind and kind.value, kind_score, use, electric, quad,
        )  # fmt: skip

    def _likeliest(self, paths: list[Path], kinds: NDArray[np.float32]) -> Path | None:
        """Choose the first text; those of motorcycles are cars' less a number, so the plate must look so."""
        machine = Kind.MOTORCYCLE_OLD
        if machine not in self._kinds or kinds[self._kinds.index(machine)] > _LOOKS_SO:
            return paths[0] if paths else None
        return next((path for path in paths if use_of(path.text) is not Use.MOTORCYCLE), None)

    def _by_colour(self, kinds: NDArray[np.float32], plate: Image, light: Light) -> NDArray[np.float32]:
        """Weigh the kinds of electric vehicles against the others by the colour of the plate's ground."""
        electric = [i for i, kind in enumerate(self._kinds) if kind in ELECTRIC_KINDS]
        if not electric:
            return kinds
        looks_electric = float(kinds[electric].sum())
        against = max(1 - looks_electric, 0.0)
        if min(looks_electric, against) * MOST_ODDS < _NO_DOUBT * max(looks_electric, against):
            return kinds  # no colour could change this
        weighed = kinds.copy()
        weighed[electric] *= np.exp(electric_odds(plate, light))
        weighed /= weighed.sum()
        return weighed

    def _kind(self, kinds: NDArray[np.float32], best: Path) -> tuple[Kind | None, float]:
        """Choose the likeliest kind that can carry the text; any kind where none can.

        A network that tells no kinds leaves it to the grammar, where only one kind can carry the text.
        """
        possible = frozenset(kinds_of(best.text))
        if not self._kinds:
            readable = list(possible - UNREAD_KINDS)
            if self._automaton is None or len(readable) != 1:
                return None, 0.0
            return readable[0], min(best.probability, 1.0)
        fitting = [i for i, kind in enumerate(self._kinds) if kind in possible]
        among = fitting or list(range(len(self._kinds)))
        index = max(among, key=lambda i: float(kinds[i]))
        return self._kinds[index], float(kinds[index])
