"""Names of sources and pictures as parts of topics, keys and files."""

import re

from kplate.events import Event

_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")
_UNSAFE = re.compile(r"[^\w.-]+")


def slug(text: str) -> str:
    """Return a name that may stand in a file name, an object's key and one level of an MQTT topic.

    >>> slug("rtsp://10.0.0.5:554/stream 1"), slug("정문"), slug("..")
    ('10.0.0.5-554-stream-1', '정문', 'source')
    """
    return _UNSAFE.sub("-", _SCHEME.sub("", text)).strip("-.")[:80] or "source"


def picture_key(event: Event, name: str) -> str:
    """Return a picture's name in a store: day, source, event and what it shows.

    The same event has the same keys everywhere, so that a picture that is stored again replaces itself.
    """
    return f"{event.time:%Y-%m-%d}/{slug(event.source)}/{event.id}-{slug(name)}.jpg"
