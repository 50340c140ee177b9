"""The failures that kplate reports to its user.

``str(error)`` is always one clear sentence, on one line, that names the file concerned and the reason.
Anything else that escapes from kplate is a bug.
"""


class KplateError(Exception):
    """Base of every failure a user can cause and understand."""


class ImageError(KplateError):
    """A picture cannot be found, read or used.

    Attributes:
        path: The file as the caller named it; None where the picture is an array.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class WeightsError(KplateError):
    """A network or its manifest is missing, damaged or does not fit."""


class EngineError(KplateError):
    """What should run a network is unknown, not installed, or does not take the network."""


class OutputError(KplateError):
    """A result cannot be written."""


class DataError(KplateError):
    """A data set or a label file cannot be read."""


class GrammarError(KplateError, ValueError):
    """A text is not that of a Korean number plate."""
