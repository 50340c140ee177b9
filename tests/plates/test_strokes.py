"""Strokes: what a pen covers."""

import cv2
import numpy as np
import pytest

from kplate.plates.strokes import Node, Stroke, extent, outline, refit


def test_a_bar_becomes_a_rectangle_with_rounded_corners() -> None:
    (contour,) = outline(Stroke((Node(0, 5), (Node(20, 5))), vertical=4, horizontal=4))
    assert extent([(contour,)]) == pytest.approx((0, 3, 20, 7))
    assert len(contour) == 12
    assert (0, 3) not in contour


def test_a_ring_has_a_hole() -> None:
    box = ((5, 5), (25, 5), (25, 35), (5, 35))
    halves = ((15, 10), (10, 15), (15, 10), (10, 15))
    nodes = tuple(Node(*point, *half) for point, half in zip(box, halves, strict=True))
    outer, inner = outline(Stroke(nodes, vertical=6, horizontal=4, closed=True))
    assert extent([(outer,)]) == pytest.approx((2, 3, 28, 37), abs=0.2)
    assert extent([(inner,)]) == pytest.approx((8, 7, 22, 33), abs=0.2)


def test_a_corner_tighter_than_the_pen_leaves_no_speck() -> None:
    path = (Node(0, 0), Node(0, 30, 2, 2), Node(30, 30, 1, 1), Node(30, 0))
    (contour,) = outline(Stroke(path, vertical=8, horizontal=8))
    canvas = np.zeros((400, 400), np.uint8)
    cv2.fillPoly(canvas, [np.rint(np.array(contour) * 8 + 50).astype(np.int32)], 1)
    pieces, _ = cv2.connectedComponents(1 - canvas)
    assert pieces == 2  # the ink and one background


def test_refitting_moves_a_glyph_and_keeps_the_pen() -> None:
    bar, stem = Stroke((Node(0, 5), Node(40, 5)), 8, 8), Stroke((Node(20, 5), Node(20, 60)), 8, 8)
    source = extent([outline(bar), outline(stem)])
    moved = refit([bar, stem], source, (10.0, 0.0, 30.0, 80.0), 0.5)
    assert [stroke.vertical for stroke in moved] == [4, 4]
    assert extent([outline(stroke) for stroke in moved]) == pytest.approx((10.0, 0.0, 30.0, 80.0), abs=0.2)
    assert moved[1].nodes[0].x == pytest.approx(20.0)
