"""Reading on demand: a message asks for one picture of a camera; it is read, answered, and told as an event.

Cameras need not be watched for this. Somebody else decides when to look, such as a distance sensor at a bay.
Topics, for a place called ``B1-A1`` and a base of ``kplate``:

* ``B1-A1-In``: any message asks; the answer goes to ``B1-A1-Out``;
* ``kplate/read/B1-A1``: likewise, answered on ``kplate/answer/B1-A1``;
* ``kplate/read``: a JSON object ``{"camera": "B1-A1", "id": "42"}``, answered there as well.

A message with a response topic (MQTT 5) is answered there, with its correlation data. The answer is the
event.
"""

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kplate.errors import KplateError
from kplate.events import Event, EventBay, Trigger, without_credentials
from kplate.images import Image
from kplate.live.model import Frame
from kplate.live.pipeline import Recognise
from kplate.live.readings import event_pictures, failed_reading, reading_event
from kplate.results import Recognition
from kplate.sinks.base import Log, Sink
from kplate.sinks.courier import FIRST_PAUSE, LONGEST_PAUSE
from kplate.sinks.mqtt_client import Broker, Connection
from kplate.sinks.naming import slug
from kplate.sinks.privacy import Privacy

#: Requests that wait. Who asks for more is told so: an answer that comes minutes later helps nobody.
_QUEUE: Final = 64
#: Cameras that are asked at the same time.
_WORKERS: Final = 4
_TIMER: Final = "timer"
#: Seconds that closing waits for a reading.
_LONGEST_READING: Final = 10.0
#: How long the network is listened to at a time, in seconds.
_LISTEN: Final = 0.05
_SUFFIX_IN, _SUFFIX_OUT = "-In", "-Out"

Tell = Callable[[Event, Mapping[str, Image]], None]
"""Takes an event and its pictures by name."""
Observe = Callable[[str, Frame, Recognition, Tell], None]
"""Looks at a picture that was read, by the name of its camera, and tells what more it shows."""


@dataclass(frozen=True, slots=True)
class Request:
    """A picture that somebody wants.

    Attributes:
        place: What is to be looked at: a camera, or a bay that one sees.
        trigger: What asked.
        answer: Topic to answer on; None where nobody waits for one.
        correlation: What the asker wants back with the answer (MQTT 5), or None.
    """

    place: str
    trigger: Trigger
    answer: str | None = None
    correlation: bytes | None = None


