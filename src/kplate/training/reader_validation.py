"""How well a network reads plates that it is not trained on: loss, exact readings, character errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from kplate.ctc import beam_search, greedy, softmax
from kplate.nets.lprnet import STEPS
from kplate.plates.script import Script
from kplate.reader_views import fit_to_input
from kplate.training.calibrate import likelihood, threshold_for
from kplate.training.plates_data_crops import Crops

_BATCH: Final = 64
#: Fewer plates than this say too little about scores to choose a threshold by.
_CALIBRATED: Final = 100
_TEMPERATURES: Final = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 2.8, 4.0)
#: Share of wrong readings that are trusted at most.
_WRONG: Final = 0.01


@dataclass(frozen=True, slots=True)
class Validation:
    """Figures of one validation.

    Attributes:
        loss: Mean CTC loss a symbol.
        exact: Share of the plates that are read exactly.
        cer: Character error rate.
    """

    loss: float
    exact: float
    cer: float

    def better_than(self, other: "Validation | None") -> bool:
        """Tell whether this is progress: more exact readings, or as many with a loss lower by 1 %."""
        if other is None:
            return True
        return (self.exact, -self.loss) > (other.exact, -0.99 * other.loss)


def validate(network: nn.Module, crops: Crops, script: Script, size: tuple[int, int]) -> Validation:
    """Read plates as a :class:`kplate.Reader` would, grammar and all.

    Args:
        network: In evaluation mode; maps a batch to an :class:`~kplate.nets.lprnet.LprNetOutput`.
        crops: The plates.
        script: Symbols and grammar.
        size: Width and height of the network's input.
    """
    logits = logits_of(network, crops, size)
    losses, wrong, errors = 0.0, 0, 0
    symbols = sum(len(plate.text) for plate in crops.plates)
    for steps, plate in zip(logits, crops.plates, strict=True):
        target = torch.tensor([script.encode(plate.text)])
        loss = F.ctc_loss(
            torch.from_numpy(steps).log_softmax(-1)[:, None],
            target,
            torch.tensor([STEPS]),
            torch.tensor([target.shape[1]]),
            blank=script.blank,
            reduction="sum",
        )
        losses += min(loss.item(), 1e4)
        distance = edit_distance(plate.text, _read(softmax(steps), script)[0])
        wrong, errors = wrong + (distance > 0), errors + distance
    return Validation(losses / max(1, symbols), 1 - wrong / len(crops), errors / max(1, symbols))


def calibrate(
    network: nn.Module, crops: Crops, script: Script, size: tuple[int, int]
) -> dict[str, float] | None:
    """Choose temperature and threshold by the plates set aside; ``None`` where they are too few."""
    if len(crops) < _CALIBRATED:
        return None
    logits = logits_of(network, crops, size)
    best: tuple[float, float, float] | None = None
    for temperature in _TEMPERATURES:
        read = [_read(steps, script) for steps in softmax(logits, temperature)]
        scores = np.array([score for _, score in read])
        right = np.array([float(t == p.text) for (t, _), p in zip(read, crops.plates, strict=True)])
        fit = likelihood(scores, right)
        if best is None or fit > best[0]:
            best = (fit, temperature, round(threshold_for(scores, right, _WRONG), 3))
    assert best is not None
    return {"temperature": best[1], "threshold": min(best[2], 0.99)}


def logits_of(network: nn.Module, crops: Crops, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return float32 (N, 18, symbols + 1) of all plates, as they are."""
    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(crops), _BATCH):
            indices = range(start, min(start + _BATCH, len(crops)))
            images = np.stack([fit_to_input(crops.image(index), size) for index in indices])
            batch = torch.from_numpy(images).to(device).float() / 255
            parts.append(network(batch).logits.float().cpu().numpy())
    return np.concatenate(parts)


def edit_distance(truth: str, read: str) -> int:
    """Return how many symbols must be changed, added or dropped to turn one text into the other."""
    row: Sequence[int] = range(len(read) + 1)
    for i, symbol in enumerate(truth, start=1):
        new = [i]
        for j, other in enumerate(read, start=1):
            new.append(min(row[j - 1] + (symbol != other), row[j] + 1, new[j - 1] + 1))
        row = new
    return row[-1]


def _read(steps: NDArray[np.float32], script: Script) -> tuple[str, float]:
    """Return the text and the score of one plate's probabilities."""
    paths = beam_search(steps, script.automaton, alphabet=script.alphabet)
    if paths:
        return paths[0].text, min(paths[0].probability, 1.0)
    return greedy(steps, script.alphabet).text, 0.0
