"""Reading Darknet `.cfg` files: sections, their options, and the line of everything for messages.

The format is that of the Darknet of YOLOv4 (A. Bochkovskiy et al., 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kplate.errors import DataError
from kplate.files import LONGEST_PATH, StrPath, excerpt, printable, reason_of

#: Short names that Darknet takes as well.
_ALIASES: Final = {"network": "net", "conv": "convolutional", "max": "maxpool", "avg": "avgpool"}

#: How `.cfg` files are read and written: comments in other encodings, such as CP949, stay what they are.
BYTES_KEPT: Final = "surrogateescape"

#: Options that say what a layer computes.
_USED: Final[dict[str, frozenset[str]]] = {
    "convolutional": frozenset("batch_normalize filters size stride pad padding groups activation".split()),
    "maxpool": frozenset("size stride".split()),
    "route": frozenset("layers groups group_id".split()),
    "shortcut": frozenset("from activation".split()),
    "upsample": frozenset("stride".split()),
    "dropout": frozenset("probability dropblock dropblock_size_rel dropblock_size_abs".split()),
    "avgpool": frozenset(),
    "yolo": frozenset("mask anchors classes num scale_x_y new_coords".split()),
}
#: Options that matter only while Darknet trains, or for the way it draws boxes.
_TRAINING: Final = frozenset(
    "stopbackward onlyforward dont_update burnin_update train_only_bn learning_rate clip jitter resize "
    "random ignore_thresh truth_thresh iou_thresh iou_thresh_kind iou_loss iou_normalizer cls_normalizer "
    "obj_normalizer delta_normalizer max_delta objectness_smooth label_smooth_eps focal_loss max map "
    "counters_per_class classes_multipliers nms_kind beta_nms show_details bias_match".split()
)
#: Options that change what a layer computes in ways kplate does not know; value that changes nothing.
_NEUTRAL: Final = {
    "dilation": "1",
    "scale": "1",
    "antialiasing": "0",
    "maxpool_depth": "0",
    "binary": "0",
    "xnor": "0",
    "flipped": "0",
    "dontload": "0",
    "dontloadscales": "0",
    "weights_type": "none",
    "weights_normalization": "none",
}
#: Darknet's own numbers have 32 bits; beyond lies nothing that a network can be made of.
_LARGEST: Final = 2**31 - 1
#: Letters of a message at most.
_MESSAGE: Final = 400


class CfgError(DataError):
    """A `.cfg` file that cannot be built; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Section:
    """One `[kind]` block of a `.cfg`.

    Attributes:
        kind: Name between the brackets, e.g. `convolutional`.
        options: The `key=value` lines.
        source: File name, for messages.
        line: 1-based line of the header.
        lines: 1-based line of each option.
    """

    kind: str
    options: dict[str, str]
    source: str
    line: int
    lines: dict[str, int]

    def place(self, key: str | None = None) -> str:
        """Where this section, or one of its options, stands: `my.cfg, line 7`."""
        return f"{self.source}, line {self.lines.get(key, self.line) if key else self.line}"

    def error(self, message: str, key: str | None = None) -> CfgError:
        """An error that points at this section, or at one of its options."""
        return CfgError(f"{self.place(key)}: {excerpt(f'[{excerpt(self.kind)}] {message}', _MESSAGE)}")

    def quoted(self, key: str) -> str:
        """An option as messages repeat it."""
        return f"`{excerpt(f'{key}={self.options.get(key)}')}`"

    def check(self) -> None:
        """Makes sure that the kind of layer and every option are known.

        Raises:
            CfgError: One is not; the message names its line.
        """
        used = _USED.get(self.kind)
        if used is None:
            raise self.error(f"is not a kind of layer kplate knows; known: {', '.join(_USED)}")
        for key, value in self.options.items():
            if key not in used and key not in _TRAINING and not _changes_nothing(key, value):
                raise self.error(f"does not know {self.quoted(key)}", key)

    def text(self, key: str, default: str | None = None) -> str:
        """The option as text; raises :class:`CfgError` when it is missing and has no default."""
        value = self.options.get(key, default)
        if value is None:
            raise self.error(f"needs `{key}=`")
        return value

    def integers(self, key: str, default: str | None = None) -> tuple[int, ...]:
        """The option as comma-separated whole numbers."""
        text = self.text(key, default)
        try:
            values = tuple(int(part) for part in text.split(",") if part.strip())
        except ValueError:
            raise self.error(f"{self.quoted(key)} is not a list of whole numbers", key) from None
        self._check_range(key, values)
        return values

    def integer(self, key: str, default: int | None = None) -> int:
        """The option as one whole number."""
        values = self.integers(key, None if default is None else str(default))
        if len(values) != 1:
            raise self.error(f"`{key}=` needs exactly one whole number", key)
        return values[0]

    def positive(self, key: str, default: int | None = None) -> int:
        """The option as one whole number of at least 1."""
        value = self.integer(key, default)
        if value < 1:
            raise self.error(f"`{key}={value}` must be at least 1", key)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """The option as one number."""
        text = self.text(key, None if default is None else str(default))
        try:
            value = float(text)
        except ValueError:
            raise self.error(f"{self.quoted(key)} is not a number", key) from None
        self._check_range(key, (value,))
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        """The option as comma-separated numbers."""
        text = self.text(key)
        try:
            values = tuple(float(part) for part in text.split(",") if part.strip())
        except ValueError:
            raise self.error(f"{self.quoted(key)} is not a list of numbers", key) from None
        self._check_range(key, values)
        return values

    def _check_range(self, key: str, values: Sequence[float]) -> None:
        if not all(abs(value) <= _LARGEST for value in values):  # "not <=": no comparison with NaN holds
            raise self.error(f"{self.quoted(key)} is out of range", key)


