"""Draws clips of a car park: cars come and go, others pass, people walk by, lights go off; all labelled.

A camera hangs under the roof of a garage and looks over an aisle at four bays, as such cameras do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kplate.files import write_atomic
from kplate.images import Image
from kplate.live.video_writer import VideoWriter
from kplate.plates.kinds import Kind
from kplate.plates.layouts import LAYOUTS
from kplate.results import Point, json_line
from kplate.synth import compositing as comp
from kplate.synth.backgrounds import BAY_DEPTH, BAY_WIDTH, Place, draw_place
from kplate.synth.car_shapes import FRONTS, PAINTS, REARS
from kplate.synth.cars import Car, draw_car
from kplate.synth.driving import Aisle, Drive, drive_in, drive_out, drive_past
from kplate.synth.painter import Camera
from kplate.synth.permits import PermitImage, PermitStyle, draw_permit
from kplate.synth.plates import PlateImage, sample_plate
from kplate.synth.scenes import PERMIT_DIAMETER
from kplate.synth.walkers import Walker, draw_walker

SIZE: Final = (1280, 720)
RATE: Final = 5.0
#: The bays from left to right: name and kind, as in a file of bays.
BAYS: Final = (("A1", "disabled"), ("A2", "charging_fast"), ("A3", "charging_slow"), ("A4", "ordinary"))
_FRONT: Final = 9.0  # m from the camera to the bays
_AISLE: Final = Aisle(5.6, _FRONT + 0.4)
#: Shares of electric cars in charging bays, and of permits in bays for disabled people.
_ELECTRIC: Final = 0.65
_PERMITS: Final = 0.7
#: Kinds of plates and their shares among the other cars.
_KINDS: Final = (
    (Kind.WHITE_8_FILM, 0.4),
    (Kind.WHITE_LONG, 0.35),
    (Kind.COMMERCIAL_LONG, 0.15),
    (Kind.CORPORATE, 0.1),
)
#: What happens, over and over; the rest is left to chance.
_PLAN: Final = (
    "arrive", "leave", "pass", "dark", "arrive", "stop", "leave", "cross", "arrive", "dim", "leave", "pass",
    "arrive", "walk", "leave",
)  # fmt: skip
#: Least time in a bay, seconds.
_LEAST_STAY: Final = 18.0
#: Brightness while the lights are off, and while only the emergency lights burn, and for how long, seconds.
_LIGHTS: Final = {"dark": (0.02, 7.0), "dim": (0.25, 12.0)}


@dataclass(slots=True)
class Guest:
    """A car that comes to park, or passes.

    Attributes:
        car: Its look.
        plate: Its plate.
        permit: Its permit, if any.
        drives: Its ways, each with the second at which it begins.
        bay: Index of its bay; None for one that passes.
        arrived: When it stood still in its bay; None where it was there before or passes.
        left: When the middle of it left its bay; None where it stays.
    """

    car: Car
    plate: PlateImage
    permit: PermitImage | None
    drives: list[tuple[float, Drive]] = field(default_factory=list)
    bay: int | None = None
    arrived: float | None = None
    left: float | None = None

    @property
    def begin(self) -> float:
        """Since when it is to be seen."""
        return -1.0 if self.bay is not None and self.arrived is None else self.drives[0][0]

    @property
    def end(self) -> float:
        """Until when it is to be seen."""
        if self.bay is not None and self.left is None:
            return float("inf")
        start, drive = self.drives[-1]
        return start + drive.seconds

    def at(self, time: float, x: float) -> tuple[Car, bool]:
        """Return the car at its place at a time, and whether it moves.

        Args:
            time: Second of the clip.
            x: Middle of its bay, metres.
        """
        for start, drive in self.drives:
            if start <= time < start + drive.seconds:
                place = drive.at(time - start, rear=self.car.rear)
                return replace(self.car, x=place[0], z=place[1], yaw=place[2]), True
        return replace(self.car, x=x, z=_AISLE.bay, yaw=0.0), False


class CarPark:
    """A clip of a car park, drawn frame by frame.

    Attributes:
        guests: The cars, in the order of their coming.
        walkers: People on foot.
        lights: When the lights are off or dimmed: from, to, brightness.
        frames: How many frames there are.
    """

    def __init__(self, rng: np.random.Generator, seconds: float = 600.0) -> None:
        """Decide what happens.

        Args:
            rng: Source of everything random.
            seconds: Length of the clip.
        """
        self.seconds = seconds
        self.frames = round(seconds * RATE)
        self.guests: list[Guest] = []
        self.walkers: list[Walker] = []
        self.lights: list[tuple[float, float, float]] = []
        self._rng = rng
        self._seed = int(rng.integers(1 << 31))
        width, height = SIZE
        self._camera = Camera(width, height, width * 0.98, (0.0, 2.75, 0.0), 0.0, 0.2)
        self._place = Place(True, _FRONT, 15.5, -2 * BAY_WIDTH, len(BAYS), (0,), 1.0)
        self._inside: dict[int, Guest] = {}
        for bay in (1, 3):
            self._inside[bay] = self._guest(bay)
        self._plan()
        self._still: tuple[tuple[int, ...], Image] | None = None

    def __iter__(self) -> Iterator[Image]:
        """Yield each frame, uint8 720 x 1280 x 3 BGR."""
        for index in range(self.frames):
            yield self.frame(index)

    def frame(self, index: int) -> Image:
        """Return one frame, uint8 720 x 1280 x 3 BGR."""
        time = index / RATE
        image = self._draw(time)
        light = next((light for start, end, light in self.lights if start <= time < end), 1.0)
        if light < 1:
            image = np.asarray(image * np.float32(light), np.uint8)
        shift = int(np.random.default_rng((self._seed, index)).integers(SIZE[0]))
        noise = np.roll(self._grain[index % len(self._grain)], shift, axis=1)
        return np.asarray(np.clip(image + noise, 0, 255), np.uint8)

    def polygons(self) -> list[tuple[str, str, tuple[Point, ...]]]:
        """Return name, kind and ground of each bay, as shares of the picture's width and height."""
        found = []
        for bay, (name, kind) in enumerate(BAYS):
            x1 = self._place.left + bay * BAY_WIDTH
            x2, far = x1 + BAY_WIDTH, _FRONT + BAY_DEPTH
            ground = np.array(((x1, 0, far), (x2, 0, far), (x2, 0, _FRONT), (x1, 0, _FRONT)))
            shares = np.clip(self._camera.project(ground) / SIZE, 0, 1).round(3).tolist()
            found.append((name, kind, tuple((float(x), float(y)) for x, y in shares)))
        return found

    def labels(self) -> dict[str, Any]:
        """Return what happens, as plain values: who came and went when, and what else there was."""
        return {
            "rate": RATE,
            "seconds": self.seconds,
            "visits": [
                {
                    "bay": BAYS[guest.bay][0],
                    "text": guest.plate.text,
                    "kind": str(guest.plate.kind),
                    "electric": guest.plate.electric,
                    "permit": guest.permit is not None,
                    "disabled": BAYS[guest.bay][1] == "disabled",
                    "rear": guest.car.rear,
                    "arrived": None if guest.arrived is None else round(guest.arrived, 2),
                    "left": None if guest.left is None else round(guest.left, 2),
                }
                for guest in self.guests
                if guest.bay is not None
            ],
            "passing": [round(guest.begin, 2) for guest in self.guests if guest.bay is None],
            "walkers": [round(walker.begin, 2) for walker in self.walkers],
            "lights": [[round(value, 2) for value in span] for span in self.lights],
        }

    def _plan(self) -> None:
        """Let one thing happen after the other, so that no cars meet in the aisle."""
        time = 4.0
        for number in range(10_000):
            time = self._happen(_PLAN[number % len(_PLAN)], time) + float(self._rng.uniform(1.5, 3.5))
            if time > self.seconds - 4:
                return

    def _happen(self, what: str, time: float) -> float:
        """Let something begin, if it can end in time, and return when it is over."""
        rng = self._rng
        side = -1 if rng.random() < 0.5 else 1
        match what:
            case "arrive":
                return self._arrive(time, side)
            case "leave":
                return self._leave(time, side)
            case "pass" | "stop":
                guest = self._guest(None)
                stop = float(rng.uniform(-2.5, 2.5)) if what == "stop" else None
                length = guest.car.shape.length
                drive = drive_past(replace(_AISLE, z=5.9), length, side, stop, float(rng.uniform(3, 6)))
                guest.drives.append((time, drive))
                if what == "pass":  # somebody walks by at the same time
                    self._walk(time, side, 8.2, 0.0)
                return time + drive.seconds
            case "walk":
                return self._walk(time, side, 7.6, float(rng.uniform(0, 4)))
            case "cross":
                return self._cross(time)
            case _:
                light, seconds = _LIGHTS[what]
                self.lights.append((time, time + seconds, light))
                return time + seconds

    def _arrive(self, time: float, side: int) -> float:
        free = [bay for bay in range(len(BAYS)) if bay not in self._inside]
        if not free:
            return time
        bay = int(self._rng.choice(free))
        guest = self._guest(bay)
        x, length = self._place.middle(bay), guest.car.shape.length
        drive = drive_in(x, _AISLE, length, side, rear=guest.car.rear)
        end = time + drive.seconds
        if end > self.seconds - 4:
            self.guests.pop()
            return end
        guest.drives.append((time, drive))
        guest.arrived = end
        self._inside[bay] = guest
        return end

    def _leave(self, time: float, side: int) -> float:
        ready = [bay for bay, guest in self._inside.items() if time - (guest.arrived or -99.0) >= _LEAST_STAY]
        if not ready:
            return time
        bay = int(self._rng.choice(sorted(ready)))
        guest = self._inside[bay]
        length, rear = guest.car.shape.length, guest.car.rear
        drive = drive_out(self._place.middle(bay), _AISLE, length, side, rear=rear)
        end = time + drive.seconds
        if end > self.seconds - 4:
            return end
        guest.drives.append((time, drive))
        guest.left = time + drive.crossing(_FRONT)
        del self._inside[bay]
        return end

    def _walk(self, time: float, side: int, z: float, wait: float) -> float:
        coat = tuple(float(v) for v in self._rng.uniform(20, 200, 3))
        speed, height = float(self._rng.uniform(1.1, 1.6)), float(self._rng.uniform(1.55, 1.85))
        ends = ((side * 6.5, z), (-side * 6.5, z + 0.4))
        walker = Walker(*ends, time, speed, wait, height, (coat[0], coat[1], coat[2]))
        self.walkers.append(walker)
        return time + walker.seconds

    def _cross(self, time: float) -> float:
        """Let somebody walk into a free bay, stand there for a while and go on."""
        free = [bay for bay in range(len(BAYS)) if bay not in self._inside]
        x = self._place.middle(free[0]) if free else 0.0
        walker = Walker((x - 0.5, 7.2), (x + 0.3, 13.0), time, wait=5.0, coat=(60.0, 60.0, 150.0))
        if free:
            self.walkers.append(walker)
        return time + walker.seconds

    def _guest(self, bay: int | None) -> Guest:
        """Choose a car for a bay, or one that passes."""
        rng = self._rng
        rear = bool(rng.random() < (0.25 if bay == 0 else 0.4))  # a permit is seen from the front alone
        shapes = REARS if rear else FRONTS
        name = str(rng.choice(list(shapes), p=(0.4, 0.15, 0.35, 0.1)))
        kinds = [kind for kind, _ in _KINDS]
        kind = kinds[int(rng.choice(len(kinds), p=[share for _, share in _KINDS]))]
        if bay is not None and BAYS[bay][1].startswith("charging") and rng.random() < _ELECTRIC:
            kind = Kind.ELECTRIC
        paint = np.array(
            PAINTS[int(rng.choice(len(PAINTS), p=[share for _, share in PAINTS]))][0], np.float64
        )
        plate = sample_plate(rng, px_per_mm=0.375, kind=kind, wear=0.3)
        permit = None
        if bay is not None and BAYS[bay][1] == "disabled" and rng.random() < _PERMITS:
            permit = draw_permit(rng, 128, PermitStyle.YELLOW if rng.random() < 0.7 else PermitStyle.WHITE)
        style = tuple(float(v) for v in rng.random(8))
        if kind is Kind.ELECTRIC:
            style = (*style[:3], 0.9, *style[4:])  # no grille
        size = (LAYOUTS[kind].width, LAYOUTS[kind].height)
        light = float(rng.uniform(0.9, 1.02))
        car = Car(shapes[name], rear, np.clip(paint, 12, 245), 0.0, 0.0, 0.0, size, style, light)
        guest = Guest(car, plate, permit, bay=bay)
        self.guests.append(guest)
        return guest

    @cached_property
    def _grain(self) -> list[NDArray[np.int16]]:
        rng = np.random.default_rng(self._seed)
        return [rng.normal(0, 2.0, (SIZE[1], SIZE[0], 1)).astype(np.int16) for _ in range(4)]

    @cached_property
    def _empty(self) -> Image:
        return draw_place(self._camera, self._place, np.random.default_rng(self._seed))

    def _draw(self, time: float) -> Image:
        """Draw a moment: parked cars, then what moves, from far to near."""
        present = [guest for guest in self.guests if guest.begin <= time < guest.end]
        placed = []
        for guest in present:
            x = 0.0 if guest.bay is None else self._place.middle(guest.bay)
            placed.append((guest, *guest.at(time, x)))
        # A car between others is painted in their order; one in the aisle, over all of them.
        inside = [(guest, car, moves) for guest, car, moves in placed if not moves or car.z > _FRONT - 0.6]
        aisle = [(guest, car) for guest, car, moves in placed if moves and car.z <= _FRONT - 0.6]
        image = self._parked(inside).copy()
        movers: list[tuple[float, Walker | tuple[Guest, Car]]] = [
            (car.z, (guest, car)) for guest, car in aisle
        ]
        walking = [one for one in self.walkers if one.begin <= time < one.begin + one.seconds]
        movers += [(walker.place(time)[1], walker) for walker in walking]
        for _, mover in sorted(movers, key=lambda item: -item[0]):
            if isinstance(mover, Walker):
                draw_walker(image, self._camera, mover, time)
            else:
                self._paint(image, *mover)
        return image

    def _parked(self, inside: list[tuple[Guest, Car, bool]]) -> Image:
        """Draw the cars in their bays, outer ones first; as long as nothing moves there, only once."""
        key = tuple(sorted(id(guest) for guest, _, _ in inside))
        if self._still is not None and self._still[0] == key:
            return self._still[1]
        image = self._empty.copy()
        for guest, car, _ in sorted(inside, key=lambda item: -abs(item[1].x)):
            self._paint(image, guest, car)
        self._still = None if any(moves for _, _, moves in inside) else (key, image)
        return image

    def _paint(self, image: Image, guest: Guest, car: Car) -> None:
        draw_car(image, self._camera, car)
        if abs(car.yaw) > 1.45:  # seen from the side, neither plate nor windscreen shows
            return
        self._lay(image, guest.plate.image, guest.plate.mask, car, car.plate_corners())
        if guest.permit is not None and not car.rear:
            spot = car.on_glass(0.14, 0.82, PERMIT_DIAMETER * 1.3)
            self._lay(image, guest.permit.image, guest.permit.mask, car, spot)

    def _lay(self, image: Image, drawing: Image, mask: comp.Mask, car: Car, corners: Any) -> None:
        quad = self._camera.project(car.world(corners)).astype(np.float32)
        if quad[1, 0] <= quad[0, 0]:  # turned away
            return
        lit = np.clip(drawing * np.float32(car.light), 0, 255).astype(np.uint8)
        layer = comp.warp(lit, mask, quad, image.shape)
        if layer is not None:
            comp.lay(image, layer)


def bays_toml(park: CarPark) -> str:
    """Return the file of bays of a clip."""
    lines = ["# The bays of the rendered car park.", "[timing]", "review = 15  # s; the clip is short", ""]
    lines += ["[[camera]]", 'name = "car-park"', ""]
    for name, kind, polygon in park.polygons():
        corners = ", ".join(f"[{x}, {y}]" for x, y in polygon)
        lines += ["[[camera.bay]]", f'name = "{name}"', f'kind = "{kind}"', f"polygon = [{corners}]", ""]
    return "\n".join(lines)


def write_car_park(park: CarPark, folder: Path, advance: Callable[[str], None] = lambda _: None) -> None:
    """Write a clip as ``clip.mp4``, what happens in it as ``clip.json`` and its bays as ``bays.toml``.

    Args:
        park: The clip.
        folder: Where the files go.
        advance: Called after each frame.

    Raises:
        OutputError: A file cannot be written.
    """
    with VideoWriter(folder / "clip.mp4", RATE) as video:
        for image in park:
            video.write(image)
            advance("")
    write_atomic(folder / "clip.json", (json_line(park.labels()) + "\n").encode())
    write_atomic(folder / "bays.toml", bays_toml(park).encode())
