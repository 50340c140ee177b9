"""Events to an MQTT broker: QoS 1, in order, each until the broker has acknowledged it.

Topics are ``BASE/events/SOURCE/TYPE``; ``BASE/status/CLIENT`` says ``online`` or ``offline`` (retained).
"""

import json
import time
from typing import Final

from kplate.errors import KplateError
from kplate.sinks.base import Log
from kplate.sinks.courier import Outbox, Undelivered
from kplate.sinks.mqtt_client import ANSWER, Broker, Connection
from kplate.sinks.naming import slug
from kplate.sinks.store import Waiting

#: Events on their way without an acknowledgement: each of them may come twice after a crash. A broker that
#: answers after 0.3 s, as over mobile networks, still takes 16 events a second.
_WINDOW: Final = 5
#: How long the thread listens to the network before it looks for new events, in seconds.
_LISTEN: Final = 0.1


class MqttCarrier:
    """The way to a broker."""

    def __init__(self, broker: Broker, client: str) -> None:
        """Check that the library is there and the certificates can be read.

        Args:
            broker: Where to.
            client: Name of this client at the broker, the same in every run.

        Raises:
            KplateError: They are not.
        """
        self._broker = broker
        self._client = client
        self._status = f"{broker.base}/status/{slug(broker.client or client)}"
        Connection(broker, client)

    def carry(self, outbox: Outbox, log: Log) -> None:
        """Deliver what waits, and what comes, until the outbox is stopped.

        Raises:
            Undelivered: The broker is away. What it had not acknowledged is sent again, in order.
        """
        connection = Connection(self._broker, self._client, status=self._status)
        try:
            connection.open()
            _Delivery(connection, outbox, self._broker.base, log).run()
        finally:
            connection.close()


class _Delivery:
    """The events of one connection."""

    def __init__(self, connection: Connection, outbox: Outbox, base: str, log: Log) -> None:
        self._connection = connection
        self._outbox = outbox
        self._base = base
        self._log = log
        #: Events on their way: number of the message -> number of the delivery.
        self._sent: dict[int, int] = {}
        self._arrived: list[int] = []
        self._last = 0  # newest delivery that was sent
        self._heard = time.monotonic()
        connection.acknowledged = self._acknowledged

    def run(self) -> None:
        while not self._outbox.stop.is_set():
            self._send()
            self._connection.turn(_LISTEN)
            self._note()
            if self._sent and time.monotonic() - self._heard > ANSWER:
                raise Undelivered("the broker does not acknowledge events")

    def _send(self) -> None:
        room = _WINDOW - len(self._sent)
        if room <= 0:
            return
        items = self._outbox.next(after=self._last if self._sent else 0, limit=room)
        if not items and not self._sent:
            self._log("")  # it would take events
        for item in items:
            if not self._sent:
                self._heard = time.monotonic()
            mid = self._connection.publish(self._topic(item), item.body.encode())
            self._sent[mid] = item.seq
            self._last = item.seq

    def _topic(self, item: Waiting) -> str:
        values = json.loads(item.body)
        if not isinstance(values, dict):
            raise KplateError(f"event {item.event} in the store is damaged")
        return f"{self._base}/events/{slug(str(values.get('source')))}/{values.get('type')}"

    def _acknowledged(self, mid: int) -> None:
        self._heard = time.monotonic()
        if mid in self._sent:
            self._arrived.append(self._sent.pop(mid))

    def _note(self) -> None:
        if self._arrived:
            self._outbox.delivered(self._arrived)
            self._arrived = []
            self._log("")
