"""What plates look like (:class:`Kind`) and what their text says (:class:`Use`)."""

import colorsys
from enum import StrEnum
from typing import Final

Rgb = tuple[int, int, int]
"""sRGB, 0..255."""


class Kind(StrEnum):
    """How a plate looks: the classes of the plate notice, by ground colour, size and period."""

    GREEN_REGION = "green_region"
    """Green, two lines, with a region name; private, 1973-2003; 335x170 mm."""
    GREEN = "green"
    """Green, two lines, no region; private, 2004-2006; 335x170 mm."""
    WHITE_LONG = "white_long"
    """White, seven characters, painted; since 2006-11; 520x110 mm."""
    WHITE_SHORT = "white_short"
    """White, seven characters on one line; 335x155 mm."""
    WHITE_LARGE = "white_large"
    """White, seven characters; large buses and trucks; 440x200 mm."""
    WHITE_8_PAINTED = "white_8_painted"
    """White, eight characters, painted; since 2019-09; 520x110 mm."""
    WHITE_8_FILM = "white_8_film"
    """White, eight characters, reflective film with a blue band at the left; since 2020-07; 520x110 mm."""
    WHITE_8_SHORT = "white_8_short"
    """White, eight characters on 335x155 mm."""
    ELECTRIC = "electric"
    """Light blue film of battery and fuel-cell vehicles; since 2017-06; 520x110 mm."""
    CORPORATE = "corporate"
    """Light green, eight characters; costly company cars, since 2024; 520x110 mm."""
    COMMERCIAL_SHORT = "commercial_short"
    """Yellow, two lines; 335x170 mm."""
    COMMERCIAL_LONG = "commercial_long"
    """Yellow, one line with the region stacked at the left; 520x110 mm."""
    COMMERCIAL_LARGE = "commercial_large"
    """Yellow, two lines; large buses and trucks; 440x220 mm."""
    DIPLOMATIC_SHORT = "diplomatic_short"
    """Navy blue, two lines; 335x155 mm."""
    DIPLOMATIC_LONG = "diplomatic_long"
    """Navy blue, one line with the word stacked at the left; 520x110 mm."""
    TEMPORARY_SHORT = "temporary_short"
    """White with red diagonals, 임 and four digits; 335x155 mm."""
    TEMPORARY_LONG = "temporary_long"
    """White with red diagonals, 임 and four digits; 520x110 mm."""
    TEMPORARY_10_SHORT = "temporary_10_short"
    """Paper plate of a permit of up to ten days: dates and six digits; 335x170 mm. Drawn, not read."""
    TEMPORARY_10_LONG = "temporary_10_long"
    """Paper plate of a permit of up to ten days: dates and five digits; 520x110 mm. Drawn, not read."""
    MILITARY = "military"
    """White, with the letter of an armed service."""
    CONSTRUCTION = "construction"
    """Construction machine, orange or white, 0 and two digits first; since 2022-11; 520x110 mm."""
    CONSTRUCTION_OLD = "construction_old"
    """Construction machine with a region name, until 2022; green, orange or white."""
    MOTORCYCLE_OLD = "motorcycle_old"
    """Motorcycle with a district name, white with blue text; 210x115 mm. All but the district is read."""


class Ground(StrEnum):
    """Colours of a plate's ground."""

    WHITE = "white"
    ORANGE = "orange"
    YELLOW = "yellow"
    LIGHT_GREEN = "light_green"
    GREEN = "green"
    LIGHT_BLUE = "light_blue"
    NAVY = "navy"


#: Ground colours of each kind.
GROUNDS: Final[dict[Kind, frozenset[Ground]]] = dict.fromkeys(Kind, frozenset({Ground.WHITE})) | {
    Kind.GREEN_REGION: frozenset({Ground.GREEN}),
    Kind.GREEN: frozenset({Ground.GREEN}),
    Kind.ELECTRIC: frozenset({Ground.LIGHT_BLUE}),
    Kind.CORPORATE: frozenset({Ground.LIGHT_GREEN}),
    Kind.COMMERCIAL_SHORT: frozenset({Ground.YELLOW}),
    Kind.COMMERCIAL_LONG: frozenset({Ground.YELLOW}),
    Kind.COMMERCIAL_LARGE: frozenset({Ground.YELLOW}),
    Kind.DIPLOMATIC_SHORT: frozenset({Ground.NAVY}),
    Kind.DIPLOMATIC_LONG: frozenset({Ground.NAVY}),
    Kind.CONSTRUCTION: frozenset({Ground.ORANGE, Ground.WHITE}),
    Kind.CONSTRUCTION_OLD: frozenset({Ground.ORANGE, Ground.WHITE, Ground.GREEN}),
}
#: Upper end of each ground's hues, in degrees: half-way between those of the layouts' colours.
_HUES: Final = (
    (34.0, Ground.ORANGE),
    (55.0, Ground.YELLOW),
    (102.0, Ground.LIGHT_GREEN),
    (167.0, Ground.GREEN),
    (212.0, Ground.LIGHT_BLUE),
    (290.0, Ground.NAVY),
    (360.0, Ground.ORANGE),
)
#: Grounds of less saturation (HSV) are white: the palest colour, an electric plate's, has 0.25.
_LEAST_SATURATION: Final = 0.15


def ground_of(colour: Rgb) -> Ground:
    """Name a ground by its hue, which fading and shade change least.

    Args:
        colour: sRGB, 0..255.
    """
    hue, saturation, _ = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    if saturation < _LEAST_SATURATION:
        return Ground.WHITE
    return next(ground for end, ground in _HUES if hue * 360 <= end)


class Use(StrEnum):
    """What the text of a plate says about the vehicle's use."""

    PRIVATE = "private"
    RENTAL = "rental"
    COMMERCIAL = "commercial"
    DELIVERY = "delivery"
    EMERGENCY = "emergency"
    MILITARY = "military"
    DIPLOMATIC = "diplomatic"
    TEMPORARY = "temporary"
    CONSTRUCTION = "construction"
    MOTORCYCLE = "motorcycle"


#: Kinds whose text the shipped reader does not claim to read.
UNREAD_KINDS = frozenset({Kind.TEMPORARY_10_SHORT, Kind.TEMPORARY_10_LONG})
#: Kinds whose plate is only ever given to electric (battery or fuel-cell) vehicles.
ELECTRIC_KINDS = frozenset({Kind.ELECTRIC})
