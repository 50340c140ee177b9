"""Events to a web receiver: signed, again after failures, in order."""

import base64
import json
import time
from pathlib import Path

import pytest

from kplate.errors import KplateError
from kplate.sinks import Store, open_sinks
from kplate.sinks.courier import Refused, Undelivered
from kplate.sinks.store import Waiting
from kplate.sinks.webhook import Webhook

from .conftest import Log, Receiver, event, free_port, wait_until

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_requests_are_signed(
    receiver: Receiver, tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The specification's own library is the judge."""
    webhooks = pytest.importorskip("standardwebhooks", reason="standardwebhooks is not installed")
    monkeypatch.setenv("KPLATE_WEBHOOK_SECRET", SECRET)
    with open_sinks([receiver.url], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(event(1))
        assert wait_until(lambda: sinks.waiting == {receiver.url: 0})
    ((path, headers, body),) = receiver.requests
    assert path == "/hook"
    assert headers["content-type"] == "application/json"
    assert webhooks.Webhook(SECRET).verify(body.decode(), headers) == event(1).to_dict()
    with pytest.raises(webhooks.WebhookVerificationError):
        webhooks.Webhook(SECRET).verify(body.decode().replace("3108", "3109"), headers)
    assert log == []


def test_a_receiver_that_fails_gets_everything_later(receiver: Receiver, tmp_path: Path, log: Log) -> None:
    receiver.answers = [(503, {}), (500, {})]
    with open_sinks([receiver.url], spool=tmp_path / "spool.db", log=log) as sinks:
        for number in range(5):
            sinks.write(event(number))
        assert wait_until(lambda: sinks.waiting == {receiver.url: 0})
    assert list(dict.fromkeys(receiver.ids())) == [event(number).id for number in range(5)]
    assert len(receiver.ids()) == 7
    assert len(log) == 2
    assert "503" in log[0]
    assert "works again" in log[1]


def test_events_wait_for_a_receiver_that_is_away(tmp_path: Path, log: Log) -> None:
    port = free_port()
    url = f"http://me:topsecret%40@127.0.0.1:{port}/hook?token=topsecret"
    with open_sinks([url], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(event(1))
        assert wait_until(lambda: log.has("hook?token=***: cannot connect: connection refused"))
    assert not log.has("topsecret")
    assert b"topsecret" not in (tmp_path / "spool.db").read_bytes()
    receiver = Receiver(port)
    with open_sinks([url], spool=tmp_path / "spool.db", log=log):
        assert wait_until(lambda: receiver.ids() == [event(1).id])
    path, headers, _ = receiver.requests[0]
    receiver.close()
    assert path == "/hook?token=topsecret"
    assert headers["authorization"] == f"Basic {base64.b64encode(b'me:topsecret@').decode()}"
    assert "webhook-signature" not in headers


def test_an_event_that_is_refused_does_not_hold_up_the_others(
    receiver: Receiver, tmp_path: Path, log: Log
) -> None:
    receiver.answers = [(422, {})]
    with open_sinks([receiver.url], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(event(1))
        sinks.write(event(2))
        assert wait_until(lambda: len(receiver.requests) == 2)
    assert log.has(f"refused event {event(1).id}: the receiver answered 422")
    store = Store(tmp_path / "spool.db")
    assert store.backlog() == {receiver.url: (0, 1)}
    store.close()


def send(receiver: Receiver) -> None:
    Webhook(receiver.url).send(Waiting(1, event(1).id, event(1).to_json()), [])


@pytest.mark.parametrize(
    ("status", "headers", "raised", "pause"),
    [
        (302, {"Location": "/elsewhere"}, Undelivered, None),
        (401, {}, Undelivered, None),
        (404, {}, Undelivered, None),
        (429, {"Retry-After": "7"}, Undelivered, 7.0),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, Undelivered, 0.0),
        (503, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, Undelivered, 3600.0),
        (503, {"Retry-After": "soon"}, Undelivered, None),
        (503, {"Retry-After": "999999"}, Undelivered, 3600.0),
        (400, {}, Refused, None),
        (413, {}, Refused, None),
    ],
)
def test_answers(
    receiver: Receiver, status: int, headers: dict[str, str], raised: type[Exception], pause: float | None
) -> None:
    receiver.answers = [(status, headers)]
    with pytest.raises(raised, match=str(status)) as caught:
        send(receiver)
    assert getattr(caught.value, "pause", None) == pause
    assert len(receiver.requests) == 1


def test_a_receiver_is_left_alone_as_long_as_it_asked(receiver: Receiver, tmp_path: Path, log: Log) -> None:
    receiver.answers = [(429, {"Retry-After": "1"})]
    with open_sinks([receiver.url], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(event(1))
        assert wait_until(lambda: len(receiver.requests) == 1)
        began = time.monotonic()
        assert wait_until(lambda: len(receiver.requests) == 2)
    assert time.monotonic() - began >= 0.98


def test_pauses_grow(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kplate.sinks.courier.FIRST_PAUSE", 0.05)
    receiver = Receiver()
    receiver.answers = [(500, {})] * 5
    times: list[float] = []
    with open_sinks([receiver.url], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(event(1))
        while len(times) < 6:
            if len(receiver.requests) > len(times):
                times.append(time.monotonic())
            time.sleep(0.002)
    receiver.close()
    assert times[5] - times[4] > 2 * (times[2] - times[1])
    assert len(log) == 2


def test_hangul_arrives(receiver: Receiver) -> None:
    send(receiver)
    assert json.loads(receiver.requests[0][2])["plate"]["text"] == "52주3108"


@pytest.mark.parametrize("url", ["http://", "https:///path", "http://host:none/"])
def test_wrong_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(KplateError, match="not an address"):
        open_sinks([url], spool=tmp_path / "spool.db")


def test_a_wrong_secret_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPLATE_WEBHOOK_SECRET", "whsec_?")
    with pytest.raises(KplateError, match="base64"):
        open_sinks(["http://localhost/"], spool=tmp_path / "spool.db")
