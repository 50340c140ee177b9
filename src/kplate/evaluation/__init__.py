"""Measures a recogniser on labelled pictures: accuracy, character errors, calibration, and a report."""

from kplate.evaluation.comparison import Comparison, compare
from kplate.evaluation.data import Sample, load_also, load_samples
from kplate.evaluation.metrics import (
    Share,
    align,
    edit_distance,
    expected_calibration_error,
    wilson_interval,
)
from kplate.evaluation.report import write_report
from kplate.evaluation.run import evaluate
from kplate.evaluation.scoring import OtherReading, PictureOutcome, TextOutcome, score_picture
from kplate.evaluation.summary import Group, Summary, summarise
from kplate.evaluation.trust import TrustPoint, trust_curve

__all__ = [
    "Comparison",
    "Group",
    "OtherReading",
    "PictureOutcome",
    "Sample",
    "Share",
    "Summary",
    "TextOutcome",
    "TrustPoint",
    "align",
    "compare",
    "edit_distance",
    "evaluate",
    "expected_calibration_error",
    "load_also",
    "load_samples",
    "score_picture",
    "summarise",
    "trust_curve",
    "wilson_interval",
    "write_report",
]
