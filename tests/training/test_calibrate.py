import numpy as np
import pytest

from kplate.training.calibrate import calibration_error, threshold_for


def test_the_threshold_lets_through_as_many_wrong_readings_as_asked() -> None:
    scores = np.array([0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.2])
    right = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    assert threshold_for(scores, right, 0.0) == 0.8
    assert threshold_for(scores, right, 0.2) == 0.6
    assert threshold_for(scores, np.zeros(7), 0.1) == 1.0


def test_calibration_error_is_the_gap_between_score_and_share() -> None:
    assert calibration_error(np.full(10, 0.75), np.array([1.0] * 6 + [0.0] * 4)) == pytest.approx(0.15)
    assert calibration_error(np.ones(4), np.ones(4)) == pytest.approx(0)
