"""Which symbols of a plate are taken for one another, and why.

A plate that differs from a listed one in one such symbol may be the listed one: somebody should look.
Sources: what the shipped reader confused on 359 real plate crops (``kplate evaluate DIR --cropped`` lists
it), and the outlines of the symbols themselves.
"""

from typing import Final

#: Two digits -> why one is taken for the other.
_DIGITS: Final = {
    "38": "the open side of 3 closes in blur",
    "08": "the middle of 8 fades, or dirt crosses 0",
    "68": "the open side of 6 closes in blur",
    "89": "the open side of 9 closes in blur",
    "06": "the bowl of 6 fills in blur",
    "56": "the open side of 5 closes in blur",
    "39": "the open side of 3 closes in blur",
    "17": "the upper stroke of 7 is lost in glare",
    "27": "the foot of 2 is cut off or lies in shadow",
    "12": "measured: a narrow 2 in blur",
    "29": "measured: the foot of 2 is cut off and its bow closes",
}
#: Two initial consonants -> why syllables that differ in them alone are taken for one another.
_INITIALS: Final = {
    "ㅇㅎ": "measured (오/호): the hat of ㅎ melts into the ring",
    "ㅁㅎ": "measured (마/하): blurred corners, and the hat melts into the frame",
    "ㅁㅇ": "blurred corners make a ring of a square",
    "ㅁㅂ": "the horns of ㅂ close in blur",
    "ㄴㄷ": "the upper stroke of ㄷ is lost in glare",
    "ㄷㄹ": "the middle strokes of ㄹ melt together",
    "ㅅㅈ": "the upper stroke of ㅈ is lost in glare",
}
#: Two vowels -> why, likewise.
_VOWELS: Final = {
    "ㅏㅓ": "measured (가/거): the short stroke melts into the long one, left or right",
    "ㅗㅜ": "measured (무/모, 두/도): the short stroke melts into the long one, above or below",
}

_FIRST: Final = 0xAC00
_LAST: Final = 0xD7A3
_INITIAL_ORDER: Final = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWEL_ORDER: Final = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS: Final = 28


def confusion(first: str, second: str) -> str | None:
    """Return why two different symbols may be taken for one another; None where they may not.

    Args:
        first: A digit or syllable.
        second: Another one.
    """
    if first.isdecimal() and second.isdecimal():
        return _why(_DIGITS, first, second)
    if not all(_FIRST <= ord(symbol) <= _LAST for symbol in (first, second)):
        return None
    (a, b, c), (d, e, f) = _parts(first), _parts(second)
    if c != f:
        return None
    if b == e:
        return _why(_INITIALS, a, d)
    return _why(_VOWELS, b, e) if a == d else None


def near_match(text: str, listed: frozenset[str]) -> tuple[str, str] | None:
    """Find a listed plate that differs from a text in one symbol that it may have been taken for.

    Args:
        text: What was read.
        listed: Canonical texts.

    Returns:
        The listed plate (the first in order) and why it may be this one; None where there is none.
    """
    for other in sorted(listed):
        if len(other) != len(text):
            continue
        different = [(a, b) for a, b in zip(text, other, strict=True) if a != b]
        if len(different) == 1:
            reason = confusion(*different[0])
            if reason is not None:
                return other, f"{different[0][0]}/{different[0][1]}: {reason}"
    return None


def _parts(syllable: str) -> tuple[str, str, int]:
    """Take a syllable apart into initial, vowel and the number of its final."""
    head, final = divmod(ord(syllable) - _FIRST, _FINALS)
    initial, vowel = divmod(head, len(_VOWEL_ORDER))
    return _INITIAL_ORDER[initial], _VOWEL_ORDER[vowel], final


def _why(pairs: dict[str, str], first: str, second: str) -> str | None:
    return pairs.get(first + second) or pairs.get(second + first)
