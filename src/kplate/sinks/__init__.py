"""Where events go: files, a store, an MQTT broker, a web address, object storage.

:func:`open_sinks` opens any of them; what it returns takes events and never fails.
"""

from kplate.sinks.base import Log, Sink
from kplate.sinks.fan import Sinks
from kplate.sinks.opening import DEFAULT_STORE, open_sinks
from kplate.sinks.privacy import Privacy
from kplate.sinks.store import Store

__all__ = ["DEFAULT_STORE", "Log", "Privacy", "Sink", "Sinks", "Store", "open_sinks"]
