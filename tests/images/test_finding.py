"""Finding the pictures that arguments name."""

import os
import unicodedata
from pathlib import Path

import pytest

from kplate.errors import ImageError
from kplate.images import find_images


def names(paths: list[str], folder: Path) -> list[str]:
    """What is found: relative paths, and errors as their text."""
    found = find_images(paths)
    return [str(one) if isinstance(one, ImageError) else one.relative_to(folder).as_posix() for one in found]


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def test_a_folder_is_searched_deeply_in_order_and_any_case(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b.JPG",
        "a.png",
        "z/2.webp",
        "z/1.JpEg",
        "c/x/y.tif",
        "notes.txt",
        ".hidden.jpg",
        ".git/a.jpg",
    )
    assert names([str(tmp_path)], tmp_path) == ["a.png", "b.JPG", "c/x/y.tif", "z/1.JpEg", "z/2.webp"]


def test_problems_are_told_per_argument_and_the_rest_goes_on(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "none/notes.txt", "b.png")
    arguments = [str(tmp_path / name) for name in ("a.jpg", "gone.jpg", "none", "*.bmp", "b.png")]
    first, missing, empty, unmatched, last = names(arguments, tmp_path)
    assert (first, last) == ("a.jpg", "b.png")
    assert missing == f"cannot read {arguments[1]}: no such file or folder"
    assert empty == f"cannot read {arguments[2]}: the folder holds no pictures"
    assert unmatched == f"cannot read {arguments[3]}: nothing matches"
    assert [type(one).__name__ for one in find_images(["", "a\0b*"])] == ["ImageError", "ImageError"]


def test_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.jpg", "3.png", "notes.txt", "d/4.jpg", "d/e/5.jpg", "주차장/번호 6.jpg")
    assert names([str(tmp_path / "*.jpg")], tmp_path) == ["1.jpg", "2.jpg"]
    assert names([str(tmp_path / "[13].*")], tmp_path) == ["1.jpg", "3.png"]
    assert names([str(tmp_path / "**/*.jpg")], tmp_path) == [
        "1.jpg", "2.jpg", "d/4.jpg", "d/e/5.jpg", "주차장/번호 6.jpg",
    ]  # fmt: skip
    assert names([str(tmp_path / "주차장/번호*")], tmp_path) == ["주차장/번호 6.jpg"]
    assert names([str(tmp_path / "d*")], tmp_path) == ["d/4.jpg", "d/e/5.jpg"]
    assert "notes.txt" not in names([str(tmp_path / "*")], tmp_path)
    assert names([str(tmp_path / "*.txt")], tmp_path) == ["notes.txt"]


def test_a_name_with_brackets_is_a_name_before_it_is_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "car[1].jpg", "car1.jpg", "lot[2]/a.jpg")
    assert names([str(tmp_path / "car[1].jpg")], tmp_path) == ["car[1].jpg"]
    assert names([str(tmp_path / "lot[2]")], tmp_path) == ["lot[2]/a.jpg"]


def test_a_picture_named_twice_is_found_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    arguments = [str(tmp_path / "b.jpg"), str(tmp_path), str(tmp_path / "*.jpg")]
    assert names(arguments, tmp_path) == ["b.jpg", "a.jpg"]


def test_hangul_names_are_found_composed_and_decomposed(tmp_path: Path) -> None:
    stored = unicodedata.normalize("NFD", "차량.jpg")
    touch(tmp_path, stored)
    assert names([str(tmp_path / unicodedata.normalize("NFC", "차량.jpg"))], tmp_path) == [stored]


def test_names_that_cannot_be_looked_up_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "file")
    bad = [str(tmp_path / "file" / "b.jpg"), "x" * 5000, str(tmp_path / "a.jpg")]
    inside, long, found = names(bad, tmp_path)
    assert inside == f"cannot read {bad[0]}: not a directory"
    assert long.endswith("too long")
    assert found == "a.jpg"


def test_links_in_circles_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.jpg")
    try:
        (tmp_path / "d" / "again").symlink_to("..")
        (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    except OSError:
        pytest.skip("no links here")
    assert names([str(tmp_path)], tmp_path) == ["loop.jpg", "d/a.jpg"]
    assert names([str(tmp_path / "loop.jpg")], tmp_path) == ["loop.jpg"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may enter all")
def test_folders_that_may_not_be_entered(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    (tmp_path / "locked").chmod(0)
    try:
        arguments = [str(tmp_path / name) for name in ("locked", "locked/b.jpg", "locked/*.jpg", "a.jpg")]
        folder, file, pattern, good = names(arguments, tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert folder == f"cannot read {arguments[0]}: permission denied"
    assert file == f"cannot read {arguments[1]}: permission denied"
    assert pattern == f"cannot read {arguments[2]}: nothing matches"
    assert good == "a.jpg"
