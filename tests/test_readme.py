"""The documentation's promises: commands that CI runs, links that lead somewhere, examples that work."""

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from kplate.plates.kinds import Kind, Use
from kplate.results import Recognition

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.ko.md")
PAGES = [*READMES, "CONTRIBUTING.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(name), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("readme", READMES)
def test_ci_runs_the_commands_of_the_readme(readme: str) -> None:
    commands = [block.strip() for block in blocks(readme, "sh") if block.startswith("python3 -m venv")]
    assert len(commands) == 2
    script = text(".ci/run")
    for command in commands:
        assert f'="{command}"' in script


def test_both_readmes_say_the_same() -> None:
    english, korean = map(text, READMES)
    assert blocks("README.md", "json") == blocks("README.ko.md", "json")
    for pattern in (r"^\|[^|]*`[^|]*\|", r"^## ", r"…", r"\]\((?!README)([^)]*)\)"):
        found = [re.findall(pattern, page, re.MULTILINE) for page in (english, korean)]
        assert len(found[0]) == len(found[1]), pattern


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text(page)):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_pages_keep_to_the_project(page: str) -> None:
    content = text(page)
    assert not re.search(r"/(work|root|home)/", content)


@pytest.mark.parametrize("readme", READMES)
def test_the_json_example_has_every_field(readme: str) -> None:
    (example,) = blocks(readme, "json")
    shown = json.loads(example)
    assert set(shown) == set(Recognition(1, 1, 0.0).to_dict())
    described = text("docs/output.md")
    for fields in (shown, shown["plates"][0], shown["vehicles"][0], shown["permits"][0]):
        for name in fields:
            assert f"`{name}`" in described


def test_every_kind_and_use_is_described() -> None:
    described = text("docs/output.md")
    assert [str(value) for value in (*Kind, *Use) if f"`{value}`" not in described] == []


@pytest.mark.parametrize("readme", READMES)
def test_the_python_example_works(readme: str, tmp_path: Path) -> None:
    if not (resources.files("kplate.weights") / "reader.onnx").is_file():
        pytest.skip("no weights ship yet")
    import numpy as np

    from kplate.images import write_image
    from kplate.synth.scenes import demo_scene

    write_image(tmp_path / "car.jpg", demo_scene(np.random.default_rng(0)).image)
    (example,) = blocks(readme, "python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "car_annotated.jpg").is_file()


@pytest.mark.parametrize("readme", READMES)
def test_every_option_of_the_examples_exists(readme: str) -> None:
    from kplate.cli import build_parser

    parser = build_parser()
    for block in blocks(readme, "sh"):
        for line in block.splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["kplate"]:
                parser.parse_args([word.strip("'") for word in words[1:]])