class Commands:
    """Answers requests for readings, and makes periodic ones. It is a context manager; leaving it ends it."""

    def __init__(
        self,
        cameras: Mapping[str, str] | Sequence[str],
        grab: Callable[[str], Frame],
        recognise: Recognise,
        sink: Sink,
        *,
        broker: str | None = None,
        every: float | None = None,
        privacy: Privacy | None = None,
        log: Log,
        told: Callable[[Event], None] = lambda _: None,
        observe: Observe = lambda *_: None,
        client: str = "kplate-commands",
    ) -> None:
        """Start listening.

        Args:
            cameras: Names that are asked for. A mapping gives the camera of each: several bays may be seen by
                one camera; events then name the bay.
            grab: Takes one picture of a camera; raises :class:`KplateError` where it cannot. Called from
                several threads, so that a camera that does not answer holds up no other.
            recognise: Reads a picture.
            sink: Gets the events, with the pictures ``frame``, ``vehicle`` and ``plate``.
            broker: Address of the broker whose messages ask, such as ``mqtt://broker/kplate``.
            every: Seconds between two readings of each camera that nobody asked for; None for none.
            privacy: What answers do not tell.
            log: Told what goes wrong, without credentials, from any thread.
            told: Called with each event, one at a time.
            observe: Called with each picture that was read, after its event, from several threads.
            client: Name of this client at the broker, where its address gives none.

        Raises:
            KplateError: The broker's address is none, or paho-mqtt is not installed.
        """
        places = dict(cameras) if isinstance(cameras, Mapping) else {name: name for name in cameras}
        self._cameras = {camera: camera for camera in places.values()} | places
        self._grab = grab
        self._recognise = recognise
        self._sink = sink
        self._log = log
        self._told = told
        self._observe = observe
        self._privacy = privacy or Privacy()
        self._stop = threading.Event()
        self._read_all = threading.Event()  # no more answers will come
        self._requests: queue.Queue[Request | None] = queue.Queue(_QUEUE)
        self._answers: queue.Queue[tuple[Request, Event]] = queue.Queue()
        address = None if broker is None else Broker.parse(broker)
        if address is not None:
            self._topics = _Topics(address.base, tuple(self._cameras))
            Connection(address, client)
        self._telling = threading.Lock()
        self._due: set[str] = set()  # cameras whose periodic reading waits
        self._workers = min(_WORKERS, len(set(self._cameras.values())))
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._workers)]
        if address is not None:
            listen = threading.Thread(target=self._listen, args=(address, client), daemon=True)
            self._threads.append(listen)
        if every is not None:
            self._threads.append(threading.Thread(target=self._tick, args=(every,), daemon=True))
        for thread in self._threads:
            thread.start()

    def ask(self, request: Request) -> None:
        """Take a request; it is answered in its turn. One that cannot be taken is answered, but no event."""
        if request.place not in self._cameras:
            self._answer(request, self._failed(request, f"there is no camera for {request.place}"))
            return
        try:
            self._requests.put_nowait(request)
        except queue.Full:
            self._due.discard(request.place)
            self._answer(request, self._failed(request, "too many requests wait"))

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            if not self._stop.is_set():
                event, frame, found = self._read(request)
                self._tell(event, {} if frame is None else event_pictures(event, frame.image))
                self._answer(request, event)
                if frame is not None and found is not None:
                    self._look(request.place, frame, found)
            if request.trigger.kind == _TIMER:
                self._due.discard(request.place)

    def _read(self, request: Request) -> tuple[Event, Frame | None, Recognition | None]:
        camera = self._cameras[request.place]
        try:
            frame = self._grab(camera)
            found = self._recognise(frame.image)
            event = reading_event(frame, found, camera, request.trigger, self._bay(request.place))
            return event, frame, found
        except KplateError as error:
            reason = without_credentials(str(error))
        except Exception as error:  # a camera's library may raise anything; the next request may go well
            reason = without_credentials(f"{type(error).__name__}: {error}")
        self._log(f"{request.place}: {reason}")
        return self._failed(request, reason), None, None

    def _look(self, place: str, frame: Frame, found: Recognition) -> None:
        """Let it be told what more a picture shows."""
        try:
            self._observe(self._cameras[place], frame, found, self._tell)
        except Exception as error:  # the next picture may go well
            self._log(f"{place}: {without_credentials(f'{type(error).__name__}: {error}')}")

    def _bay(self, place: str) -> EventBay | None:
        return None if self._cameras.get(place, place) == place else EventBay(place)

    def _failed(self, request: Request, error: str) -> Event:
        source = self._cameras.get(request.place, request.place)
        return failed_reading(source, request.trigger, error, self._bay(request.place))

    def _tell(self, event: Event, pictures: Mapping[str, Image]) -> None:
        self._sink.write(event, pictures)
        with self._telling:
            self._told(self._privacy.event(event))

    def _answer(self, request: Request, event: Event) -> None:
        if request.answer is not None:
            self._answers.put((request, self._privacy.event(event)))

    def _tick(self, every: float) -> None:
        """Ask for a reading of each camera, at a steady pace that the readings do not delay."""
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            for camera in dict.fromkeys(self._cameras.values()):
                if camera not in self._due:  # a camera that is slower than the clock is not asked twice
                    self._due.add(camera)
                    self.ask(Request(camera, Trigger(_TIMER)))
            due = max(due + every, time.monotonic())

    def _listen(self, broker: Broker, client: str) -> None:
        """Keep a connection to the broker, with growing pauses while it is away.

        What is asked while it is away is not made up for: the moment that mattered has passed.
        """
        pause, failing = FIRST_PAUSE, False
        status = f"{broker.base}/status/{slug(broker.client or client)}"
        while not self._read_all.is_set():
            connection = Connection(broker, client, status=status)
            try:
                connection.received = self._received
                connection.open()
                connection.subscribe(self._topics.subscriptions())
                if failing:
                    self._log(f"{broker.name}: works again")
                pause, failing = FIRST_PAUSE, False
                while not self._read_all.is_set() or not self._answers.empty():
                    self._send_answers(connection)
                    connection.turn(_LISTEN)
            except Exception as error:  # also what paho raises: nobody else would ever ask again
                if not failing:
                    self._log(
                        without_credentials(f"{broker.name}: {error}; nobody can ask until it works again")
                    )
                failing = True
            finally:
                connection.close()
            self._read_all.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _received(self, topic: str, body: bytes, properties: Any) -> None:
        request = self._topics.request(topic, body, properties)
        if isinstance(request, str):
            self._log(f"{topic}: {request}")
        elif request is not None:
            self.ask(request)

    def _send_answers(self, connection: Connection) -> None:
        while True:
            try:
                request, event = self._answers.get_nowait()
            except queue.Empty:
                return
            with contextlib.suppress(ValueError):  # an asker's response topic that is none
                connection.publish(request.answer or "", event.to_json().encode(), _properties(request))

    def close(self) -> None:
        """Finish the readings at hand, and end; a second call does nothing."""
        self._stop.set()  # from now on the workers pass over what waits
        for _ in range(self._workers):
            with contextlib.suppress(queue.Full):
                self._requests.put(None, timeout=_LONGEST_READING)
        for thread in self._threads[: self._workers]:
            thread.join(_LONGEST_READING)
        self._read_all.set()
        for thread in self._threads[self._workers :]:
            thread.join(_LONGEST_READING)

    def __enter__(self) -> "Commands":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.close()


