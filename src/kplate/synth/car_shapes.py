"""Measures and paints of the cars that scenes show."""

from dataclasses import dataclass
from typing import Final

#: BGR of paint and its share on Korean roads: white, black, greys, silver, then colours.
PAINTS: Final = (
    ((232, 234, 236), 0.32),
    ((34, 32, 32), 0.18),
    ((96, 92, 90), 0.16),
    ((176, 174, 172), 0.14),
    ((140, 82, 40), 0.07),
    ((40, 36, 150), 0.05),
    ((90, 70, 30), 0.03),
    ((60, 78, 96), 0.03),
    ((40, 150, 220), 0.02),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A car's measures in metres: its silhouette, and how far back its window begins and its roof.

    Attributes:
        width: Over the body.
        length: Bumper to bumper.
        nose: Height of the bonnet's (or boot's) edge.
        belt: Height of the lower edge of the windows.
        roof: Height of the roof.
        screen: Distance from the bumper to the window's lower edge.
        crown: Distance from the bumper to the window's upper edge.
        ground: Height of the body above the ground.
    """

    width: float
    length: float
    nose: float
    belt: float
    roof: float
    screen: float
    crown: float
    ground: float


FRONTS: Final = {
    "saloon": Shape(1.84, 4.8, 0.74, 0.95, 1.45, 1.25, 2.0, 0.2),
    "compact": Shape(1.62, 3.6, 0.82, 1.0, 1.50, 0.75, 1.35, 0.2),
    "suv": Shape(1.88, 4.6, 0.98, 1.14, 1.68, 1.15, 1.75, 0.26),
    "van": Shape(1.92, 5.0, 0.98, 1.16, 1.95, 0.55, 1.15, 0.24),
}
REARS: Final = {
    "saloon": Shape(1.84, 4.8, 1.02, 1.06, 1.45, 0.5, 1.15, 0.24),
    "compact": Shape(1.62, 3.6, 0.98, 1.02, 1.50, 0.08, 0.35, 0.24),
    "suv": Shape(1.88, 4.6, 1.06, 1.1, 1.68, 0.08, 0.4, 0.28),
    "van": Shape(1.92, 5.0, 1.1, 1.14, 1.95, 0.06, 0.2, 0.28),
}
