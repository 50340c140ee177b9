"""What stood in the bays, kept in a file, so that it is known when watching begins again.

The file is one of NumPy's (``.npz``): a JSON text, and how the bays looked. It is written before events are
told, with these events in it, and again when they have been told. So a process that is killed in between
tells them when it begins again, with the same identifiers: none is lost, and receivers know what comes twice.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from kplate.bays.memory import Array, Memory
from kplate.bays.model import Bay
from kplate.bays.occupant import AGREEING, Occupant
from kplate.errors import DataError, KplateError
from kplate.events import Event, EventPlate
from kplate.events.codec import from_plain, to_plain
from kplate.files import StrPath, printable, reason_of, write_atomic
from kplate.images import Image
from kplate.live.model import Frame
from kplate.results import Box, Point, json_line

_VERSION: Final = 1
_TEXT: Final = "state"
#: JPEG quality of the pictures of arrivals.
_QUALITY: Final = 88


@dataclass(frozen=True, slots=True)
class SavedCar:
    """What is known of the vehicle in a bay.

    Attributes:
        since: Since when it has stood there.
        last: When it was last found.
        found: It was there before anybody watched.
        box: Where it stands, px.
        arrival: Identifier of the event that told of it.
        told: Reasons that were given already.
        parked: Whether it was told what stands there.
        permit: Whether a permit was seen on it.
        plate: Its plate; None where that is not known or must not be kept.
        evidence: The part of the frame that the picture of its arrival shows, px.
    """

    since: datetime
    last: datetime
    found: bool
    box: Box
    arrival: str
    told: tuple[str, ...]
    parked: bool
    permit: bool
    plate: EventPlate | None
    evidence: Box


@dataclass(frozen=True, slots=True)
class SavedBay:
    """A bay and what stands in it.

    Attributes:
        name: Its name.
        polygon: Its ground: what was known of another place is of no use.
        car: What stands there; None where it is free.
        memory: How it looks with the vehicle.
        picture: Of the vehicle's arrival, uint8 H x W x 3 BGR; None where it must not be kept.
    """

    name: str
    polygon: tuple[Point, ...]
    car: SavedCar | None = None
    memory: Memory | None = None
    picture: Image | None = None

    def of(self, bay: Bay) -> bool:
        """Tell whether this is what was known of a bay."""
        return self.name == bay.name and to_plain(self.polygon) == to_plain(bay.polygon)


@dataclass(frozen=True, slots=True)
class State:
    """What was known of a camera's bays.

    Attributes:
        saved: Time of the last frame.
        size: Width and height of the frames, px.
        bays: The bays.
    """

    saved: datetime
    size: tuple[int, int]
    bays: tuple[SavedBay, ...]


def saved_bay(bay: Bay, car: Occupant | None, memory: Memory | None) -> SavedBay:
    """Return what is to be kept of a bay.

    Args:
        bay: The bay.
        car: What stands there; None where it is free.
        memory: How it looks with the vehicle.
    """
    if car is None:
        return SavedBay(bay.name, bay.polygon)
    known = SavedCar(
        since=car.since_wall,
        last=car.last_wall,
        found=car.found,
        box=car.box,
        arrival=car.arrival,
        told=tuple(sorted(car.told)),
        parked=car.parked,
        permit=car.permit,
        plate=car.plate,
        evidence=car.evidence[1],
    )
    return SavedBay(bay.name, bay.polygon, known, memory, car.evidence[0])


def occupant_of(car: SavedCar, frame: Frame, evidence: tuple[Image, Box], *, closely: bool) -> Occupant:
    """Return a vehicle as it was known.

    Args:
        car: What was kept of it.
        frame: The first frame of this run.
        evidence: Picture of its arrival, and the part of the frame that it shows, px.
        closely: Whether it is looked at closely.
    """
    return Occupant(
        since=frame.time - (frame.wall - car.since).total_seconds(),
        since_wall=car.since,
        found=car.found,
        box=car.box,
        evidence=evidence,
        last=frame.time - (frame.wall - car.last).total_seconds(),
        last_wall=car.last,
        arrival=car.arrival,
        told=set(car.told),
        parked=car.parked,
        glimpsed=car.permit,
        closely=closely,
        closer=AGREEING if car.permit else 0,
        interrupted=True,
        known=car.plate,
    )


class StateFile:
    """Keeps the state of a camera's bays in a file."""

    def __init__(self, path: StrPath, *, private: bool = False) -> None:
        """Take note of the file; it need not be there yet.

        Args:
            path: The file.
            private: Keep neither plates nor pictures in it.
        """
        self.path = Path(path)
        self._private = private

    def load(self) -> tuple[State | None, list[Event]]:
        """Return the state, if there is one, and the events that nobody was told of.

        Raises:
            KplateError: The file cannot be read or used.
        """
        name = printable(self.path)
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return _unpacked(dict(arrays))
        except FileNotFoundError:
            return None, []
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, KplateError) as error:
            raise DataError(f"cannot use {name}: it is no state of bays ({error})") from error
        except OSError as error:
            raise DataError(f"cannot read {name}: {reason_of(error)}") from error

    def save(self, state: State, untold: Sequence[Event] = ()) -> None:
        """Write the state, all or nothing.

        Args:
            state: What is known.
            untold: Events that are about to be told, as they may be told.

        Raises:
            OutputError: The file cannot be written.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **_packed(state, untold, self._private))
        write_atomic(self.path, buffer.getvalue())


def _packed(state: State, untold: Sequence[Event], private: bool) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    bays = []
    for number, bay in enumerate(state.bays):
        car = to_plain(bay.car)
        if car is not None and private:
            car["plate"] = None
        moments: list[Mapping[str, Any]] = []
        if bay.memory is not None:
            for index, (values, parts) in enumerate(bay.memory.packed()):
                moments.append(values)
                arrays |= {f"{number}/{index}/{name}": part for name, part in parts.items()}
        if bay.picture is not None and not private:
            done, jpeg = cv2.imencode(".jpg", bay.picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            if done:
                arrays[f"{number}/arrival"] = np.asarray(jpeg)
        bays.append({"name": bay.name, "polygon": to_plain(bay.polygon), "car": car, "moments": moments})
    values = {
        "version": _VERSION,
        "saved": to_plain(state.saved),
        "size": list(state.size),
        "bays": bays,
        "untold": [event.to_dict() for event in untold],
    }
    return arrays | {_TEXT: np.frombuffer(json_line(values).encode(), np.uint8)}


def _unpacked(arrays: Mapping[str, Array]) -> tuple[State, list[Event]]:
    values = json.loads(arrays[_TEXT].tobytes())
    if values["version"] != _VERSION:
        raise DataError(f"version {values['version']}, this kplate knows {_VERSION}")
    bays = []
    for number, bay in enumerate(values["bays"]):
        car = from_plain(SavedCar | None, bay["car"], "car")
        moments = []
        for index, moment in enumerate(bay["moments"]):
            head = f"{number}/{index}/"
            parts = {name: arrays[head + name] for name in ("edges", "cells")}
            moments.append((moment, parts))
        jpeg = arrays.get(f"{number}/arrival")
        decoded = None if jpeg is None else cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        picture = None if decoded is None else np.asarray(decoded, np.uint8)
        polygon = from_plain(tuple[Point, ...], bay["polygon"], "polygon")
        memory = Memory.unpacked(moments) if moments else None
        bays.append(SavedBay(str(bay["name"]), polygon, car, memory, picture))
    width, height = values["size"]
    saved = from_plain(datetime, values["saved"], "saved")
    return State(saved, (int(width), int(height)), tuple(bays)), [
        Event.from_dict(event) for event in values["untold"]
    ]
