import numpy as np
import pytest

from kplate.boxes import iou_matrix
from kplate.training.metrics import Found, score_class

NONE = np.zeros((0, 4), np.float32)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def test_iou():
    iou = iou_matrix(boxes((0, 0, 10, 10)), boxes((0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30)))
    assert iou[0].tolist() == pytest.approx([1, 1 / 3, 0])


def test_all_found():
    found = Found(boxes((0, 0, 10, 10)), np.array([0.9], np.float32), boxes((0, 0, 10, 10)), NONE)
    score = score_class([found])
    assert (score.ap, score.recall, score.precision) == (1, 1, 1)


def test_a_false_box_above_a_right_one_halves_the_precision():
    found = Found(
        boxes((50, 50, 60, 60), (0, 0, 10, 10)), np.array([0.9, 0.8], np.float32), boxes((0, 0, 10, 10)), NONE
    )
    assert score_class([found]).ap == pytest.approx(0.5)


def test_the_second_box_on_an_object_is_false():
    found = Found(
        boxes((0, 0, 10, 10), (0, 0, 10, 9)), np.array([0.9, 0.8], np.float32), boxes((0, 0, 10, 10)), NONE
    )
    score = score_class([found])
    assert score.ap == 1
    assert score.precision == 0.5


def test_boxes_in_ignored_regions_do_not_count():
    found = Found(boxes((50, 50, 60, 60)), np.array([0.9], np.float32), NONE, boxes((40, 40, 80, 80)))
    right = Found(boxes((0, 0, 10, 10)), np.array([0.8], np.float32), boxes((0, 0, 10, 10)), NONE)
    assert score_class([found, right]).precision == 1


def test_nothing_found_and_nothing_there():
    assert score_class([Found(NONE, np.zeros(0, np.float32), NONE, NONE)]).ap == 0
    missed = Found(NONE, np.zeros(0, np.float32), boxes((0, 0, 10, 10)), NONE)
    assert score_class([missed]).recall == 0
