"""Labels of our own for pictures that are not part of this package: file names and boxes, nothing else.

A file ``NAME.jsonl`` belongs to the folder ``NAME`` of pictures. Each of its lines is one picture: ``file``,
``width`` and ``height`` in px, ``plates`` and ``ignored`` with their boxes ``x1, y1, x2, y2``, the largest
plate first, and ``negatives``, which says for vehicles, plates and permits whether all of them are labelled.

``korean_scenes_eval`` holds every number plate of 128 photographs, set down by eye. A plate that can be told
to be one is labelled, also on cars in the background; one that is narrower than 16 px, cut off or half hidden
is ignored, so that finding it is neither right nor wrong.

``openimages_plates_unlabelled`` and ``vehicles_unlabelled`` hold only what to ignore, because the labels
there leave it out: 75 plates in the ``valid`` split of ``openimages_plates``, and 49 vehicles in the
``valid`` and ``test`` splits of ``vehicles_openimages`` and ``vehicles_roadside``. They were told by eye
among the surest of what detectors found there, so there are more.

``openimages_plates_train``, ``vehicles_openimages_train`` and ``vehicles_roadside_train`` put the labels of
the ``train`` splits right: ``plates`` that nobody labelled, and what to ignore. In ``openimages_plates`` 442
plates were told by eye among the 990 surest finds of kplate's detector (score of 0.6 and more) on no label;
those, and 447 less sure finds (0.5 and more) in the lower half of a vehicle, are plates where detector and
refiner together are sure of them (0.72 and more), 434 in all, and ignored where not. Ignored there, too, are
162 labels that the detector's own sure find overlaps by less than 0.55, with that find. In the vehicles'
photographs, whose plates nobody labelled, the 900 surest finds of both (0.47 and more) were looked at: 371
are plates, 293 are none and are not listed, and the rest is ignored, as are 604 less sure finds (0.3 and
more). Boxes of added plates are those of the refiner.
"""

from pathlib import Path

from kplate.errors import DataError


def labels_file(name: str) -> Path:
    """Return the labels that kplate has for a folder of pictures.

    Raises:
        DataError: It has none of that name.
    """
    folder = Path(__file__).parent
    path = folder / f"{name}.jsonl"
    if path.parent != folder or not path.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.jsonl")))
        raise DataError(f"there are no labels of kplate's own called {name!r}; there are: {known}")
    return path
