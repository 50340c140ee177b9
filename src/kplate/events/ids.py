"""Identifiers of events: UUIDs of version 7 (RFC 9562), which sort by time."""

import hashlib
import secrets
from datetime import datetime
from uuid import UUID


def new_id(time: datetime, seed: str | None = None) -> str:
    """Make the identifier of an event.

    Args:
        time: When it happened; its milliseconds since 1970 come first, so that identifiers sort by time.
        seed: What the rest is made of: the same time and seed give the same identifier, so that the events of
            a video file that is watched twice are the same events. It must not hold a plate's text: who knows
            the rest could try all plates. None: the rest is random.

    Returns:
        A UUID in its usual form, such as ``019ab0f3-5c1a-7d21-9a3e-0f6b1c2d3e4f``.
    """
    rest = secrets.token_bytes(10) if seed is None else hashlib.sha256(seed.encode()).digest()[:10]
    milliseconds = int(time.timestamp() * 1000) & (1 << 48) - 1
    value = milliseconds << 80 | int.from_bytes(rest)
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(UUID(int=value))
