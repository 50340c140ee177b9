"""``kplate read --detector my.cfg --weights my.weights --names my.names``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest
from darknet.networks import painted, write_painted  # tests/ itself is on the path

if TYPE_CHECKING:
    from .conftest import Result

pytest.importorskip("onnx", reason="running Darknet networks needs the darknet extra")

Run = Callable[..., "Result"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = painted(("car", 1, 1), ("bus", 5, 1), ("license-plate", 4, 8), ("person", 10, 8))
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return tmp_path / "a.png"


@pytest.fixture
def network(tmp_path: Path) -> list[object]:
    cfg, weights, names = write_painted(tmp_path)
    return ["--detector", cfg, "--weights", weights, "--names", names, "--threads", 1]


def test_json(kplate: Run, picture: Path, network: list[object]) -> None:
    done = kplate("read", picture, "--json", *network)
    assert (done.status, done.err) == (0, "")
    (line,) = done.lines
    assert sorted(item.get("label", "") for item in line["vehicles"]) == ["", "bus"]
    assert len(line["plates"]) == 1
    assert [item["label"] for item in line["others"]] == ["person"]


def test_only_pipe_and_crops(kplate: Run, picture: Path, network: list[object]) -> None:
    done = kplate(
        "read", picture, "--only", "vehicles,others", *network, "--crops", "out", "--annotate", "out"
    )
    assert (done.status, done.err) == (0, "")
    assert sorted((row.split("\t")[1], row.split("\t")[6]) for row in done.out.splitlines()) == [
        ("other", "person"), ("vehicle", ""), ("vehicle", "bus"),
    ]  # fmt: skip
    written = sorted(path.name for path in (picture.parent / "out").iterdir())
    assert written == ["a_annotated.png", "a_other0.png", "a_vehicle0.png", "a_vehicle1.png"]
    assert kplate("read", picture, "--only", "plates", "--json", *network).lines[0]["others"] == []


def test_boxes_count_from_the_score_that_is_asked_for(
    kplate: Run, picture: Path, network: list[object]
) -> None:
    (line,) = kplate("read", picture, "--json", *network, "--thresh", 0.5).lines
    assert len(line["vehicles"]) == 2
    (line,) = kplate("read", picture, "--json", *network, "--thresh", 0).lines
    assert len(line["vehicles"]) > 2


def files(cfg: str = "my.cfg", weights: str = "my.weights", names: str = "my.names") -> tuple[str, ...]:
    return ("--detector", cfg, "--weights", weights, "--names", names)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (files()[:2], "--detector needs --weights and --names"),
        (files()[:4], "--detector needs --weights and --names"),
        (files()[4:], "--names needs --detector"),
        (files(cfg="no.cfg"), "no.cfg: cannot be read"),
        (files(weights="no.weights"), "no.weights: no such file"),
        (files(names="no.names"), "no.names: cannot be read"),
        (files()[2:4], "my.weights: a .weights file needs --detector and --names"),
        (files(weights="a.png"), "a.png"),
        (files(cfg="my.names"), "my.names, line 1: expected"),
    ],
)
def test_mistakes_are_one_line(
    given: tuple[str, ...], message: str, kplate: Run, picture: Path, network: list[object]
) -> None:
    assert network
    done = kplate("read", picture, *given)
    assert done.status == 1
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""
