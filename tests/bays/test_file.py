from pathlib import Path

import pytest

from kplate.bays import BayKind, BaysError, load_bays, parse_bays
from kplate.bays.lines import Lines

BAY = '[[camera.bay]]\nname = "A1"\npolygon = [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]]\n'


def mistakes(text: str) -> list[str]:
    with pytest.raises(BaysError) as caught:
        parse_bays(text, "b.toml")
    return [caught.value.describe(mistake) for mistake in caught.value.mistakes]


def test_one_line_is_the_thirds_of_the_picture():
    camera = parse_bays('columns = ["A1", "A2", "A3"]').camera()
    assert [bay.name for bay in camera.bays] == ["A1", "A2", "A3"]
    assert camera.bays[1].polygon == ((1 / 3, 0), (2 / 3, 0), (2 / 3, 1), (1 / 3, 1))
    kinds = [bay.kind for bay in parse_bays('columns = {A1 = "disabled", A2 = "ordinary"}').camera().bays]
    assert kinds == [BayKind.DISABLED, BayKind.ORDINARY]


def test_all_that_a_file_can_say(tmp_path: Path):
    (tmp_path / "staff.txt").write_text("# staff\n12가 3456  # Kim\n\n서울12바3456\n", encoding="utf-8")
    (tmp_path / "bays.toml").write_text(
        'watch_list = ["52주 3108"]\n'
        "[timing]\nreview = 30\n"
        '[[camera]]\nname = "north"\nsource = "rtsp://10.0.0.5/s"\npicture = [1000, 500]\n'
        '[[camera.bay]]\nname = "A1"\nkind = "reserved"\nplates = "staff.txt"\nlimit = "90 min"\n'
        "polygon = [[100, 100], [200, 100], [200, 200]]\n"
        '[[camera]]\nname = "south"\ncolumns = ["B1", "B2"]\n',
        encoding="utf-8",
    )
    bays = load_bays(tmp_path / "bays.toml")
    bay = bays.camera("north").bays[0]
    assert bay.plates == {"12가3456", "서울12바3456"}
    assert bay.limit == 5400
    assert bay.polygon == ((0.1, 0.2), (0.2, 0.2), (0.2, 0.4))
    assert bays.watch_list == {"52주3108"}
    assert (bays.timing.review, bays.timing.arrived) == (30, 1.5)
    with pytest.raises(BaysError, match="say which camera it is: north, south"):
        bays.camera()
    with pytest.raises(BaysError, match="no camera 'west'; the cameras are: north, south"):
        bays.camera("west")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("columns = [", 1, "this is not TOML"),
        ('columns = ["A"]\n[[camera]\n', 2, "this is not TOML"),
        ("", None, "no camera"),
        ("columns = []", 1, "not a list of names"),
        ('columns = ["A", "B", "A"]', 1, "there is a bay 'A' already"),
        ('columns = {A = "disable"}', 1, "did you mean 'disabled'?"),
        ('colums = ["A"]', 1, "did you mean 'columns'?"),
        ("camera = 3", 1, "begin each with [[camera]]"),
        ("[[camera]]\n", 1, "this camera has no bay"),
        ('[[camera]]\ncolumns = ["A"]\nsource = 5\n', 3, "source is not a text"),
        (f'[[camera]]\nname = "a"\n{BAY}[[camera]]\n{BAY.replace("A1", "A2")}', 6, "this camera has no name"),
        (f'[[camera]]\nname = "a"\n{BAY}[[camera]]\nname = "a"\ncolumns = ["B"]', 7, "in line 2"),
        (f"[[camera]]\n{BAY}kind = 'parking'\n", 5, "no kind of bay (ordinary, disabled, charging_fast"),
        (f"[[camera]]\n{BAY}\n# again\n{BAY}", 8, "there is a bay 'A1' already, in line 3"),
        (f"[[camera]]\n{BAY}{BAY.replace('A1', 'A2')}", 7, "'A1' and 'A2' cover the same place"),
        (f"[[camera]]\n{BAY}limit = '3 days'\n", 5, "no limit such as '30 min'"),
        (f"[[camera]]\n{BAY}limit = 30\n", 5, "no limit such as '30 min'"),
        (f"[[camera]]\n{BAY}kind = 'reserved'\n", 2, "a reserved bay needs plates"),
        (
            f"[[camera]]\n{BAY}kind = 'reserved'\nplates = ['hello']\n",
            6,
            "'hello' is not the text of a Korean",
        ),
        (f"[[camera]]\n{BAY}kind = 'reserved'\nplates = 'gone.txt'\n", 6, "gone.txt cannot be read"),
        (f"[[camera]]\n{BAY}plates = ['12가3456']\n", 5, 'plates are for bays of kind = "reserved"'),
        (f"[[camera]]\n{BAY}limt = '3 h'\n", 5, "'limt' is not known here; did you mean 'limit'?"),
        (f"[timing]\narrived = -1\n[[camera]]\n{BAY}", 2, "no number of seconds"),
        (f"[timing]\nspeed = 1\n[[camera]]\n{BAY}", 2, "'speed' is not known here; the keys here are"),
    ],
)
def test_a_mistake_comes_with_its_line(text: str, line: int | None, says: str):
    found = mistakes(text)[0]
    assert says in found
    assert found.startswith("b.toml: " if line is None else f"b.toml, line {line}: ")