@dataclass(frozen=True, slots=True)
class _Topics:
    """Which topics ask, and where the answers go."""

    base: str
    places: tuple[str, ...]

    def subscriptions(self) -> list[str]:
        named = [f"{place}{_SUFFIX_IN}" for place in self.places]
        return [*named, f"{self.base}/read", f"{self.base}/read/+"]

    def request(self, topic: str, body: bytes, properties: Any) -> Request | str | None:
        """Return what a message asks for, or why it asks for nothing."""
        values = _object(body)
        identifier = values.get("id")
        place, answer = self._place(topic)
        if place is None:
            named = values.get("camera")
            if not isinstance(named, str) or not named:
                return 'the message names no camera; send {"camera": "NAME"}'
            place, answer = named, f"{self.base}/answer/{named}"
            if any(character in named for character in "+#/\0"):
                return f"there is no camera for {named!r}"
        asked = getattr(properties, "ResponseTopic", None)
        correlation = getattr(properties, "CorrelationData", None)
        trigger = Trigger("mqtt", topic, None if identifier is None else str(identifier))
        return Request(place, trigger, asked or answer, correlation)

    def _place(self, topic: str) -> tuple[str | None, str]:
        if topic.endswith(_SUFFIX_IN) and topic.removesuffix(_SUFFIX_IN) in self.places:
            place = topic.removesuffix(_SUFFIX_IN)
            return place, f"{place}{_SUFFIX_OUT}"
        if topic == f"{self.base}/read":
            return None, ""
        place = topic.removeprefix(f"{self.base}/read/")
        return place, f"{self.base}/answer/{place}"


def _object(body: bytes) -> dict[str, Any]:
    """Return a message's JSON object; sensors that send a distance or nothing at all ask as well."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _properties(request: Request) -> Any:
    if request.correlation is None:
        return None
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.CorrelationData = request.correlation
    return properties
