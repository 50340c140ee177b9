"""What installing kplate brings: no engine by itself, so that boards stay light, and each by its extra."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kplate.engines.runtimes import PROVIDER_EXTRAS, RUNTIMES, install_hint

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0] for requirement in requirements}


def brought(hint: str) -> set[str]:
    (extra,) = re.findall(r"kplate\[(.*)\]", hint)
    return names(PROJECT["optional-dependencies"][extra])


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_command_that_is_named_brings_the_engine(name: str) -> None:
    assert brought(install_hint(RUNTIMES[name])) & set(RUNTIMES[name].distributions)


@pytest.mark.parametrize("provider", PROVIDER_EXTRAS)
def test_the_command_that_is_named_brings_the_provider(provider: str) -> None:
    assert brought(install_hint(RUNTIMES["onnx"], provider)) < set(RUNTIMES["onnx"].distributions)


@pytest.mark.parametrize("extra", ["darknet", "export", "train"])
def test_what_needs_an_engine_brings_one(extra: str) -> None:
    assert "kplate[onnx]" in str(PROJECT["optional-dependencies"][extra])


def test_no_engine_comes_uncalled_and_the_readme_calls_one() -> None:
    engines = {distribution for runtime in RUNTIMES.values() for distribution in runtime.distributions}
    assert names(PROJECT["dependencies"]).isdisjoint(engines)
    for page in ("README.md", "README.ko.md"):
        assert "pip install '.[onnx]' && .venv/bin/kplate demo" in (ROOT / page).read_text(encoding="utf-8")
