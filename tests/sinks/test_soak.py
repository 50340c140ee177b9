"""The documented soak, shortened: a killed writer, a broker that is away, nothing lost or doubled."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import mosquitto

TOOL = Path(__file__).parents[2] / "tools/soak_sinks.py"


def test_nothing_is_lost_or_doubled_by_kills_and_an_absent_broker() -> None:
    mosquitto()  # skips where there is none
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'kplate[mqtt]'")
    arguments = ["--minutes-away", "0.06", "--kills", "6", "--around", "2.5", "--rate", "40", "--seed", "3"]
    done = subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["kills"] == 6
    assert figures["written"] > 40
    assert figures["stored"] >= figures["written"]
    assert figures["received"] == figures["stored"]
    assert figures["farthest_repeat"] <= 20
