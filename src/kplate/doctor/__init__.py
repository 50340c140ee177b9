"""Finding out what is wrong with an installation, and what to do about it."""

from kplate.doctor.checks import Finding, examine

__all__ = ["Finding", "examine"]
