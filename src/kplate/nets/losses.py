"""The detector's loss: which cells answer for which object, and how wrong they are.

Every anchor whose shape is near an object's answers in the object's cell and in its two nearest neighbours,
so one object teaches several cells at once. A class score is `sigmoid(objectness) * sigmoid(class)`,
trained as one probability towards the box's overlap with the truth (varifocal loss, H. Zhang et al., 2021);
boxes learn by complete IoU (CIoU, Z. Zheng et al., 2020). Classes a picture does not label, and regions to
ignore, cost nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kplate.nets.darknet import Head

MAX_RATIO = 4.0  # an anchor answers for sides up to this many times larger or smaller than its own
MIN_TARGET = 0.3  # the least score a matched cell is asked for, so that learning starts
NEGATIVE_ALPHA, NEGATIVE_GAMMA = 0.75, 2.0  # varifocal loss, as published
BOX_WEIGHT, SCORE_WEIGHT = 2.0, 1.0
_EPS = 1e-7


@dataclass(frozen=True, slots=True)
class Targets:
    """The truth of a batch; boxes are x1, y1, x2, y2 in px of the network's input.

    Attributes:
        objects: M x 6 (picture, class, box).
        ignored: K x 6 (picture, class, box): regions where a missing or found object costs nothing.
        negatives: N x C, weight of "there is no such object here": 0 where the picture does not label the
            class.
    """

    objects: Tensor
    ignored: Tensor
    negatives: Tensor


def decode_boxes(raw: Tensor, cells: Tensor, anchors: Tensor, head: Head) -> Tensor:
    """Boxes (centre x, centre y, width, height; px) from raw values.

    Args:
        raw: ... x 4, before any sigmoid.
        cells: ... x 2, cell column and row.
        anchors: ... x 2, px.
        head: The head's constants.
    """
    centre = torch.sigmoid(raw[..., :2]) * head.scale_x_y - 0.5 * (head.scale_x_y - 1.0)
    size = (
        (2.0 * torch.sigmoid(raw[..., 2:4])).square() if head.new_coords else raw[..., 2:4].clamp(max=8).exp()
    )
    return torch.cat(((centre + cells) * head.stride, size * anchors), dim=-1)


def complete_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and CIoU of paired boxes (centre x, centre y, width, height), each M."""
    a1, a2 = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b1, b2 = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    overlap = (torch.minimum(a2, b2) - torch.maximum(a1, b1)).clamp(min=0).prod(1)
    iou = overlap / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - overlap + _EPS)
    diagonal = (torch.maximum(a2, b2) - torch.minimum(a1, b1)).square().sum(1) + _EPS
    distance = (a[:, :2] - b[:, :2]).square().sum(1)
    slant = torch.atan(b[:, 2] / (b[:, 3] + _EPS)) - torch.atan(a[:, 2] / (a[:, 3] + _EPS))
    shape = 4 / math.pi**2 * slant.square()
    with torch.no_grad():
        alpha = shape / (1 - iou + shape + _EPS)
    return iou, iou - distance / diagonal - alpha * shape


@dataclass(frozen=True, slots=True)
class _Matches:
    """Which anchors of which cells answer for which objects (M of each)."""

    picture: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    label: Tensor
    box: Tensor  # centre x, centre y, width, height


