"""Reaching an MQTT broker: its address, TLS, and a client that is driven by the caller's own thread."""

import hashlib
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from kplate.errors import KplateError
from kplate.events import without_credentials
from kplate.sinks.courier import Undelivered

if TYPE_CHECKING:
    from paho.mqtt.client import Client

#: Seconds between signs of life; a broker that is silent for one and a half of it is taken for gone.
KEEPALIVE: Final = 20
#: Seconds until a broker must have answered.
ANSWER: Final = 10.0
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_OPTIONS: Final = ("ca", "cert", "key", "client", "insecure")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and how it is spoken to.

    Attributes:
        host: Its name or address.
        port: Its port.
        tls: Whether the connection is encrypted.
        base: What topics begin with.
        user: User name, or None.
        password: Password, or None.
        ca: File of the authorities that the broker's certificate may come from; None for the system's.
        cert: File of the certificate that this client shows, or None.
        key: File of that certificate's key, or None.
        insecure: Whether any certificate will do: for trials only.
        client: Name of this client at the broker; None for one of the caller's.
    """

    host: str
    port: int
    tls: bool
    base: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False
    client: str | None = None

    @property
    def name(self) -> str:
        """The address without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}/{self.base}"

    @classmethod
    def parse(cls, url: str) -> "Broker":
        """Read an address such as ``mqtts://user:password@broker:8883/car-park?ca=ca.pem``.

        User and password may also come from the environment: ``KPLATE_MQTT_USER`` and
        ``KPLATE_MQTT_PASSWORD``, so that they appear in no list of processes.

        Raises:
            KplateError: It is none.
        """
        shown = without_credentials(url)
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname
        except ValueError as error:
            raise KplateError(f"{shown}: not an address of a broker ({_reason(error)})") from None
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = [name for name in options if name not in _OPTIONS]
        if parts.scheme not in _PORTS or not host:
            raise KplateError(f"{shown}: not an address of a broker, such as mqtt://broker:1883/car-park")
        if unknown:
            raise KplateError(f"{shown}: unknown option {unknown[0]!r}; there are {', '.join(_OPTIONS)}")
        tls = parts.scheme == "mqtts"
        if not tls and options.keys() - {"client"}:
            raise KplateError(f"{shown}: certificates need mqtts:// in place of mqtt://")
        base = unquote(parts.path).strip("/") or "kplate"
        if "+" in base or "#" in base or "\0" in base:
            raise KplateError(f"{shown}: a topic to publish on holds neither + nor #")
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            tls=tls,
            base=base,
            user=unquote(parts.username) if parts.username else os.environ.get("KPLATE_MQTT_USER"),
            password=unquote(parts.password) if parts.password else os.environ.get("KPLATE_MQTT_PASSWORD"),
            ca=options.get("ca"),
            cert=options.get("cert"),
            key=options.get("key"),
            insecure=options.get("insecure", "0").lower() not in ("0", "", "no", "false"),
            client=options.get("client"),
        )


def client_name(purpose: str) -> str:
    """Return a name for this machine's client at a broker: the same in every run with the same purpose."""
    told = f"{socket.gethostname()} {purpose}"
    return f"kplate-{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def _reason(error: ValueError) -> str:
    """Python's words may quote the address; a password with ``/`` in it then stands where the port should."""
    return "its port is no number" if "port" in str(error).lower() else "it cannot be taken apart"


