"""Chooses a reader's temperature and trust threshold on rendered plates, and writes them into its manifest.

The score of a reading is the probability of its text after the logits were divided by the temperature. The
temperature is the one that makes scores likeliest; the threshold is the lowest score above which readings
are wrong as rarely as asked.

Example:
    python -m kplate.training.calibrate src/kplate/weights --count 4000
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kplate import weights
from kplate.ctc import beam_search, softmax
from kplate.plates.automaton import plate_automaton
from kplate.plates.grammar import is_valid
from kplate.reader import Reader
from kplate.reader_network import ReaderNetwork
from kplate.synth.crops import PlateCrop, sample_crop, sample_negative

_TEMPERATURES: Final = (0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.4, 2.8)
_NEGATIVE_SHARE: Final = 0.1
_BATCH: Final = 32

Floats = NDArray[np.float64]


def rendered(count: int, seed: int) -> list[PlateCrop]:
    """Draw plates that a reader should read, and crops without any."""
    rng = np.random.default_rng(seed)
    crops: list[PlateCrop] = []
    while len(crops) < count:
        crop = sample_negative(rng) if rng.random() < _NEGATIVE_SHARE else sample_crop(rng)
        if not crop.text or is_valid(crop.text):
            crops.append(crop)
    return crops


def score(logits: NDArray[np.float32], texts: Sequence[str], temperature: float) -> tuple[Floats, Floats]:
    """Return each reading's score and whether it is right (1) or wrong (0)."""
    automaton = plate_automaton()
    scores, right = np.zeros(len(texts)), np.zeros(len(texts))
    for index, (steps, text) in enumerate(zip(softmax(logits, temperature), texts, strict=True)):
        paths = beam_search(steps, automaton)
        if paths:
            scores[index] = min(paths[0].probability, 1.0)
            right[index] = paths[0].text == text
    return scores, right


def threshold_for(scores: Floats, right: Floats, wrong_share: float) -> float:
    """Return the lowest score from which on at most ``wrong_share`` of the readings are wrong."""
    order = np.argsort(-scores)
    wrong = np.cumsum(1 - right[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(wrong <= wrong_share)
    return float(scores[order[allowed[-1]]]) if len(allowed) else 1.0


def likelihood(scores: Floats, right: Floats) -> float:
    """Return the mean log-likelihood of right and wrong under the scores."""
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    return float(np.mean(right * np.log(clipped) + (1 - right) * np.log(1 - clipped)))


def calibration_error(scores: Floats, right: Floats, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal width."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    error = 0.0
    for place in range(bins):
        inside = places == place
        if inside.any():
            error += inside.mean() * abs(scores[inside].mean() - right[inside].mean())
    return float(error)


def raw_logits(folder: Path, crops: Sequence[PlateCrop]) -> NDArray[np.float32]:
    """Return the network's logits of a first look, float32 (N, steps, classes)."""
    networks = ReaderNetwork(folder)
    images = [crop.image for crop in crops]
    return np.concatenate(
        [networks.run(images[start : start + _BATCH]).logits for start in range(0, len(images), _BATCH)]
    )


def read_all(folder: Path, crops: Sequence[PlateCrop], min_score: float) -> tuple[Floats, Floats]:
    """Read crops as users do, second looks included; return scores and whether each reading is right."""
    readings = Reader(folder, min_score=min_score).read_batch([crop.image for crop in crops])
    right = [reading.candidate == crop.text for reading, crop in zip(readings, crops, strict=True)]
    return np.array([reading.score for reading in readings]), np.array(right, np.float64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate from the command line."""
    parser = argparse.ArgumentParser(prog="python -m kplate.training.calibrate", description=__doc__)
    parser.add_argument("weights", type=Path, help="folder with reader.onnx and reader.json")
    parser.add_argument("--count", type=int, default=4000, help="rendered crops (default 4000)")
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--wrong", type=float, default=0.01, help="share of wrong readings to trust at most")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    crops = rendered(options.count, options.seed)
    logits, texts = raw_logits(options.weights, crops), [crop.text for crop in crops]
    tried = {t: score(logits, texts, t) for t in _TEMPERATURES}
    temperature = max(tried, key=lambda t: likelihood(*tried[t]))
    scores, right = tried[temperature]
    for _ in range(2):  # the threshold decides who gets a second look, and second looks move the threshold
        threshold = round(threshold_for(scores, right, options.wrong), 3)
        path, manifest = weights.load(options.weights, "reader")
        weights.write_manifest(
            path.with_suffix(".json"), replace(manifest, temperature=temperature, threshold=threshold)
        )
        scores, right = read_all(options.weights, crops, threshold)
    plates = np.array([bool(text) for text in texts])
    trusted = scores >= threshold
    print(f"temperature {temperature}: calibration error {calibration_error(scores, right):.4f}")
    print(f"threshold {threshold}: {trusted[plates].mean():.1%} of the plates trusted,", end=" ")
    print(f"{1 - right[trusted].mean():.2%} of the trusted readings wrong")
    print(f"rendered plates read exactly: {right[plates].mean():.2%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