def match(objects: Tensor, head: Head, rows: int, columns: int) -> _Matches:
    """Assigns objects to anchors by shape and to cells by position.

    Args:
        objects: M x 6 (picture, class, x1, y1, x2, y2).
        head: Stride and anchors.
        rows: Cells of the head from top to bottom.
        columns: Cells of the head from left to right.
    """
    anchors = objects.new_tensor(head.anchors)
    size = objects[:, 4:6] - objects[:, 2:4]
    centre = (objects[:, 4:6] + objects[:, 2:4]) / 2
    ratio = size[:, None] / anchors[None]
    fits = torch.maximum(ratio, 1 / ratio).amax(2) < MAX_RATIO
    which, anchor = fits.nonzero(as_tuple=True)
    position = centre[which] / head.stride
    cell, inside = position.floor(), position - position.floor()
    step = torch.where(inside < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(step[:, :1])
    offsets = torch.stack(
        (torch.zeros_like(step), torch.cat((step[:, :1], zero), 1), torch.cat((zero, step[:, 1:]), 1))
    )
    cells = (cell[None] + offsets).reshape(-1, 2)
    which, anchor = which.repeat(3), anchor.repeat(3)
    keep = (cells[:, 0] >= 0) & (cells[:, 0] < columns) & (cells[:, 1] >= 0) & (cells[:, 1] < rows)
    which, anchor, cells = which[keep], anchor[keep], cells[keep].long()
    box = torch.cat((centre, size), dim=1)[which]
    chosen = objects[which]
    return _Matches(chosen[:, 0].long(), anchor, cells[:, 1], cells[:, 0], chosen[:, 1].long(), box)


class DetectionLoss:
    """Adds the losses of all heads.

    Args:
        heads: The network's heads, in the order of its outputs.
        class_weights: Weight of each class's objects.
    """

    def __init__(self, heads: Sequence[Head], class_weights: Sequence[float]) -> None:
        self.heads = tuple(heads)
        self.class_weights = torch.tensor(tuple(class_weights))

    def __call__(self, outputs: Sequence[Tensor], targets: Targets) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and its parts for the log.

        Args:
            outputs: Raw head outputs, each N x A*(5+C) x H x W.
            targets: The truth.
        """
        box_loss = score_loss = outputs[0].new_zeros((), dtype=torch.float32)
        count = outputs[0].new_zeros((), dtype=torch.float32)
        overlap = outputs[0].new_zeros((), dtype=torch.float32)
        for head, output in zip(self.heads, outputs, strict=True):
            box, score, weight, iou = self._head(head, output.float(), targets)
            box_loss, score_loss = box_loss + box, score_loss + score
            count, overlap = count + weight, overlap + iou
        count = count.clamp(min=1.0)
        total = (BOX_WEIGHT * box_loss + SCORE_WEIGHT * score_loss) / count
        parts = {
            "box": float(box_loss.detach() / count),
            "score": float(score_loss.detach() / count),
            "iou": float(overlap / count),
        }
        return total, parts

    def _head(self, head: Head, output: Tensor, targets: Targets) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        n, _, rows, columns = output.shape
        raw = output.view(n, len(head.anchors), 5 + head.classes, rows, columns).permute(0, 1, 3, 4, 2)
        log_score = F.logsigmoid(raw[..., 4:5]) + F.logsigmoid(raw[..., 5:])
        log_score = log_score.clamp(max=-1e-6)
        log_absent = torch.log(-torch.expm1(log_score))
        score = log_score.detach().exp()
        m = match(targets.objects, head, rows, columns)
        class_weights = self.class_weights.to(output.device)
        weight = class_weights[m.label]
        chosen = raw[m.picture, m.anchor, m.row, m.column]
        anchors = output.new_tensor(head.anchors)[m.anchor]
        boxes = decode_boxes(chosen[:, :4], torch.stack((m.column, m.row), 1), anchors, head)
        iou, ciou = complete_iou(boxes, m.box)
        box_loss = ((1 - ciou) * weight).sum()

        wanted = torch.zeros(score.shape, device=score.device)
        place = (m.picture, m.anchor, m.row, m.column, m.label)
        strides = (wanted.stride(d) for d in range(wanted.dim()))
        flat = sum((p * s for p, s in zip(place, strides, strict=True)), torch.zeros_like(m.label))
        wanted.view(-1).scatter_reduce_(0, flat, iou.detach().clamp(MIN_TARGET, 1.0), reduce="amax")
        positive = wanted > 0
        scale = torch.where(positive, class_weights, NEGATIVE_ALPHA * score**NEGATIVE_GAMMA)
        allowed = targets.negatives[:, None, None, None, :] * self._clear(head, targets.ignored, score)
        scale = scale * torch.where(positive, torch.ones_like(score), allowed)
        score_loss = -(scale * (wanted * log_score + (1 - wanted) * log_absent)).sum()
        return box_loss, score_loss, weight.sum(), (iou.detach() * weight).sum()

    @staticmethod
    def _clear(head: Head, ignored: Tensor, score: Tensor) -> Tensor:
        """N x 1 x H x W x C: 0 in the cells of ignored regions, 1 elsewhere."""
        n, _, rows, columns, classes = score.shape
        clear = score.new_ones(n, 1, rows, columns, classes)
        for picture, label, x1, y1, x2, y2 in ignored.tolist():
            top, bottom = int(y1 // head.stride), math.ceil(y2 / head.stride)
            left, right = int(x1 // head.stride), math.ceil(x2 / head.stride)
            clear[int(picture), :, max(0, top) : bottom, max(0, left) : right, int(label)] = 0
        return clear