def parse_cfg(path: StrPath) -> list[Section]:
    """Reads a `.cfg` file into its sections.

    Args:
        path: The file; `#` and `;` start comments, which may be of any encoding. Of an option that is given
            twice the first counts, as in Darknet.

    Returns:
        Sections in file order; the first is `[net]`.

    Raises:
        CfgError: The file cannot be read, a line is neither a header nor `key=value`, or `[net]` is not
            first.
    """
    text, name = read_text(path, ".cfg", errors=BYTES_KEPT), printable(Path(path).name)
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#")[0].split(";")[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1].strip()
            sections.append(Section(_ALIASES.get(kind, kind), {}, name, number, {}))
        elif "=" in line and sections:
            key, value = (part.strip() for part in line.split("=", 1))
            sections[-1].options.setdefault(key, value)
            sections[-1].lines.setdefault(key, number)
        else:
            raise CfgError(
                f"{name}, line {number}: expected `[section]` or `key=value`, found `{excerpt(line)}`"
            )
    if not sections or sections[0].kind != "net":
        raise CfgError(f"{name}, line 1: a .cfg starts with [net]")
    return sections


def read_text(path: StrPath, what: str, *, errors: str = "strict") -> str:
    """Reads a text file that a user names.

    Args:
        path: The file, UTF-8, with or without a byte order mark.
        what: What it should be, such as `.cfg`, for messages.
        errors: What happens to bytes that are no UTF-8, as for `bytes.decode`.

    Raises:
        CfgError: It is missing, no ordinary file, no name that a file can have, or no UTF-8.
    """

    def refuse(reason: str) -> CfgError:
        return CfgError(f"{excerpt(path, LONGEST_PATH)}: cannot be read as a {what} file ({reason})")

    file = Path(path)
    try:
        if file.exists() and not file.is_file():  # devices and pipes may never end
            raise refuse("it is not an ordinary file")
        text = file.read_text(encoding="utf-8-sig", errors=errors)
    except OSError as error:
        raise refuse(reason_of(error)) from None
    except UnicodeDecodeError:
        raise refuse("it is not UTF-8 text") from None
    except ValueError as error:  # a null byte in the name
        raise refuse(str(error)) from None
    if "\0" in text:  # UTF-16, or no text at all
        raise refuse("it is not UTF-8 text")
    return text


def _changes_nothing(key: str, value: str) -> bool:
    neutral = _NEUTRAL.get(key)
    if neutral is None:
        return False
    try:
        return float(value) == float(neutral)
    except ValueError:
        return value == neutral
