"""Fills in the figures of docs/model-card-detector.md: `python tools/detector_card.py --data DIR --work DIR`.

`--data` holds the folders of labelled photographs; the rendered pictures are made under `--work`, where each
measurement also leaves its JSON. What is there is not measured again: remove the JSON for new weights. All of
it takes some ten minutes of one core.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CARD = Path(__file__).parents[1] / "docs" / "model-card-detector.md"
BEGIN, END = "<!-- figures: tools/detector_card.py -->", "<!-- end of the figures -->"
Figures = dict[str, Any]
#: How the pictures are looked at: name of the column, and arguments.
LOOKS = (
    ("416", ("--size", "416")),
    ("416, closer", ("--size", "416", "--closer")),
    ("640", ("--size", "640")),
    ("640, closer", ("--size", "640", "--closer")),
)
#: The same without the second look, for the measures that know it.
ALONE = (
    ("416, no refiner", ("--size", "416", "--no-refine")),
    ("640, no refiner", ("--size", "640", "--no-refine")),
)


class Bench:
    """Runs `kplate evaluate`, once for each name."""

    def __init__(self, data: Path, work: Path, weights: str | None) -> None:
        self.data, self.work = data, work
        self.more = ("--threads", "1", *(("--weights", weights) if weights else ()))
        work.mkdir(parents=True, exist_ok=True)

    def render(self) -> None:
        """Make the rendered sets where they are missing."""
        photos = ("--photos", str(self.data / "openimages_plates"), "--split", "valid")
        for name, count, more in (("drawn", "300", ()), ("photographs", "200", photos)):
            if not (self.work / name / "labels.jsonl").is_file():
                arguments = ("synth", "scenes", "--condition", "all", "--count", count, "--seed", "2026")
                _kplate(*arguments, *more, "--out", str(self.work / name))

    def detector(self, name: str, *arguments: str) -> Figures:
        """The figures of `kplate evaluate detector`."""
        return self._figures(name, "evaluate", "detector", *arguments)

    def readings(self, name: str, *arguments: str) -> Figures:
        """The figures of `kplate evaluate`."""
        return self._figures(f"read {name}", "evaluate", *arguments)

    def folder(self, name: str) -> str:
        """A folder of photographs, or of rendered pictures."""
        return str((self.work if name in ("drawn", "photographs") else self.data) / name)

    def _figures(self, name: str, *arguments: str) -> Figures:
        path = self.work / f"{name.replace(', ', ' ')}.json"
        if not path.is_file():
            path.write_text(_kplate(*arguments, "--json", *self.more), encoding="utf-8")
        figures: Figures = json.loads(path.read_text(encoding="utf-8"))
        return figures


def _kplate(*arguments: str) -> str:
    print("kplate", *arguments, file=sys.stderr)
    command = [sys.executable, "-m", "kplate", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _share(share: Figures) -> str:
    return f"{share['count']} / {share['total']} = {100 * share['share']:.1f} %" if share["total"] else "–"


def _percent(share: Figures) -> str:
    return f"{100 * share['share']:.0f} %" if share["total"] else "–"


def _needless(figures: Figures) -> int:
    return int(figures["precision"]["total"] - figures["precision"]["count"])


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
    yield ""


def _photographs(bench: Bench) -> Iterator[str]:
    """The table of real photographs."""
    korean, openimages = bench.folder("korean_scenes_eval"), bench.folder("openimages_plates")
    rows: list[tuple[object, ...]] = []
    for look, arguments in (*LOOKS, *ALONE):
        own = bench.detector(f"korean {look}", korean, "--labels", "korean_scenes_eval", *arguments)
        read = bench.readings(f"korean {look}", korean, *arguments) if (look, arguments) in LOOKS else None
        plates = own["classes"]["license_plate"]
        held_out = (openimages, "--split", "valid", "--only", "plates")
        valid = bench.detector(f"openimages {look}", *held_out, *arguments)
        other = valid["classes"]["license_plate"]
        fairer = bench.detector(
            f"openimages ignoring {look}", *held_out, "--ignore", "openimages_plates_unlabelled", *arguments
        )
        rows.append(
            (
                look,
                _share(plates["largest_found"]),
                _share(plates["recall"]),
                _needless(plates),
                f"{read['exact']['candidate']['count']} / {read['trusted_wrong']['count']}" if read else "–",
                f"{other['ap50']:.3f}",
                f"{fairer['classes']['license_plate']['ap50']:.3f}",
                f"{_percent(other['recall'])} / {_percent(other['precision'])}",
            )
        )
    columns = (
        "px",
        "car's plate found",
        "all plates found",
        "boxes on no plate",
        "read exactly / trusted and wrong",
        "AP50",
        "AP50, unlabelled ignored",
        "found / right",
    )
    yield (
        "Plates. First the 128 Korean photographs, then `openimages_plates`, valid: "
        "its labels leave out 75 plates at least, and one of these columns counts those neither way "
        "(`--ignore openimages_plates_unlabelled`):"
    )
    yield ""
    yield from _table(columns, rows)


def _others(bench: Bench) -> Iterator[str]:
    """The table of vehicles and permits."""
    rows: list[tuple[object, ...]] = []

    def measure(name: str, label: str, folders: Sequence[str], *more: str) -> tuple[Figures, str]:
        figures = bench.detector(name, *map(bench.folder, folders), *more)
        return figures["classes"][label], f"`{' '.join((*folders, *more))}`"

    roadside = ("vehicles_openimages", "vehicles_roadside")
    held_out = ("--split", "valid,test", "--only")
    vehicles, command = measure("vehicles", "car", roadside, *held_out, "vehicles")
    rows.append(("vehicles, 357 held-out photographs: AP50", f"{vehicles['ap50']:.3f}", command))
    vehicles, command = measure("vehicles openimages", "car", roadside[:1], *held_out, "vehicles")
    rows.append(("– the 188 of them from Open Images alone: AP50", f"{vehicles['ap50']:.3f}", command))
    fairer, command = measure(
        "vehicles ignoring", "car", roadside, *held_out, "vehicles", "--ignore", "vehicles_unlabelled"
    )
    rows.append(
        (
            "– all, 49 vehicles that nobody labelled counted neither way: AP50",
            f"{fairer['ap50']:.3f}",
            command,
        )
    )
    permit = "disabled_sticker"
    for what, measured in (
        (
            "photographs without a permit that show a false one",
            measure("no permits", permit, ("openimages_plates", *roadside), *held_out, "permits"),
        ),
        (
            "pictures of wheelchair symbols that show a false permit",
            measure("symbols", permit, ("access_symbol",), "--only", "permits"),
        ),
    ):
        clean = measured[0]["pictures_without_needless_box"]
        wrong = clean["total"] - clean["count"]
        rows.append(
            (what, f"{wrong} of {clean['total']} = {100 * wrong / clean['total']:.1f} %", measured[1])
        )
    for look, arguments in (LOOKS[0], LOOKS[2]):
        drawn, command = measure(f"drawn {look}", permit, ("drawn",), *arguments)
        group = next(row for row in drawn["conditions"] if row["condition"] == "permits")
        figure = f"{group['ap50']:.3f}, {_percent(group['recall'])} found, {group['needless_boxes']} needless"
        rows.append((f"permits in drawn streets, condition `permits`, {look} px: AP50", figure, command))
        figure = f"{drawn['ap50']:.3f}, {drawn['boxes']['background']} needless"
        rows.append(("– among the pictures of all ten conditions", figure, command))
    yield "Vehicles and permits, `kplate evaluate detector …`:"
    yield ""
    yield from _table(("what", "figure", "arguments"), rows)


def _conditions(bench: Bench, name: str) -> Iterator[str]:
    """The table of a rendered set: plates found by condition, and how they are read."""
    found: dict[str, list[Figures]] = {}
    for look, arguments in LOOKS:
        only = () if "closer" not in look and name == "drawn" else ("--only", "plates")
        figures = bench.detector(f"{name} {look}", bench.folder(name), *only, *arguments)
        for row in figures["classes"]["license_plate"]["conditions"]:
            found.setdefault(row["condition"], []).append(row)
    read: dict[str, list[Figures]] = {}
    for look, arguments in (LOOKS[1], LOOKS[3]):
        for row in bench.readings(f"{name} {look}", bench.folder(name), *arguments)["conditions"]:
            read.setdefault(row["condition"], []).append(row)
    rows = []
    for condition, looks in found.items():
        cells = [f"{_percent(row['recall'])}, {row['needless_boxes']}" for row in looks]
        answers = [f"{_percent(row['candidate'])}, {row['trusted_wrong']}" for row in read.get(condition, ())]
        plates = looks[0]["recall"]["total"]
        rows.append((condition, plates, *cells, *(answers or ("–", "–"))))
    columns = ("condition", "plates", *(look for look, _ in LOOKS), "read, 416, closer", "read, 640, closer")
    yield from _table(columns, rows)


def main() -> None:
    """Measure, and write the tables into the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--weights")
    options = parser.parse_args()
    bench = Bench(options.data, options.work, options.weights)
    bench.render()
    lines = [BEGIN, "", *_photographs(bench), *_others(bench)]
    lines += [
        "Drawn streets and car parks by condition: share of plates found and number of needless boxes; then",
        "the share of plates of 64 px and more that are read exactly, and trusted readings that are wrong:",
        "",
        *_conditions(bench, "drawn"),
        "The same for held-out photographs under rendered plates, made to look as if taken so:",
        "",
        *_conditions(bench, "photographs"),
        END,
    ]
    text = CARD.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    CARD.write_text(before + "\n".join(lines) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
