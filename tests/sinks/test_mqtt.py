"""Events to a real MQTT broker: order, waiting, reconnecting, last will, TLS, refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kplate.errors import KplateError
from kplate.sinks import Store, open_sinks
from kplate.sinks.mqtt_client import Broker as Address

from .conftest import Broker, Log, Subscriber, event, wait_until


def test_events_arrive_in_order(broker: Broker, subscriber: Subscriber, tmp_path: Path, log: Log) -> None:
    with open_sinks([broker.url], spool=tmp_path / "spool.db", log=log) as sinks:
        for number in range(50):
            sinks.write(event(number))
        assert wait_until(lambda: len(subscriber.ids()) == 50)
        assert ("test/status/", b"online") in [(topic[:12], body) for topic, body in subscriber.messages]
    assert subscriber.ids() == [event(number).id for number in range(50)]
    topic, body = next(item for item in subscriber.messages if "/events/" in item[0])
    assert topic == "test/events/gate/sighting"
    assert json.loads(body) == event(0).to_dict()
    assert wait_until(lambda: subscriber.messages[-1][1] == b"offline")
    assert log == []


def test_events_wait_while_the_broker_is_away(broker: Broker, tmp_path: Path, log: Log) -> None:
    """Also from one run to the next, and with a broker that goes away again."""
    broker.stop()
    with open_sinks([broker.url], spool=tmp_path / "spool.db", log=log) as sinks:
        for number in range(30):
            sinks.write(event(number))
        assert wait_until(lambda: log.has("cannot connect: connection refused"))
    assert log.has("30 events wait in spool.db for the next run")
    broker.start()
    subscriber = Subscriber(broker.port)
    with open_sinks([broker.url], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(event(30))
        assert wait_until(lambda: len(subscriber.ids()) == 31)
        broker.stop()
        for number in range(31, 40):
            sinks.write(event(number))
            sinks.write(event(number))  # the same event again changes nothing
        subscriber.ready.clear()
        broker.start()
        assert subscriber.ready.wait(15)
        assert wait_until(lambda: len(set(subscriber.ids())) == 40)
        assert wait_until(lambda: sinks.waiting == {broker.url: 0})
        assert log.has("works again")
    seen = list(dict.fromkeys(subscriber.ids()))
    assert seen == [event(number).id for number in range(40)]
    subscriber.close()
    assert sum("cannot connect" in message for message in log) == 1


def test_an_event_is_sent_once_for_ever(
    broker: Broker, subscriber: Subscriber, tmp_path: Path, log: Log
) -> None:
    for _ in range(2):
        with open_sinks([str(tmp_path / "events.db"), broker.url], log=log) as sinks:
            sinks.write(event(1))
            assert wait_until(lambda: sinks.waiting == {broker.url: 0})
    time.sleep(0.2)
    assert subscriber.ids() == [event(1).id]


def test_the_last_will_tells_of_a_killed_process(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    code = (
        "import sys, time; from kplate.sinks import open_sinks\n"
        "sinks = open_sinks([sys.argv[1]], spool=sys.argv[2]); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, broker.url, str(tmp_path / "spool.db")])
    try:
        assert wait_until(lambda: any(body == b"online" for _, body in subscriber.messages))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert wait_until(lambda: subscriber.messages[-1][1] == b"offline")


def test_two_processes_share_a_store(
    broker: Broker, subscriber: Subscriber, tmp_path: Path, log: Log
) -> None:
    targets = [str(tmp_path / "events.db"), broker.url]
    with open_sinks(targets, log=log) as first, open_sinks(targets, log=log) as second:
        for number in range(20):
            (first, second)[number % 2].write(event(number))
        assert wait_until(lambda: len(subscriber.ids()) >= 20)
    time.sleep(0.2)
    assert subscriber.ids() == [event(number).id for number in range(20)]


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority, and certificates of a broker and a client that it has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "certificates"
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-subj", "/CN=kplate test", "-keyout", "ca.key", "-out", "ca.pem")
    for name in ("broker", "client"):
        subject = ("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1")
        openssl("req", *curve, *subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        sign = ("x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-copy_extensions", "copy")
        openssl(*sign, "-in", f"{name}.csr", "-out", f"{name}.pem")
    return folder


def test_tls_with_certificates_on_both_sides(certificates: Path, tmp_path: Path, log: Log) -> None:
    settings = [
        f"cafile {certificates}/ca.pem",
        f"certfile {certificates}/broker.pem",
        f"keyfile {certificates}/broker.key",
        "require_certificate true",
    ]
    broker = Broker(tmp_path, *settings)
    broker.start()
    url = f"mqtts://127.0.0.1:{broker.port}/test"
    own = f"&cert={certificates}/client.pem&key={certificates}/client.key"
    try:
        target = f"{url}?ca={certificates}/ca.pem{own}"
        with open_sinks([target], spool=tmp_path / "good.db", log=log) as sinks:
            sinks.write(event(1))
            assert wait_until(lambda: sinks.waiting == {url: 0})
        assert log == []
        with open_sinks([f"{url}?client=x"], spool=tmp_path / "bad.db", log=log) as sinks:
            sinks.write(event(1))
            assert wait_until(lambda: log.has("certificate is not trusted"))
    finally:
        broker.stop()


def test_wrong_passwords_are_told_without_them(tmp_path: Path, log: Log) -> None:
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed: apt-get install mosquitto")
    passwords = tmp_path / "passwords"
    passwords.touch()
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "kplate", "right"], check=True)
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    broker.start()
    try:
        url = broker.url.replace("127", "kplate:wrongsecret@127")
        with open_sinks([url], spool=tmp_path / "spool.db", log=log) as sinks:
            sinks.write(event(1))
            assert wait_until(lambda: log.has("not authorized"))
        url = broker.url.replace("127", "kplate:right@127")
        with open_sinks([url], spool=tmp_path / "spool.db", log=log) as sinks:
            assert wait_until(lambda: sinks.waiting == {broker.url: 0})
    finally:
        broker.stop()
    assert not log.has("wrongsecret")


def test_what_the_broker_forbids_waits(tmp_path: Path, log: Log) -> None:
    """With the protocol's older version such events would be lost without a word."""
    rights = tmp_path / "rights"
    rights.write_text("topic write test/status/#\n")
    broker = Broker(tmp_path, f"acl_file {rights}")
    broker.start()
    try:
        with open_sinks([broker.url], spool=tmp_path / "spool.db", log=log) as sinks:
            sinks.write(event(1))
            assert wait_until(lambda: log.has("the broker does not take events: not authorized"))
            assert sinks.waiting == {broker.url: 1}
    finally:
        broker.stop()


