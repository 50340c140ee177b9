"""Turns what single frames show into followed cars and sightings: one for each car and stay."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from kplate.live.agreement import Evidence, Verdict
from kplate.live.model import Frame, FrameResult, Sighting, TrackedVehicle
from kplate.live.tracking import Observation, Track, assign, observe
from kplate.plates.grammar import display, use_of
from kplate.results import Recognition

#: Seconds after which a car that was not seen any more has left; one that comes back sooner was never away.
STAY_GAP: Final = 20.0
#: A car is told of at the latest so many seconds after its first trusted readings.
_PATIENCE: Final = 2.0
#: Frames in which a car must have been found before it is followed while it is hidden.
_CONFIRMED: Final = 3
#: A car that was seen within this many seconds is still in view.
_IN_VIEW: Final = 0.5


class Watcher:
    """Follows the cars of one source. Feed it the frames in order.

    Example:
        >>> watcher = Watcher()
        >>> for frame in source:  # doctest: +SKIP
        ...     result = watcher.update(frame, recognizer(frame.image))
        ...     for sighting in result.settled:
        ...         print(sighting.display)
    """

    def __init__(self, *, gap: float = STAY_GAP) -> None:
        """Start without any cars.

        Args:
            gap: Seconds after which a car that was not seen any more has left.
        """
        self._gap = gap
        self._tracks: list[Track] = []
        self._count = 0
        self._trusted: dict[int, float] = {}  # track -> time of its first trusted reading
        self._zero: datetime | None = None  # wall clock at second 0

    def update(self, frame: Frame, recognition: Recognition) -> FrameResult:
        """Take the next frame over.

        Args:
            frame: The frame.
            recognition: What was found in it.

        Returns:
            The cars that are followed, with what their plates say so far.
        """
        time = frame.time
        self._zero = frame.wall - timedelta(seconds=time)
        observations = observe(recognition)
        settled, left = self._retire(time)
        for track in self._tracks:
            track.observed = None
        matched = assign(self._tracks, observations, time)
        taken = {id(observation) for _, observation in matched}
        for observation in observations:
            if id(observation) not in taken:
                matched.append((self._begin(time), observation))
        for track, observation in matched:
            self._see(track, observation, frame)
        settled += self._settle(time)
        vehicles = tuple(self._tracked(track) for track in self._tracks if self._shown(track, time))
        return FrameResult(frame, recognition, vehicles, tuple(settled), tuple(left))

    def finish(self) -> tuple[tuple[Sighting, ...], tuple[Sighting, ...]]:
        """Tell what is left to tell when no more frames come.

        Returns:
            Sightings that only two readings agreed on, settled now, and all that were still there.
        """
        settled = [sighting for track in list(self._tracks) if (sighting := self._last_word(track))]
        left = [track.sighting for track in self._tracks if track.sighting]
        self._tracks.clear()
        return tuple(settled), tuple(left)

    def _begin(self, time: float) -> Track:
        self._count += 1
        track = Track(self._count, time, time)
        self._tracks.append(track)
        return track

    def _see(self, track: Track, observation: Observation, frame: Frame) -> None:
        track.see(observation, frame.time)
        if observation.plate is not None:
            track.ballot.add(Evidence(frame, observation.plate, observation.box))
            if observation.plate.trusted:
                self._trusted.setdefault(track.id, frame.time)
        if track.sighting is not None:
            track.sighting = self._brought_up_to_date(track.sighting, track)

    def _settle(self, time: float) -> list[Sighting]:
        """Settle the texts of cars whose readings agree by now."""
        settled: list[Sighting] = []
        for track in list(self._tracks):
            if track.sighting or track.silent or track.observed is None:
                continue
            late = time - self._trusted.get(track.id, time) > _PATIENCE
            verdict = track.ballot.verdict(late=late)
            if verdict is not None and (sighting := self._told(track, verdict, time)):
                settled.append(sighting)
        return settled

    def _retire(self, time: float) -> tuple[list[Sighting], list[Sighting]]:
        """Let go of cars that have not been seen for long.

        Returns:
            Sightings of those whose last word is spoken only now, and of those that have left.
        """
        settled: list[Sighting] = []
        left: list[Sighting] = []
        gone = [track for track in self._tracks if not track.expected(time)]
        for track in gone:
            if sighting := self._last_word(track):
                settled.append(sighting)
            if track.sighting is not None and time - track.last <= self._gap:
                continue
            if track.sighting is not None:
                left.append(track.sighting)
            self._drop(track)
        return settled, left

    def _drop(self, track: Track) -> None:
        self._tracks = [kept for kept in self._tracks if kept is not track]
        self._trusted.pop(track.id, None)

    def _last_word(self, track: Track) -> Sighting | None:
        """Settle a track of which no more is to be expected, if two readings agree; None where not."""
        if track.sighting or track.silent:
            return None
        verdict = track.ballot.verdict(late=True)
        return self._told(track, verdict, track.last) if verdict else None

    def _told(self, track: Track, verdict: Verdict, time: float) -> Sighting | None:
        """Make the sighting of a track, unless its car was told of already: then both tracks are one."""
        known = next(
            (t for t in self._tracks if t is not track and t.sighting and t.sighting.text == verdict.text),
            None,
        )
        if known is None:
            track.sighting = self._sighting(track, verdict)
            return track.sighting
        if time - known.last <= _IN_VIEW and known.observed is not None and track.observed is not None:
            track.silent = True
            return None
        self._join(known, track)
        return None

    def _join(self, known: Track, track: Track) -> None:
        """Continue a car that was told of with what was taken for another one."""
        known.ballot.merge(track.ballot)
        if track.last >= known.last:
            known.last, known.observed = track.last, track.observed
            known.vehicle, known.plate = track.vehicle or known.vehicle, track.plate or known.plate
        known.permit = known.permit or track.permit
        known.seen += track.seen
        self._drop(track)
        if known.sighting is not None:
            known.sighting = self._brought_up_to_date(known.sighting, known)

    def _sighting(self, track: Track, verdict: Verdict) -> Sighting:
        best = verdict.best
        return Sighting(
            track_id=track.id,
            text=verdict.text,
            display=best.plate.display or display(verdict.text) or verdict.text,
            score=verdict.score,
            readings=verdict.readings,
            kind=verdict.kind,
            use=best.plate.use or use_of(verdict.text),
            electric=verdict.electric,
            permit=track.permit,
            first=track.first,
            last=track.last,
            first_wall=self._wall(track.first),
            last_wall=self._wall(track.last),
            best=best.frame,
            plate=best.plate,
            vehicle_box=best.vehicle_box,
        )

    def _brought_up_to_date(self, sighting: Sighting, track: Track) -> Sighting:
        """Keep a sighting's text and its beginning; everything else may have become better known."""
        verdict = track.ballot.of(sighting.text)
        if verdict is None:
            return replace(sighting, permit=track.permit, last=track.last, last_wall=self._wall(track.last))
        score = max(sighting.score, verdict.score)
        return replace(self._sighting(track, verdict), first=sighting.first, score=score)

    def _wall(self, time: float) -> datetime:
        assert self._zero is not None
        return self._zero + timedelta(seconds=time)

    def _shown(self, track: Track, time: float) -> bool:
        return track.observed is not None or (track.seen >= _CONFIRMED and track.expected(time))

    def _tracked(self, track: Track) -> TrackedVehicle:
        found = track.observed
        return TrackedVehicle(
            track_id=track.id,
            box=(found.box or track.box) if found else track.box,
            seen=found is not None,
            vehicle=found.vehicle if found else None,
            plate=found.plate_index if found else None,
            permit=track.permit,
            sighting=track.sighting,
        )
