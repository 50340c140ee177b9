"""What a threshold costs and brings: how many readings it trusts, and how many of those are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kplate.evaluation.metrics import Share
from kplate.evaluation.scoring import PictureOutcome

#: Thresholds that are shown: closer together where scores gather.
THRESHOLDS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True, slots=True)
class TrustPoint:
    """What becomes of the labelled plates at one threshold.

    Attributes:
        threshold: Readings of this score or more are trusted.
        trusted: Labelled plates that have a trusted reading; the others are rejected or were not found.
        wrong: Trusted readings that are not the label, of all trusted ones.
    """

    threshold: float
    trusted: Share
    wrong: Share

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "threshold": self.threshold,
            "trusted": self.trusted.to_dict(),
            "wrong": self.wrong.to_dict(),
        }


def trust_curve(outcomes: Sequence[PictureOutcome]) -> tuple[TrustPoint, ...]:
    """Return the trade between readings that are trusted and trusted ones that are wrong.

    Scores come from best readings, trusted or not at the threshold that was in force.
    """
    texts = [text for outcome in outcomes for text in outcome.texts]
    read = [text for text in texts if text.seen]
    points = []
    for threshold in THRESHOLDS:
        trusted = [text for text in read if text.score >= threshold]
        wrong = sum(not text.right for text in trusted)
        points.append(TrustPoint(threshold, Share(len(trusted), len(texts)), Share(wrong, len(trusted))))
    return tuple(points)


#: Size of the drawn curve and its margins, in px.
_WIDTH: Final = 460
_HEIGHT: Final = 220
_LEFT: Final = 48
_BOTTOM: Final = 30
#: The vertical axis ends at least here, so that a curve near nothing looks like one.
_LEAST_SPAN: Final = 0.01


def trust_svg(points: Sequence[TrustPoint]) -> str:
    """Draw the curve: share of wrong readings among trusted ones over the share that is trusted."""
    shown = [(p.trusted.value or 0.0, p.wrong.value or 0.0, p.threshold) for p in points if p.trusted.count]
    if not shown:
        return ""
    top = max(_LEAST_SPAN, *(wrong for _, wrong, _ in shown)) * 1.1
    width, height = _WIDTH - _LEFT - 10, _HEIGHT - _BOTTOM - 10

    def place(trusted: float, wrong: float) -> tuple[float, float]:
        return round(_LEFT + trusted * width, 1), round(10 + (1 - wrong / top) * height, 1)

    line = " ".join(f"{x},{y}" for x, y in (place(trusted, wrong) for trusted, wrong, _ in shown))
    dots = "".join(
        f'<circle cx="{place(trusted, wrong)[0]}" cy="{place(trusted, wrong)[1]}" r="3" fill="#0969da">'
        f"<title>from {threshold:g} on: {trusted:.1%} trusted, {wrong:.2%} of them wrong</title></circle>"
        for trusted, wrong, threshold in shown
    )
    labels = "".join(
        f'<text x="{x}" y="{y}" font-size="11" fill="#57606a" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in (
            (_LEFT - 6, 18, "end", f"{top:.1%}"),
            (_LEFT - 6, _HEIGHT - _BOTTOM, "end", "0 %"),
            (_LEFT, _HEIGHT - 12, "start", "0 %"),
            (_LEFT + width // 2, _HEIGHT - 12, "middle", "trusted (across), wrong of them (up)"),
            (_LEFT + width, _HEIGHT - 12, "end", "100 %"),
        )
    )
    axes = f"M{_LEFT},10 V{_HEIGHT - _BOTTOM} H{_LEFT + width}"
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img"><path d="{axes}" fill="none" stroke="#d0d7de"/>'
        f'<polyline points="{line}" fill="none" stroke="#0969da" stroke-width="1.5"/>{dots}{labels}</svg>\n'
    )
