"""Names of bays as masks: any Hangul syllable, composed of its letters.

The glyphs of plates are the syllables of plates alone, and OpenCV draws ASCII. The letters here are plain
lines, laid out as in print: a vowel that stands is beside the first consonant, one that lies is below it, and
a last consonant is below both.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from kplate.drawing import Mask, text_mask
from kplate.plates.alphabet import ALPHABET

_Line = tuple[tuple[float, float], ...]
_Lines = tuple[_Line, ...]
_Box = tuple[float, float, float, float]

_FIRST: Final = 0xAC00
_LAST: Final = 0xD7A3
_INITIALS: Final = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS: Final = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS: Final = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
#: Letters that are two others side by side, or one below and one beside the first consonant.
_PAIRS: Final = {
    "ㄲ": "ㄱㄱ", "ㄸ": "ㄷㄷ", "ㅃ": "ㅂㅂ", "ㅆ": "ㅅㅅ", "ㅉ": "ㅈㅈ", "ㄳ": "ㄱㅅ",
    "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ", "ㄽ": "ㄹㅅ",
    "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
    "ㅘ": "ㅗㅏ", "ㅙ": "ㅗㅐ", "ㅚ": "ㅗㅣ", "ㅝ": "ㅜㅓ", "ㅞ": "ㅜㅔ", "ㅟ": "ㅜㅣ", "ㅢ": "ㅡㅣ",
}  # fmt: skip
_LYING: Final = "ㅗㅛㅜㅠㅡ"


def _round(left: float, top: float, right: float, bottom: float) -> _Line:
    angles = np.linspace(0, 2 * np.pi, 25)
    x, y = (left + right) / 2, (top + bottom) / 2
    across, down = (right - left) / 2, (bottom - top) / 2
    return tuple((float(x + across * np.cos(a)), float(y + down * np.sin(a))) for a in angles)


#: Letter -> its lines in a box from 0 to 1, right and down.
_LETTERS: Final[dict[str, _Lines]] = {
    "ㄱ": (((0, 0), (1, 0), (0.9, 1)),),
    "ㄴ": (((0, 0), (0, 1), (1, 1)),),
    "ㄷ": (((1, 0), (0, 0), (0, 1), (1, 1)),),
    "ㄹ": (((0, 0), (1, 0), (1, 0.5), (0, 0.5), (0, 1), (1, 1)),),
    "ㅁ": (((0, 0), (1, 0), (1, 1), (0, 1), (0, 0)),),
    "ㅂ": (((0, 0), (0, 1), (1, 1), (1, 0)), ((0, 0.5), (1, 0.5))),
    "ㅅ": (((0.5, 0), (0.45, 0.35), (0, 1)), ((0.47, 0.35), (1, 1))),
    "ㅇ": (_round(0, 0, 1, 1),),
    "ㅈ": (((0, 0), (1, 0)), ((0.5, 0), (0.45, 0.4), (0, 1)), ((0.47, 0.4), (1, 1))),
    "ㅊ": (((0.3, 0), (0.7, 0)), ((0, 0.3), (1, 0.3)), ((0.5, 0.3), (0, 1)), ((0.45, 0.5), (1, 1))),
    "ㅋ": (((0, 0), (1, 0), (0.9, 1)), ((0, 0.5), (0.95, 0.5))),
    "ㅌ": (((1, 0), (0, 0), (0, 1), (1, 1)), ((0, 0.5), (1, 0.5))),
    "ㅍ": (((0, 0), (1, 0)), ((0, 1), (1, 1)), ((0.3, 0), (0.3, 1)), ((0.7, 0), (0.7, 1))),
    "ㅎ": (((0.3, 0), (0.7, 0)), ((0, 0.28), (1, 0.28)), _round(0.15, 0.5, 0.85, 1)),
    "ㅏ": (((0.4, 0), (0.4, 1)), ((0.4, 0.45), (1, 0.45))),
    "ㅑ": (((0.4, 0), (0.4, 1)), ((0.4, 0.33), (1, 0.33)), ((0.4, 0.6), (1, 0.6))),
    "ㅓ": (((0.8, 0), (0.8, 1)), ((0.1, 0.45), (0.8, 0.45))),
    "ㅕ": (((0.8, 0), (0.8, 1)), ((0.1, 0.33), (0.8, 0.33)), ((0.1, 0.6), (0.8, 0.6))),
    "ㅐ": (((0.25, 0), (0.25, 1)), ((1, 0), (1, 1)), ((0.25, 0.45), (1, 0.45))),
    "ㅒ": (((0.25, 0), (0.25, 1)), ((1, 0), (1, 1)), ((0.25, 0.33), (1, 0.33)), ((0.25, 0.6), (1, 0.6))),
    "ㅔ": (((0.5, 0), (0.5, 1)), ((1, 0), (1, 1)), ((0, 0.45), (0.5, 0.45))),
    "ㅖ": (((0.5, 0), (0.5, 1)), ((1, 0), (1, 1)), ((0, 0.33), (0.5, 0.33)), ((0, 0.6), (0.5, 0.6))),
    "ㅣ": (((0.5, 0), (0.5, 1)),),
    "ㅗ": (((0, 1), (1, 1)), ((0.5, 0.1), (0.5, 1))),
    "ㅛ": (((0, 1), (1, 1)), ((0.33, 0.1), (0.33, 1)), ((0.67, 0.1), (0.67, 1))),
    "ㅜ": (((0, 0.15), (1, 0.15)), ((0.5, 0.15), (0.5, 1))),
    "ㅠ": (((0, 0.15), (1, 0.15)), ((0.33, 0.15), (0.33, 1)), ((0.67, 0.15), (0.67, 1))),
    "ㅡ": (((0, 0.6), (1, 0.6)),),
}
#: Width of a syllable and of its strokes, as shares of its height, and how much larger it is drawn first.
_WIDE: Final = 0.92
_STROKE: Final = 0.09
_FINER: Final = 4


def name_mask(name: str, number: int, height: int) -> Mask:
    """Draw the name of a bay.

    Args:
        name: The name.
        number: Its number in the file, from 1: it stands for a name that cannot be drawn.
        height: Of capitals and syllables, px.

    Returns:
        Coverage 0 to 255, uint8, H x W.
    """
    if all(symbol in ALPHABET or symbol.isascii() for symbol in name):
        return text_mask(name, height)
    if not all(_syllable(symbol) or symbol.isascii() for symbol in name):
        return text_mask(f"#{number}", height)
    gap = np.zeros((height, max(2, round(height * 0.17))), np.uint8)
    pieces: list[Mask] = []
    for symbol in name:
        piece = syllable_mask(symbol, height) if _syllable(symbol) else text_mask(symbol, height)[:height]
        pieces += [gap, piece]
    return np.asarray(np.hstack(pieces[1:]), np.uint8)


@lru_cache(maxsize=512)
def syllable_mask(syllable: str, height: int) -> Mask:
    """Draw a Hangul syllable.

    Args:
        syllable: One of those from 가 to 힣.
        height: Of its ink, px.

    Returns:
        Coverage 0 to 255, uint8, H x W, where H is ``height``.
    """
    head, final = divmod(ord(syllable) - _FIRST, len(_FINALS))
    initial, vowel = divmod(head, len(_VOWELS))
    stroke = max(1, round(height * _STROKE * _FINER))
    width = max(1, round(height * _WIDE))
    canvas = np.zeros((height * _FINER, width * _FINER), np.uint8)
    room = np.array((width * _FINER - stroke - 1, height * _FINER - stroke - 1))
    for line in _composed(_INITIALS[initial], _VOWELS[vowel], _FINALS[final]):
        points = np.rint(np.array(line) * room + stroke / 2).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, stroke, cv2.LINE_AA)
    mask = np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    mask.flags.writeable = False
    return mask


def _composed(initial: str, vowel: str, final: str) -> _Lines:
    """Lay the letters of a syllable out in a box from 0 to 1."""
    low = 1.0 if final == " " else 0.6
    lying, standing = (_PAIRS[vowel][0], _PAIRS[vowel][1]) if vowel in _PAIRS else (vowel, vowel)
    if vowel in _PAIRS:
        lines = _placed(initial, (0.05, 0, 0.55, 0.45 * low))
        lines += _placed(lying, (0, 0.55 * low, 0.62, 0.9 * low)) + _placed(standing, (0.72, 0, 1, low))
    elif vowel in _LYING:
        lines = _placed(initial, (0.15, 0, 0.85, 0.5 * low)) + _placed(lying, (0, 0.62 * low, 1, low))
    else:
        lines = _placed(initial, (0, 0.05 * low, 0.52, 0.9 * low)) + _placed(standing, (0.62, 0, 1, low))
    return lines if final == " " else lines + _placed(final, (0.1, 0.72, 0.92, 1))


def _placed(letter: str, box: _Box) -> _Lines:
    left, top, right, bottom = box
    if letter in _PAIRS:
        middle, gap = (left + right) / 2, (right - left) * 0.08
        first, second = _PAIRS[letter][0], _PAIRS[letter][1]
        return _placed(first, (left, top, middle - gap, bottom)) + _placed(
            second, (middle + gap, top, right, bottom)
        )
    return tuple(
        tuple((left + x * (right - left), top + y * (bottom - top)) for x, y in line)
        for line in _LETTERS[letter]
    )


def _syllable(symbol: str) -> bool:
    return _FIRST <= ord(symbol) <= _LAST
