"""The page about car parks says what is so, and the same in both languages."""

import re
from pathlib import Path

import pytest

from kplate.bays import BayKind, load_bays
from kplate.bays.rules import _NOT_ELECTRIC, _UNREAD, NO_PERMIT

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("car-park.md", "car-park.ko.md")


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_its_file_of_bays_is_one(page: str, tmp_path: Path):
    (tmp_path / "staff.txt").write_text("12가3456\n", encoding="utf-8")
    (tmp_path / "bays.toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    camera = load_bays(tmp_path / "bays.toml").camera("B1-north")
    assert [bay.kind for bay in camera.bays] == [BayKind.DISABLED, BayKind.CHARGING_SLOW, BayKind.RESERVED]


@pytest.mark.parametrize("page", PAGES)
def test_its_python_is_python(page: str):
    compile(blocks(page, "python")[0], page, "exec")


def test_both_pages_show_the_same_commands_and_tables():
    pages = [(DOCS / page).read_text(encoding="utf-8") for page in PAGES]
    for language in ("sh", "toml", "python", "json"):
        plain = [[re.sub(r" +#.*", "", block) for block in blocks(page, language)] for page in PAGES]
        assert plain[0] == plain[1], language
    shapes = [[line[0] for line in page.splitlines() if line.startswith(("#", "|", "* "))] for page in pages]
    assert shapes[0] == shapes[1]
    names = [set(re.findall(r"`([a-z_.-]+)`", page)) for page in pages]
    assert names[0] == names[1]


def test_every_reason_is_described():
    codes = {reason.code for reason in (NO_PERMIT, _NOT_ELECTRIC, _UNREAD)}
    source = (Path(__file__).parents[2] / "src/kplate/bays/rules.py").read_text(encoding="utf-8")
    codes |= set(re.findall(r'Reason\(\s*"([a-z-]+)"', source))
    assert len(codes) == 9
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        assert all(f"`{code}`" in text for code in codes), page
