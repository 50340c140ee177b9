"""Training on a folder of plates, from the pictures to a network that reads."""

import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from kplate.errors import DataError, KplateError  # noqa: E402
from kplate.images import write_image  # noqa: E402
from kplate.plates.kinds import Kind  # noqa: E402
from kplate.plates.script import KOREAN, NO_GRAMMAR, Script  # noqa: E402
from kplate.reader import Reader  # noqa: E402
from kplate.synth.crops import sample_crop  # noqa: E402
from kplate.synth.plates import sample_plate  # noqa: E402
from kplate.training import reader as command  # noqa: E402
from kplate.training import reader_trainer  # noqa: E402
from kplate.training.plates_data import LabelledPlate, load_plates  # noqa: E402
from kplate.training.plates_data_crops import Crops, split, vary  # noqa: E402
from kplate.training.reader_checkpoint import BEST, initialise, load_checkpoint  # noqa: E402
from kplate.training.reader_data import Batch, RenderedPlates, encode_crop, stack  # noqa: E402
from kplate.training.reader_init import load_weights  # noqa: E402
from kplate.training.reader_loss import LossWeights, reader_loss  # noqa: E402
from kplate.training.reader_mixed import MixedPlates  # noqa: E402
from kplate.training.reader_settings import ReaderTraining  # noqa: E402
from kplate.training.reader_trainer import OwnPlates, ReaderTrainer  # noqa: E402
from kplate.training.reader_validation import Validation, edit_distance  # noqa: E402

TEXTS = ("12가3456", "98나7012", "35다1188", "67라2390", "41마5566")


def draw(folder: Path, seed: int, each: int, texts: tuple[str, ...] = TEXTS) -> Path:
    """Draw easy plates into a folder, named by their text: seen straight on, in somewhat different light."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for text in texts:
        for number in range(each):
            plate = sample_plate(rng, px_per_mm=0.36, kind=Kind.WHITE_LONG, text=text).image
            top, bottom, left, right = (int(n) for n in rng.integers(1, 6, 4))
            framed = cv2.copyMakeBorder(
                plate, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(60, 60, 60)
            )
            lit = framed * rng.uniform(0.6, 1.0) + rng.normal(0, 4, framed.shape)
            write_image(folder / f"{text}_{number}.png", lit.clip(0, 255).astype(np.uint8))
    return folder


def crops_of(folder: Path) -> Crops:
    plates, problems = load_plates([folder], KOREAN)
    crops = Crops(plates)
    assert problems + crops.load() == []
    return crops


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> OwnPlates:
    folder = tmp_path_factory.mktemp("plates")
    return OwnPlates(crops_of(draw(folder / "a", 1, 2)), crops_of(draw(folder / "b", 2, 1)))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train from the command line on 80 easy plates of five texts: half a minute on one core."""
    folder = tmp_path_factory.mktemp("run")
    draw(folder / "train", 1, 16)
    draw(folder / "validation", 2, 4)
    status = command.main(
        [
            *("--out", str(folder / "out"), "--data", str(folder / "train")),
            *("--validation", str(folder / "validation"), "--width", "32", "--batch", "24"),
            *("--rate", "1e-2", "--steps", "300", "--workers", "0", "--validate-steps", "100"),
        ]
    )
    assert status == 0
    return folder


