"""Targets for a network whose steps are columns of the plate: each symbol at the column where it stands.

They are what gets CTC off its plateau within minutes, and are faded out, since the paper trains by CTC alone.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from kplate.nets.lprnet import STEPS
from kplate.nets.lprnet_published import FIRST, STRIDE

if TYPE_CHECKING:
    from kplate.training.reader_data import Batch
    from kplate.training.reader_loss import LossWeights

#: What a step has as its target where it may say anything; PyTorch's cross entropy leaves it out.
ANY: Final = -100
#: Columns that a symbol may be moved from where it stands; plates of two lines need more.
_FARTHEST: Final = 4
#: Share of a run after which CTC teaches alone.
_FADED: Final = 0.5


def column_weights(progress: float) -> "LossWeights":
    """Return what a network that reads by columns is trained for, at a share of its run."""
    from kplate.training.reader_loss import LossWeights

    shown = max(0.0, 1 - progress / _FADED)
    return LossWeights(steps=shown, ctc=0.2 + 0.8 * (1 - shown), attention=0.0, kind=0.0)


def place_in_columns(centres: Sequence[float], repeats: Sequence[bool], steps: int = STEPS) -> list[int]:
    """Choose a column for each symbol: near where it stands, in reading order.

    Args:
        centres: Where each symbol's middle is, as a share of the plate's width.
        repeats: Whether each symbol equals the one before it, and so needs a blank between.
        steps: Number of columns.

    Returns:
        Increasing columns; empty where the text does not run from left to right.
    """
    wanted = [(centre - FIRST) / STRIDE for centre in centres]
    gaps = [2 if repeat else 1 for repeat in repeats]
    placed: list[int] = []
    for want, gap in zip(wanted, gaps, strict=True):
        placed.append(max(round(want), placed[-1] + gap if placed else 0))
    limit = steps
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit - (gaps[index + 1] if index + 1 < len(placed) else 1))
        limit = placed[index]
    far = any(abs(place - want) > _FARTHEST for place, want in zip(placed, wanted, strict=True))
    return [] if far or (placed and placed[0] < 0) else placed


def _say(symbols: Sequence[int], places: Sequence[int], repeats: Sequence[bool], blank: int) -> list[int]:
    """Return what each column should say: beside a symbol anything, but a blank between two equal ones."""
    steps = [blank] * STEPS
    for place in places:
        for beside in (place - 1, place + 1):
            if 0 <= beside < STEPS:
                steps[beside] = ANY
    for index, place in enumerate(places):
        steps[place] = symbols[index]
        if repeats[index]:
            steps[(places[index - 1] + place) // 2] = blank
    return steps


def columns_of(batch: "Batch") -> Tensor:
    """Return what each column of N plates should say, int64 (N, 18).

    Rows whose text does not run from left to right, or whose cells nobody knows, are :data:`ANY`.
    """
    blank = int(batch.steps.max())  # every row has a blank among its steps, and no symbol is above it
    result = torch.full((len(batch.text), STEPS), ANY, dtype=torch.int64)
    centres = ((batch.boxes[..., 0] + batch.boxes[..., 2]) / 2).tolist()
    known = (batch.boxes[:, 0, 2] > batch.boxes[:, 0, 0]).tolist()
    for row, (text, length) in enumerate(zip(batch.text.tolist(), batch.length.tolist(), strict=True)):
        symbols = text[:length]
        repeats = [False, *(a == b for a, b in pairwise(symbols))][:length]
        places = place_in_columns(centres[row][:length], repeats) if known[row] or not length else []
        if len(places) == length:
            result[row] = torch.tensor(_say(symbols, places, repeats, blank), dtype=torch.int64)
    return result.to(batch.text.device)
