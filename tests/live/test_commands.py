"""Reading on demand, with a real broker: who asks, who is answered, and what goes wrong."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sinks.conftest import Broker, Log, Subscriber, broker, log, subscriber, wait_until  # noqa: F401

from kplate.errors import KplateError
from kplate.events import Event, EventBay, EventType, Trigger
from kplate.images import Image
from kplate.live.commands import Commands, Request
from kplate.live.model import Frame
from kplate.results import Permit, Plate, Recognition, Vehicle
from kplate.sinks import Privacy

TIME = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
FRAME = Frame(5, 0.2, TIME, np.zeros((240, 320, 3), np.uint8))


def plate(text: str | None, box: tuple[float, float, float, float], vehicle: int | None = None) -> Plate:
    left, top, right, bottom = box
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return Plate(text, text, text, 0.9, (), "white_long", "private", False, box, corners, 0.9, vehicle)


FOUND = Recognition(
    320,
    240,
    10.0,
    vehicles=(Vehicle((0.0, 0.0, 50.0, 60.0), 0.9), Vehicle((60.0, 20.0, 300.0, 230.0), 0.8)),
    plates=(
        plate("12가3456", (10.0, 40.0, 30.0, 50.0), 0),
        plate("52주3108", (100.0, 180.0, 180.0, 200.0), 1),
        plate(None, (200.0, 100.0, 300.0, 150.0)),
    ),
    permits=(Permit((20.0, 20.0, 30.0, 30.0), 0.9, 0),),
)


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pictures: list[Mapping[str, Image]] = []

    def write(self, event: Event, pictures: Mapping[str, Image] | None = None) -> None:
        self.events.append(event)
        self.pictures.append(pictures or {})

    def close(self) -> None:
        pass


@pytest.fixture
def sink() -> Kept:
    return Kept()


def grab(name: str) -> Frame:
    if name == "broken":
        raise KplateError("cannot open rtsp://me:topsecret@10.0.0.5/1: it does not answer")
    if name == "odd":
        raise ZeroDivisionError
    return FRAME


CAMERAS = {"B1-A1": "gate", "gate": "gate", "broken": "broken", "odd": "odd"}


@pytest.fixture
def commands(broker: Broker, sink: Kept, log: Log) -> Iterator[Commands]:  # noqa: F811
    url = f"mqtt://127.0.0.1:{broker.port}/kplate"
    with Commands(CAMERAS, grab, lambda _: FOUND, sink, broker=url, log=log) as made:
        yield made


def answers(subscriber: Subscriber, topic: str) -> list[dict[str, Any]]:  # noqa: F811
    return [json.loads(body) for told, body in subscriber.messages if told == topic]


def online(subscriber: Subscriber) -> bool:  # noqa: F811
    return any(body == b"online" for _, body in subscriber.messages)


@pytest.mark.parametrize(
    ("asked", "body", "answered", "identifier"),
    [
        ("B1-A1-In", b"", "B1-A1-Out", None),
        ("B1-A1-In", b"47.5", "B1-A1-Out", None),
        ("B1-A1-In", b'{"id": 42}', "B1-A1-Out", "42"),
        ("kplate/read/B1-A1", b"\xff", "kplate/answer/B1-A1", None),
        ("kplate/read", b'{"camera": "B1-A1", "id": "a"}', "kplate/answer/B1-A1", "a"),
    ],
)
@pytest.mark.usefixtures("commands")
def test_messages_are_answered(
    asked: str,
    body: bytes,
    answered: str,
    identifier: str | None,
    subscriber: Subscriber,  # noqa: F811
    sink: Kept,
) -> None:
    assert wait_until(lambda: online(subscriber))
    time.sleep(0.1)  # the subscription follows
    subscriber.publish(asked, body)
    assert wait_until(lambda: len(answers(subscriber, answered)) == 1)
    (event,) = sink.events
    assert answers(subscriber, answered) == [event.to_dict()]
    assert (event.type, event.source, event.bay) == (EventType.READING, "gate", EventBay("B1-A1"))
    assert event.trigger == Trigger("mqtt", asked, identifier)
    assert event.time == TIME


def test_the_event_tells_of_the_nearest_car(commands: Commands, sink: Kept) -> None:
    commands.ask(Request("gate", Trigger("timer")))
    assert wait_until(lambda: bool(sink.events))
    (event,) = sink.events
    assert event.bay is None
    assert event.plate is not None
    assert event.plate.text == "52주3108"
    assert [other.text for other in event.others] == ["12가3456"]  # what is not trusted is not told
    assert event.vehicle is not None
    assert event.vehicle.box == FOUND.vehicles[1].box
    assert event.permit is False  # it lies in the other car
    (pictures,) = sink.pictures
    shapes = {name: picture.shape[:2] for name, picture in pictures.items()}
    assert shapes["frame"] == (240, 320)
    assert shapes["vehicle"] == (211, 241)
    assert shapes["plate"] < (60, 140)


@pytest.mark.usefixtures("commands")
def test_a_response_topic_gets_the_answer(
    broker: Broker,  # noqa: F811
    subscriber: Subscriber,  # noqa: F811
) -> None:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    received: list[Any] = []
    asker = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    asker.on_message = lambda _, __, message: received.append(message)
    asker.connect("127.0.0.1", broker.port)
    asker.subscribe("mine", qos=1)
    asker.loop_start()
    assert wait_until(lambda: online(subscriber))
    time.sleep(0.1)
    for topic in ("no/+/topic", "mine"):
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = b"7"
        if topic == "mine":
            properties.ResponseTopic = topic
        asker.publish("kplate/read/gate", b"", qos=1, properties=properties)
    assert wait_until(lambda: len(received) == 1)
    assert received[0].properties.CorrelationData == b"7"
    assert json.loads(received[0].payload)["plate"]["text"] == "52주3108"
    asker.disconnect()
    asker.loop_stop()


@pytest.mark.usefixtures("commands")
def test_failures_are_answered_without_credentials(
    subscriber: Subscriber,  # noqa: F811
    sink: Kept,
    log: Log,  # noqa: F811
) -> None:
    assert wait_until(lambda: online(subscriber))
    time.sleep(0.1)
    for camera in ("broken", "odd", "nowhere"):
        subscriber.publish(f"kplate/read/{camera}")
    subscriber.publish("kplate/read", b"[1]")
    subscriber.publish("kplate/read", b"[" * 100_000)
    assert wait_until(lambda: len(answers(subscriber, "kplate/answer/nowhere")) == 1)
    assert wait_until(lambda: len(answers(subscriber, "kplate/answer/broken")) == 1)
    (broken,) = answers(subscriber, "kplate/answer/broken")
    assert broken["error"] == "cannot open rtsp://10.0.0.5/1: it does not answer"
    assert "there is no camera for nowhere" in answers(subscriber, "kplate/answer/nowhere")[0]["error"]
    assert wait_until(lambda: sorted(event.source for event in sink.events) == ["broken", "odd"])
    assert wait_until(lambda: log.has("names no camera"))
    assert not log.has("topsecret")
    subscriber.publish("gate-In")  # and it still listens
    assert wait_until(lambda: len(answers(subscriber, "gate-Out")) == 1)


@pytest.mark.usefixtures("commands")
def test_it_listens_again_after_the_broker_was_away(
    broker: Broker,  # noqa: F811
    subscriber: Subscriber,  # noqa: F811
    log: Log,  # noqa: F811
) -> None:
    assert wait_until(lambda: online(subscriber))
    broker.stop()
    assert wait_until(lambda: log.has("nobody can ask"))
    broker.start()
    assert wait_until(lambda: log.has("works again"))
    time.sleep(1.2)  # the subscriber comes back as well
    subscriber.publish("gate-In")
    assert wait_until(lambda: len(answers(subscriber, "gate-Out")) == 1)
    assert len(log) == 2


def test_snapshots_are_made_periodically(sink: Kept, log: Log) -> None:  # noqa: F811
    with Commands(["gate", "yard"], grab, lambda _: FOUND, sink, every=0.2, log=log):
        assert wait_until(lambda: len(sink.events) >= 6)
    assert {event.source for event in sink.events} == {"gate", "yard"}
    assert all(event.trigger == Trigger("timer") for event in sink.events)
    count = len(sink.events)
    time.sleep(0.3)
    assert len(sink.events) == count


def test_bays_of_one_camera_make_one_snapshot(sink: Kept, log: Log) -> None:  # noqa: F811
    with Commands({"A1": "gate", "A2": "gate"}, grab, lambda _: FOUND, sink, every=60, log=log):
        assert wait_until(lambda: len(sink.events) == 1)
        time.sleep(0.1)
    assert len(sink.events) == 1
    assert sink.events[0].bay is None


def test_a_camera_that_does_not_answer_holds_up_no_other(sink: Kept, log: Log) -> None:  # noqa: F811
    held = threading.Event()

    def slow(name: str) -> Frame:
        if name == "dead":
            held.wait(10)
        return grab(name)

    with Commands(["dead", "gate"], slow, lambda _: FOUND, sink, every=0.1, log=log):
        assert wait_until(lambda: len(sink.events) >= 3)
        assert {event.source for event in sink.events} == {"gate"}
        held.set()
    assert [event.source for event in sink.events].count("dead") == 1  # and is asked once at a time


def test_who_asks_too_much_is_told_so(sink: Kept, log: Log) -> None:  # noqa: F811
    held = threading.Event()

    def slow(name: str) -> Frame:
        held.wait(10)
        return grab(name)

    made = Commands(["gate"], slow, lambda _: FOUND, sink, log=log)
    for _ in range(100):
        made.ask(Request("gate", Trigger("mqtt"), "answer"))
    refused = [event.error for _, event in list(made._answers.queue)]
    assert refused
    assert set(refused) == {"too many requests wait"}
    held.set()
    made.close()
    assert len(sink.events) <= 2  # what waited is given up when it ends


def test_hashed_plates_are_not_in_answers(
    broker: Broker,  # noqa: F811
    subscriber: Subscriber,  # noqa: F811
    sink: Kept,
    log: Log,  # noqa: F811
) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}/kplate"
    privacy = Privacy(b"0123456789abcdef")
    with Commands(["gate"], grab, lambda _: FOUND, sink, broker=url, privacy=privacy, log=log):
        assert wait_until(lambda: online(subscriber))
        time.sleep(0.1)
        subscriber.publish("gate-In")
        assert wait_until(lambda: len(answers(subscriber, "gate-Out")) == 1)
    assert "3108" not in json.dumps(answers(subscriber, "gate-Out"), ensure_ascii=False)
    assert "3456" not in json.dumps(answers(subscriber, "gate-Out"), ensure_ascii=False)