def test_addresses() -> None:
    address = Address.parse("mqtts://me:se%40cret@broker.example/park/one?ca=ca.pem")
    assert (address.port, address.base, address.user, address.password) == (8883, "park/one", "me", "se@cret")
    assert address.name == "mqtts://broker.example:8883/park/one"
    assert "cret" not in repr(address)
    assert Address.parse("mqtt://[::1]").name == "mqtt://[::1]:1883/kplate"


def test_credentials_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPLATE_MQTT_USER", "me")
    monkeypatch.setenv("KPLATE_MQTT_PASSWORD", "topsecret")
    address = Address.parse("mqtt://broker")
    assert (address.user, address.password) == ("me", "topsecret")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mqtt:///topic", "not an address"),
        ("mqtt://me:se/cret@broker/topic", "not an address"),
        ("mqtt://broker:none/topic", "port"),
        ("mqtt://broker/a/+/b", r"\+"),
        ("mqtts://broker/a?ca=none.pem", "none.pem|no such file"),
        ("mqtts://broker/a?qos=2", "'qos'"),
        ("mqtt://broker/a?ca=a.pem", "mqtts"),
    ],
)
def test_wrong_addresses_are_refused(url: str, reason: str, tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'kplate[mqtt]'")
    with pytest.raises(KplateError, match=reason) as caught:
        open_sinks([url], spool=tmp_path / "spool.db")
    assert "cret" not in str(caught.value)
    assert not (tmp_path / "spool.db").exists()


def test_delivered_events_of_a_spool_are_forgotten_after_a_week(broker: Broker, tmp_path: Path) -> None:
    with open_sinks([broker.url], spool=tmp_path / "spool.db") as sinks:
        sinks.write(event(1))  # long ago
        assert wait_until(lambda: sinks.waiting == {broker.url: 0})
    open_sinks([broker.url], spool=tmp_path / "spool.db").close()
    store = Store(tmp_path / "spool.db")
    assert store.backlog() == {}
    store.close()
