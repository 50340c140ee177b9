"""Writing pictures, and where that fails."""

from pathlib import Path

import numpy as np
import pytest

from kplate.errors import OutputError
from kplate.images import read_image, write_image

from .pictures import assert_close, picture


def test_written_pictures_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "번호판 52주3108.png"
    write_image(path, picture())
    assert_close(read_image(path), picture(), 0)
    write_image(tmp_path / "a.JPG", picture())
    assert_close(read_image(tmp_path / "a.JPG"), picture(), 6)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.JPG", path.name]


def test_unwritable_output(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for path, reason in [
        (tmp_path / "missing" / "a.png", "no such file"),
        (tmp_path / "folder.png", "a folder has this name"),
        (tmp_path / "file" / "a.png", "not a directory"),
        (tmp_path / "a.xyz", r"\.xyz"),
        (tmp_path / "name", "suffix"),
    ]:
        with pytest.raises(OutputError, match=reason) as caught:
            write_image(path, picture())
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="70000x1 pixels"):
        write_image(tmp_path / "long.jpg", np.zeros((1, 70000, 3), np.uint8))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder.png"]


def test_devices_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    link = tmp_path / "null.png"
    if not Path("/dev/null").exists():
        pytest.skip("no /dev/null here")
    link.symlink_to("/dev/null")
    write_image(link, picture())
    assert link.is_symlink()
    assert not Path("/dev/null").is_file()
