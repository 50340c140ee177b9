"""What the classes of a detector are called: kplate's own three, and what else is a vehicle."""

from typing import Final

CAR: Final = "car"
LICENSE_PLATE: Final = "license_plate"
DISABLED_STICKER: Final = "disabled_sticker"
#: Those of kplate's own networks, in the order of their numbers there.
CLASSES: Final = (CAR, LICENSE_PLATE, DISABLED_STICKER)
#: Labels that are vehicles: kplate's own class, and those of detectors trained on COCO.
VEHICLES: Final = frozenset({CAR, "bus", "truck", "van", "motorcycle", "motorbike"})
