"""The documentation of events: its example is one, its commands exist, its code runs."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kplate.cli import build_parser
from kplate.events import Event, EventType

PAGE = (Path(__file__).parents[2] / "docs/events.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_is_an_event() -> None:
    (example,) = blocks("json")
    values = json.loads(example)
    assert Event.from_dict(values).to_dict() == values


def test_every_type_is_described() -> None:
    assert [kind for kind in EventType if f"`{kind}`" not in PAGE] == []


def test_the_commands_exist() -> None:
    parser = build_parser()
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("kplate ")]
    lines += re.findall(r"`(kplate events [^`\[]*)`", PAGE)
    assert len(lines) > 6
    for line in lines:
        words = shlex.split(line.partition(" #")[0].partition(">")[0])
        parser.parse_args(words[1:])


def test_the_python_example_works(tmp_path: Path) -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "events.db").is_file()


@pytest.mark.parametrize("topic", ["B1-A1-In", "B1-A1-Out", "kplate/read/B1-A1", "kplate/answer/B1-A1"])
def test_topics_are_described(topic: str) -> None:
    assert f"`{topic}`" in PAGE
