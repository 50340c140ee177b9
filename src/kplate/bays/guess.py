"""A file of bays to begin with: bays where vehicles stand in a picture, or the picture in columns."""

from collections.abc import Sequence
from typing import Final

from kplate.boxes import area, share
from kplate.results import Box, Vehicle

#: Vehicles of less than this share of the picture stand in the background.
_LEAST: Final = 0.008
#: Share of a vehicle's height that its bay reaches up, and that it reaches down below the vehicle.
_UP: Final = 0.45
_DOWN: Final = 0.05
#: Of two vehicles one of which lies in the other by more than this share, the smaller one is no bay's.
_INSIDE: Final = 0.6
#: A vehicle that reaches below this share of the picture's height is cut off by its edge.
_BOTTOM: Final = 0.985
_COLUMNS: Final = 3
_KINDS: Final = "ordinary, disabled, charging_fast, charging_slow, reserved"


def guess_bays(vehicles: Sequence[Vehicle], width: int, height: int) -> list[Box]:
    """Return the ground under the vehicles of a picture, from left to right, px.

    Args:
        vehicles: What was found.
        width: Of the picture, in px.
        height: Likewise.
    """
    boxes: list[Box] = []
    found = [vehicle.box for vehicle in vehicles]
    # What the lower edge cuts off is nearer than the bays: it passes.
    found = [box for box in found if box[3] < _BOTTOM * height] or found
    for box in sorted(found, key=area, reverse=True):
        inside = any(share(box, other) > _INSIDE for other in boxes)
        if area(box) >= _LEAST * width * height and not inside:
            boxes.append(box)
    grounds = []
    for left, top, right, bottom in sorted(boxes):
        high = bottom - top
        grounds.append((left, bottom - _UP * high, right, min(float(height), bottom + _DOWN * high)))
    # Boxes of cars side by side overlap a little, bays do not.
    for n in range(len(grounds) - 1):
        (a, b, c, d), (e, f, g, h) = grounds[n], grounds[n + 1]
        if a < e < c < g and min(d, h) > max(b, f):
            middle = (c + e) / 2
            grounds[n], grounds[n + 1] = (a, b, middle, d), (middle, f, g, h)
    return grounds


def starting_file(camera: str, grounds: Sequence[Box], width: int, height: int) -> str:
    """Return the text of a file of bays to begin with.

    Args:
        camera: The camera's name.
        grounds: The bays, px; none: the picture in thirds.
        width: Of the picture, in px.
        height: Likewise.
    """
    name = camera.replace("\\", "\\\\").replace('"', '\\"')
    head = [
        "# Bays of one camera. Check them against a picture: kplate bays check THIS_FILE PICTURE",
        "",
        '# watch_list = ["12가3456"]      # plates that raise a review wherever they park; or a file of them',
        "",
        "[[camera]]",
        f'name = "{name}"',
    ]
    if not grounds:
        names = ", ".join(f'"{name}"' for name in _names(_COLUMNS))
        return "\n".join(
            [
                *head,
                "# No car was found in the picture: thirds of it, from left to right. Better are polygons.",
                f"columns = [{names}]",
                f'# With kinds: columns = {{A1 = "disabled", A2 = "ordinary"}}    of {_KINDS}',
                "",
            ]
        )
    lines = [*head, f"picture = [{width}, {height}]    # the size that the corners below refer to", ""]
    lines += ["# Guessed from the cars in the picture: move the corners to where the ground of the bays is."]
    for bay, (left, top, right, bottom) in zip(_names(len(grounds)), grounds, strict=True):
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        shown = ", ".join(f"[{round(x)}, {round(y)}]" for x, y in corners)
        lines += [
            "[[camera.bay]]",
            f'name = "{bay}"',
            f'kind = "ordinary"    # {_KINDS}',
            '# limit = "30 min"    # charging bays have the limits of the law without this',
            '# plates = ["12가3456"]    # reserved bays: who may park here; or a file, one plate a line',
            f"polygon = [{shown}]",
            "",
        ]
    return "\n".join(lines)


def _names(count: int) -> list[str]:
    return [f"A{n}" for n in range(1, count + 1)]