class Connection:
    """A connection to a broker, from :meth:`open` to :meth:`close` or to the first failure.

    It does nothing by itself: :meth:`turn` sends and receives, in the caller's thread. Nothing is tried again
    here, and nothing is remembered: what was not acknowledged when a connection ended is sent anew by whoever
    keeps it.
    """

    def __init__(self, broker: Broker, client: str, *, status: str | None = None) -> None:
        """Prepare a connection.

        Args:
            broker: Where to.
            client: Name of this client, if the broker's address gives none.
            status: Topic that says ``online`` while the connection holds and ``offline`` after it, also when
                it breaks (the broker's last will).

        Raises:
            KplateError: paho-mqtt is not installed, or a certificate cannot be read.
        """
        try:
            from paho.mqtt import client as paho
            from paho.mqtt import enums
        except ImportError:
            raise KplateError(
                "MQTT needs paho-mqtt, which is not installed: pip install 'kplate[mqtt]'"
            ) from None
        self._broker = broker
        self._status = status
        self._trouble: str | None = None
        self._connected = False
        #: Called with the number of each published message that the broker has acknowledged.
        self.acknowledged: Callable[[int], None] = lambda _: None
        #: Called with topic, payload and properties (or None) of each message that comes.
        self.received: Callable[[str, bytes, Any], None] = lambda *_: None
        self._client: Client = paho.Client(
            enums.CallbackAPIVersion.VERSION2,
            client_id=broker.client or client,
            protocol=enums.MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._client.max_inflight_messages_set(1000)  # whoever publishes keeps count
        if broker.user:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            self._client.tls_set_context(_tls(broker))
        if status:
            self._client.will_set(status, b"offline", qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    def open(self) -> None:
        """Connect.

        Raises:
            Undelivered: The broker cannot be reached, or refuses.
        """
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE, clean_start=True)
        except ssl.SSLCertVerificationError as error:
            raise Undelivered(f"the broker's certificate is not trusted: {error.verify_message}") from None
        except (OSError, ValueError) as error:
            raise Undelivered(f"cannot connect: {_os_reason(error)}") from None
        end = time.monotonic() + ANSWER
        while not self._connected:
            self.turn(0.1)
            if time.monotonic() > end:
                raise Undelivered("cannot connect: the broker does not answer")
        if self._status:
            self._client.publish(self._status, b"online", qos=1, retain=True)

    def turn(self, seconds: float) -> None:
        """Send and receive for some time.

        Raises:
            Undelivered: The connection is lost.
        """
        code = self._client.loop(seconds)
        if self._trouble is not None:
            raise Undelivered(self._trouble)
        if code != 0:
            raise Undelivered("the connection is lost")

    def publish(self, topic: str, body: bytes, properties: Any = None) -> int:
        """Hand a message over, QoS 1, and return the number that it is acknowledged by."""
        return self._client.publish(topic, body, qos=1, properties=properties).mid

    def subscribe(self, topics: list[str]) -> None:
        """Ask for the messages of some topics, QoS 1."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        self._client.subscribe([(topic, options) for topic in topics])

    def close(self) -> None:
        """Say goodbye; a broker that is gone is not waited for."""
        try:
            if self._connected and self._trouble is None:
                if self._status:
                    self._client.publish(self._status, b"offline", qos=1, retain=True)
                    self._client.loop(0.2)
                self._client.disconnect()
                self._client.loop(0.1)
        except OSError:
            pass
        finally:
            sock = self._client.socket()
            if sock is not None:
                sock.close()

    def _on_connect(self, *given: Any) -> None:
        code = given[3]
        if code.is_failure:
            self._trouble = f"the broker refused the connection: {str(code).lower()}"
        else:
            self._connected = True

    def _on_disconnect(self, *given: Any) -> None:
        code = given[3]
        said = str(code).lower()
        quiet = said in ("normal disconnection", "success", "unspecified error")
        self._trouble = self._trouble or ("the connection is lost" + ("" if quiet else f": {said}"))

    def _on_publish(self, *given: Any) -> None:
        mid, code = given[2], given[3]
        if code.is_failure:
            self._trouble = f"the broker does not take events: {str(code).lower()}"
        else:
            self.acknowledged(mid)

    def _on_subscribe(self, *given: Any) -> None:
        failed = [code for code in given[3] if code.is_failure]
        if failed:
            self._trouble = f"the broker refused the subscription: {str(failed[0]).lower()}"

    def _on_message(self, *given: Any) -> None:
        message = given[2]
        self.received(message.topic, message.payload, message.properties)


def _tls(broker: Broker) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=broker.ca)
        if broker.cert:
            context.load_cert_chain(broker.cert, broker.key)
    except (OSError, ValueError) as error:
        raise KplateError(f"{broker.name}: a certificate cannot be read: {_os_reason(error)}") from None
    if broker.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _os_reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]
