"""What the reader is trained for: text, where each symbol is, the plate's corners, its kind.

Rendered plates teach all of it. Of real ones mostly the text alone is known: what is not, teaches nothing.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kplate.nets.lprnet import STEPS, LprNetOutput
from kplate.training.reader_columns import ANY, columns_of
from kplate.training.reader_data import Batch


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Shares of the parts in the sum.

    Attributes:
        steps: Cross entropy of the 18 steps with the symbols that they should say. It moves from the first
            batch on, where CTC alone stays on a plateau.
        ctc: Connectionist temporal classification over the text.
        attention: How little of each symbol's attention lies on its true cell.
        corners: Distance of the corners, in shares of the crop.
        kind: Cross entropy of the plate kind.
    """

    steps: float = 1.0
    ctc: float = 0.1
    attention: float = 0.25
    corners: float = 8.0
    kind: float = 0.15


def reader_loss(output: LprNetOutput, batch: Batch, weights: LossWeights) -> tuple[Tensor, dict[str, float]]:
    """Return the sum to minimise and its parts, for the log."""
    logits = output.logits.float()
    parts = {
        "steps": _steps(logits, steps_of(output, batch)),
        "ctc": _ctc(logits, batch),
        "attention": _attention(output.attention, batch),
        "corners": _corners(output.corners, batch),
        "kind": _kind(output.kind, batch),
    }
    total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return total, {name: value.item() for name, value in parts.items()}


def steps_of(output: LprNetOutput, batch: Batch) -> Tensor:
    """Return what each step should say, int64 (N, 18): -100 where it may say anything."""
    return batch.steps if output.attention.numel() else columns_of(batch)


def shares_right(output: LprNetOutput, batch: Batch) -> dict[str, float]:
    """Return the shares of symbols and of whole plates that the steps say as they should, for the log."""
    steps, blank = steps_of(output, batch), output.logits.shape[-1] - 1
    right = output.logits.argmax(-1) == steps
    symbols = (steps != blank) & (steps != ANY)
    return {
        "symbols_right": (right & symbols).sum().item() / max(1, symbols.sum().item()),
        "plates_right": right.all(1).float().mean().item(),
    }


def _steps(logits: Tensor, steps: Tensor) -> Tensor:
    if not bool((steps != ANY).any()):
        return logits.sum() * 0
    return F.cross_entropy(logits.flatten(0, 1), steps.flatten(), ignore_index=ANY, label_smoothing=0.01)


def _ctc(logits: Tensor, batch: Batch) -> Tensor:
    log_probs = logits.log_softmax(-1).transpose(0, 1)
    steps = torch.full_like(batch.length, STEPS)
    loss: Tensor = F.ctc_loss(
        log_probs,
        batch.text,
        steps,
        batch.length,
        blank=logits.shape[-1] - 1,
        reduction="none",
        zero_infinity=True,
    )
    return loss.mean() / 8  # about per symbol


def _attention(attention: Tensor, batch: Batch) -> Tensor:
    """Negative log of each symbol's attention that lies on its cell, where cells are known."""
    if not attention.numel():
        return attention.sum()
    _, _, rows, columns = attention.shape
    longest = max(1, int(batch.length.max()))
    boxes, slots = batch.boxes[:, :longest], batch.slots[:, :longest]
    xs = (torch.arange(columns, device=boxes.device) + 0.5) / columns
    ys = (torch.arange(rows, device=boxes.device) + 0.5) / rows
    x1, y1, x2, y2 = (boxes[..., i : i + 1] for i in range(4))
    margin_x, margin_y = 0.5 / columns, 0.25 / rows
    in_x = ((xs > x1 - margin_x) & (xs < x2 + margin_x)).float()
    in_y = ((ys > y1 - margin_y) & (ys < y2 + margin_y)).float()
    cells = torch.einsum("nkr,nkc->nkrc", in_y, in_x)
    index = slots[:, :, None, None].expand(-1, -1, rows, columns)
    on_cell = (attention.gather(1, index) * cells).sum((2, 3))
    real = (boxes[..., 2] > boxes[..., 0]).float()
    return -(on_cell.clamp(min=1e-5).log() * real).sum() / real.sum().clamp(min=1)


def _corners(corners: Tensor, batch: Batch) -> Tensor:
    placed = batch.placed
    if not bool(placed.any()):
        return corners.sum() * 0
    return F.smooth_l1_loss(corners[placed], batch.corners[placed], beta=0.02)


def _kind(kinds: Tensor, batch: Batch) -> Tensor:
    if not kinds.numel() or not bool((batch.kind >= 0).any()):
        return kinds.float().sum() * 0  # the mean over no rows is no number
    return F.cross_entropy(kinds.float(), batch.kind)