@pytest.mark.parametrize(
    ("polygon", "says"),
    [
        ("[[0.1, 0.1], [0.2, 0.2]]", "three corners"),
        ("[[0.1, 0.1], [0.2, 0.2], [0.3]]", "not a list of corners"),
        ("[[0.1, 0.1], [0.2, nan], [0.3, 0.1]]", "not a list of corners"),
        ("[[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]", "sides of this polygon cross"),
        ("[[0.1, 0.1], [0.1001, 0.1], [0.1, 0.1001]]", "too small"),
        ("[[0.1, 0.1], [0.9, -0.2], [0.9, 0.5]]", "the corner [0.9, -0.2] lies outside the picture"),
        ("[[10, 10], [90, 10], [90, 90]]", "give the camera its picture = [width, height]"),
    ],
)
def test_a_polygon_that_is_none(polygon: str, says: str):
    text = f'[[camera]]\n[[camera.bay]]\nname = "A1"\npolygon = {polygon}\n'
    assert mistakes(text) == [f"b.toml, line 4: {mistakes(text)[0].partition(': ')[2]}"]
    assert says in mistakes(text)[0]


def test_pixels_outside_the_picture():
    text = (
        '[[camera]]\npicture = [1280, 720]\n[[camera.bay]]\nname = "A1"\n'
        "polygon = [\n  [10, 10],\n  [1300, 10],\n  [500, 500],\n]\n"
    )
    assert mistakes(text) == ["b.toml, line 5: the corner [1300, 10] lies outside the picture of 1280x720"]


def test_all_mistakes_are_told_in_their_order(tmp_path: Path):
    file = tmp_path / "b.toml"
    file.write_text(f"watch_list = ['x']\n[[camera]]\n{BAY}kind = 'a'\nwidth = 3\n", encoding="utf-8")
    with pytest.raises(BaysError) as caught:
        load_bays(file)
    assert [mistake.line for mistake in caught.value.mistakes] == [1, 6, 7]
    assert str(caught.value).startswith(f"{file}, line 1: 'x' is not the text of a Korean number plate")
    assert "and 2 more" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(BaysError, match="no such file"):
        load_bays(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(BaysError, match="not UTF-8"):
        load_bays(tmp_path / "bad.toml")


def test_lines_of_values():
    lines = Lines(
        'a = 1\n\n[[c]]\nx.y = 2\n  [[c.d]]\n  k = [\n 1,\n 2]\n[[c]]\n[[c.d]]\n"q r" = """\n\n"""\nz = 1\n'
    )
    assert lines.of(("a",)) == 1
    assert lines.of(("c", 0)) == 3
    assert lines.of(("c", 0, "x", "y")) == 4
    assert lines.of(("c", 0, "d", 0, "k", 1)) == 6
    assert lines.of(("c", 1, "d", 0)) == 10
    assert lines.of(("c", 1, "d", 0, "z")) == 14
    assert lines.of(("nowhere",)) is None
