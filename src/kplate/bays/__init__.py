"""Parking bays: which car stands where, since when, and what somebody should look at."""

from kplate.bays.file import load_bays, parse_bays
from kplate.bays.model import Bay, BayCamera, BayKind, Bays, BaysError, Mistake, Timing
from kplate.bays.monitor import BayMonitor, BayState

__all__ = [
    "Bay",
    "BayCamera",
    "BayKind",
    "BayMonitor",
    "BayState",
    "Bays",
    "BaysError",
    "Mistake",
    "Timing",
    "load_bays",
    "parse_bays",
]