def test_a_tiny_training_reads_its_plates(learned: Path) -> None:
    with (learned / "out" / "validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["100", "200", "300"]
    assert float(rows[-1]["exact"]) >= 0.8
    assert float(rows[-1]["cer"]) <= 0.05
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 3
    assert (learned / "out" / "curves.png").is_file()


def test_what_was_trained_is_read_with(learned: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the export extra")
    from kplate.export import reader as export

    assert export.main([str(learned / "out" / BEST), "--out", str(tmp_path), "--name", "mine"]) == 0
    reader = Reader(tmp_path)
    manifest = reader.manifest
    assert (manifest.name, manifest.extra["grammar"]) == ("mine", "korea")
    assert reader.networks.locator is not None
    pictures = sorted((learned / "validation").iterdir())
    readings = [reader(path) for path in pictures]
    right = [reading.candidate == path.name[:7] for reading, path in zip(readings, pictures, strict=True)]
    assert sum(right) >= 0.8 * len(right)
    assert readings[0].kind is None  # nothing ever told it what kinds look like
    assert readings[0].use == "private"


# ---- what a run does


def settings(out: Path, steps: int = 3) -> ReaderTraining:
    return ReaderTraining(out=out, minutes=0, steps=steps, batch=4, workers=0, width=32, validate_steps=2)


def test_a_run_resumes_with_its_best_validation(few: OwnPlates, tmp_path: Path) -> None:
    assert ReaderTrainer(settings(tmp_path), plates=few).run()
    (tmp_path / "checkpoint.part").write_bytes(b"a kill in the middle of a write")
    with (tmp_path / "validation.csv").open("a") as file:
        file.write("99,0.1,1,0,1\n100,0.")  # written after the last checkpoint
    resumed = ReaderTrainer(settings(tmp_path, 5), plates=few)
    assert resumed.step == 3
    assert resumed.best is not None
    assert resumed.run()
    assert resumed.step == 5
    steps = [row.split(",")[0] for row in (tmp_path / "validation.csv").read_text().splitlines()]
    assert steps == ["step", "2", "3", "4", "5"]
    state = load_checkpoint(tmp_path / BEST)
    assert {"network", "average", "optimizer", "config", "seconds", "step", "alphabet"} <= set(state)


def test_a_run_that_is_killed_goes_on(few: OwnPlates, tmp_path: Path) -> None:
    folder = few.training.plates[0].path.parent
    arguments = ["--out", tmp_path, "--data", folder, "--steps", 10**6, "--validate-steps", 2]
    arguments += ["--width", 32, "--batch", 4, "--workers", 0, "--patience", 0]
    process = subprocess.Popen(
        [sys.executable, "-m", "kplate", "train", "reader", *map(str, arguments)], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "checkpoint.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    resumed = ReaderTrainer(settings(tmp_path, 10**6), plates=few)
    assert resumed.step >= 2


def test_another_alphabet_does_not_continue_a_run(few: OwnPlates, tmp_path: Path) -> None:
    ReaderTrainer(settings(tmp_path, 1), plates=few).run()
    free = Script(KOREAN.alphabet, NO_GRAMMAR)
    with pytest.raises(KplateError, match="another alphabet or grammar"):
        ReaderTrainer(settings(tmp_path), plates=few, script=free)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK broken")
    with pytest.raises(KplateError, match=r"cannot load .*checkpoint\.pt"):
        ReaderTrainer(settings(tmp_path), plates=few)


def test_it_ends_where_validation_no_longer_improves(
    few: OwnPlates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = Validation(loss=1.0, exact=0.5, cer=0.1)
    monkeypatch.setattr(reader_trainer, "validate", lambda *_: same)
    trainer = ReaderTrainer(replace(settings(tmp_path, 50), validate_steps=1, patience=3), plates=few)
    assert trainer.run()
    assert trainer.step == 4


def test_a_loss_that_is_no_number_stops_with_a_message(
    few: OwnPlates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> tuple[torch.Tensor, dict[str, float]]:
        return torch.tensor(float("nan")), {}

    monkeypatch.setattr(reader_trainer, "reader_loss", broken)
    with pytest.raises(FloatingPointError, match="the loss is nan at step 0"):
        ReaderTrainer(settings(tmp_path), plates=few).run()
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_reader_for_another_country(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the export extra")
    from kplate.export.reader import export_reader

    rng = np.random.default_rng(0)
    plates = []
    for text in ("AB12", "BA-21"):
        path = tmp_path / f"{text}.png"
        write_image(path, rng.integers(0, 255, (30, 90, 3), np.uint8))
        plates.append(LabelledPlate(path, text.replace("-", ""), None, str(path)))
    crops = Crops(plates)
    assert crops.load() == []
    script = command.script_from("A B 1 2", no_grammar=False)
    assert script == Script("AB12", NO_GRAMMAR)
    ReaderTrainer(settings(tmp_path / "out", 1), script=script, plates=OwnPlates(crops, crops)).run()
    export_reader(tmp_path / "out" / BEST, tmp_path, name="abc", threshold=None, temperature=None, facts={})
    reader = Reader(tmp_path, min_score=0.0)
    assert reader.script == script
    reading = reader(plates[0].path)
    assert (reading.kind, reading.use, reading.electric) == (None, None, None)
    assert set(reading.candidate or "") <= set("AB12")
    assert reading.display == reading.candidate


# ---- batches and losses


def test_batches_follow_from_their_number(few: OwnPlates) -> None:
    def mixed(first: int, stride: int = 1) -> Iterator[Batch]:
        data = MixedPlates(
            few.training, None, batch=4, synthetic=0.0, size=(96, 32), script=KOREAN, seed=3, first=first,
            stride=stride,
        )  # fmt: skip
        return iter(data)

    whole, later = mixed(0), mixed(1)
    next(whole)
    assert torch.equal(next(whole).image, next(later).image)
    second_process = mixed(1, stride=2)
    assert torch.equal(next(whole).image, next(mixed(2)).image)
    next(second_process)
    assert torch.equal(next(whole).image, next(second_process).image)


def test_every_plate_is_shown_once_an_epoch(few: OwnPlates) -> None:
    data = MixedPlates(
        few.training, None, batch=3, synthetic=0.0, size=(96, 32), script=KOREAN, seed=3, first=0
    )
    shown = [index for number in range(10) for index in data.indices(number)]
    assert len(few.training) == 10
    assert all(sorted(shown[i : i + 10]) == list(range(10)) for i in (0, 10, 20))
    assert shown[:10] != shown[10:20]


def test_rendered_plates_are_mixed_in(few: OwnPlates) -> None:
    rendered = RenderedPlates(1, (192, 64), 1, [])
    data = MixedPlates(
        few.training, rendered, batch=6, synthetic=2.0, size=(192, 64), script=KOREAN, seed=3, first=0
    )
    batch = data.make(0)
    assert data.real == 2
    assert batch.corners.isnan().all(1).tolist() == [True] * 2 + [False] * 4
    assert not batch.placed[:2].any()


def test_what_is_unknown_of_real_plates_teaches_nothing(few: OwnPlates) -> None:
    from kplate.nets.lprnet import LprNet, LprNetConfig

    rng = np.random.default_rng(1)
    batch = stack([encode_crop(few.training.crop(i, rng), (192, 64)) for i in range(3)])
    network = LprNet(LprNetConfig(width=32))
    loss, parts = reader_loss(network(batch.image.float() / 255), batch, LossWeights())
    loss.backward()  # type: ignore[no-untyped-call]
    assert (parts["corners"], parts["kind"], abs(parts["attention"])) == (0, 0, 0)
    assert parts["ctc"] > 0
    gradients = {name: p.grad for name, p in network.named_parameters()}
    for name in ("localisation.corners.bias", "kind.weight"):
        assert gradients[name] is not None
        assert not gradients[name].any()
    assert gradients["classifier.2.weight"].any()
    assert all(g is None or bool(g.isfinite().all()) for g in gradients.values())


# ---- weights to begin with


def test_shared_symbols_keep_what_they_know() -> None:
    from kplate.nets.lprnet import LprNet, LprNetConfig

    old, new = (LprNet(LprNetConfig(symbols=n, width=32)) for n in (3, 4))
    before = new.state_dict()["classifier.2.bias"].clone()
    initialise(new, Script("1XA2", NO_GRAMMAR), old.state_dict(), "12A")
    source, result = (net.state_dict()["classifier.2.bias"] for net in (old, new))
    assert result.tolist() == [source[0], before[1], source[2], source[1], source[3]]
    assert torch.equal(old.state_dict()["mix.0.weight"], new.state_dict()["mix.0.weight"])
    wide = LprNet(LprNetConfig(symbols=3, width=64))
    with pytest.raises(KplateError, match="another size"):
        initialise(wide, Script("12A", NO_GRAMMAR), old.state_dict(), "12A")


def test_an_exported_network_can_be_trained_further(few: OwnPlates, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the export extra")
    from kplate.export.reader import export_reader
    from kplate.nets.lprnet import LprNet

    ReaderTrainer(settings(tmp_path / "a", 2), plates=few).run()
    made = {"name": "small", "threshold": None, "temperature": None, "facts": {}}
    export_reader(tmp_path / "a" / BEST, tmp_path, **made)  # type: ignore[arg-type]
    begin = load_weights(str(tmp_path))
    config, weights = begin.config, begin.values
    assert (begin.alphabet, begin.taught) == (KOREAN.alphabet, False)
    source, rebuilt = LprNet(config).eval(), LprNet(config).eval()
    source.load_state_dict(load_checkpoint(tmp_path / "a" / BEST)["average"])
    rebuilt.load_state_dict(weights)
    image = torch.rand(4, 3, 64, 192, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.allclose(source(image).logits, rebuilt(image).logits, atol=2e-3)
        # With statistics of the batch in place of the measured ones it is another network, but near.
        plates = torch.from_numpy(
            np.stack(
                [
                    encode_crop(few.training.crop(i, np.random.default_rng(i)), (192, 64))["image"]
                    for i in range(10)
                ]
            )
        )
        still = rebuilt(plates.float() / 255).logits
        moving = rebuilt.train()(plates.float() / 255).logits
    assert (still - moving).abs().mean() < still.std()
    trainer = ReaderTrainer(settings(tmp_path / "b", 1), plates=few, begin=begin)
    assert torch.equal(trainer.network.state_dict()["mix.0.weight"], weights["mix.0.weight"])
    assert trainer.run()
    steps = [row.split(",")[0] for row in (tmp_path / "b" / "validation.csv").read_text().splitlines()]
    assert steps == ["step", "0", "1"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_weights_that_are_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(KplateError, match=name):
        load_weights(str(tmp_path / name))


# ---- small parts, and the command


def test_pictures_of_one_text_stay_together() -> None:
    plates = [LabelledPlate(Path(f"{i}.png"), f"{i // 3:02d}가0000", None, "") for i in range(60)]
    training, aside = split(plates, 0.1)
    assert len(aside) == 6
    assert {p.text for p in aside}.isdisjoint(p.text for p in training)
    assert (training, aside) == split(plates[::-1], 0.1) or {p.text for p in aside} == {
        p.text for p in split(plates[::-1], 0.1)[1]
    }
    assert split(plates[:3], 0.1)[1] == []


def test_real_crops_change_lightly() -> None:
    rng = np.random.default_rng(0)
    crops = [sample_crop(rng, text="12가3456", difficulty=0.0).image for _ in range(40)]
    changed = [vary(crop, rng) for crop in crops]
    pairs = list(zip(changed, crops, strict=True))
    assert all(c.shape == crop.shape and c.dtype == np.uint8 for c, crop in pairs)
    assert np.median([np.abs(c.astype(int) - crop).mean() for c, crop in pairs]) < 45


@pytest.mark.parametrize(
    ("a", "b", "distance"), [("", "", 0), ("12가", "12나", 1), ("1", "", 1), ("1122", "122", 1)]
)
def test_edit_distance(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == distance


def test_bad_data_is_listed_before_training(tmp_path: Path) -> None:
    draw(tmp_path / "data", 1, 1, TEXTS[:3])
    (tmp_path / "data" / "12가3457_broken.png").write_bytes(b"no picture")
    (tmp_path / "data" / "12X3456.png").write_bytes(b"")
    arguments = ["--out", str(tmp_path / "out"), "--data", str(tmp_path / "data")]
    with pytest.raises(DataError, match="2 labels cannot be used") as caught:
        command.main(arguments)
    assert "12X3456.png: '12X3456' has symbols outside the alphabet: X" in str(caught.value)
    assert "12가3457_broken.png: " in str(caught.value)
    assert not (tmp_path / "out").exists()
    small = ["--width", "32", "--batch", "2", "--steps", "1", "--workers", "0"]
    assert command.main([*arguments, "--skip-bad", *small]) == 0
    assert (tmp_path / "out" / BEST).is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--synthetic", "1"], "need --data"),
        (["--alphabet", "ABC"], "need --data"),
        (["--data", "nowhere"], "no such file or folder"),
        (["--data", ".", "--synthetic", "1", "--alphabet", "ABC"], "lacks some"),
        (["--data", ".", "--alphabet", "ABA"], "repeated: A"),
        (["--data", "."], "too few"),
    ],
)
def test_arguments_that_do_not_fit(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "one", 1, 2, TEXTS[:1])
    monkeypatch.chdir(tmp_path / "one")
    with pytest.raises(KplateError, match=message):
        command.main(["--out", "out", *arguments])


def test_checkpoints_of_earlier_releases_stay_usable(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the export extra")
    from kplate.export.reader import export_reader

    assert ReaderTrainer(replace(settings(tmp_path, 1), replay=0)).run()
    path = tmp_path / "checkpoint.pt"
    state = load_checkpoint(path)
    keys = ("network", "average", "optimizer", "config", "seconds", "step")
    torch.save({key: state[key] for key in keys}, path)
    resumed = ReaderTrainer(replace(settings(tmp_path, 2), replay=0))
    assert resumed.step == 1
    made = export_reader(path, tmp_path, name="old", threshold=None, temperature=None, facts={})
    assert (made.alphabet, made.kinds) == (KOREAN.alphabet, tuple(Kind))
    assert (made.threshold, made.temperature, made.extra["grammar"]) == (0.5, 1.0, "korea")
    torch.save({**load_checkpoint(path), "optimizer": {}}, path)
    with pytest.raises(KplateError, match="cannot continue"):
        ReaderTrainer(settings(tmp_path, 2))
