import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from kplate.nets.lprnet import LprNet, LprNetConfig  # noqa: E402
from kplate.training import ablation  # noqa: E402
from kplate.training.ablation_data import SIZE, Recipe, open_pool, shrink  # noqa: E402
from kplate.training.ablation_networks import AblatedLprNet, Parts, columns_of_steps  # noqa: E402

SMALL = LprNetConfig(input_size=(96, 24), plate_size=(96, 24), width=32)


def test_with_all_parts_it_is_the_reader() -> None:
    torch.manual_seed(1)
    whole = LprNet(SMALL).eval()
    ablated = AblatedLprNet(SMALL, Parts()).eval()
    ablated.load_state_dict(whole.state_dict())
    image = torch.rand(2, 3, 24, 96)
    with torch.inference_mode():
        assert torch.equal(whole(image).logits, ablated(image).logits)


@pytest.mark.parametrize("parts", [Parts(stn=False), Parts(context=False), Parts(attention=False)])
def test_without_a_part_other_things_are_said(parts: Parts) -> None:
    torch.manual_seed(1)
    whole = LprNet(SMALL).eval()
    ablated = AblatedLprNet(SMALL, parts).eval()
    ablated.load_state_dict(whole.state_dict(), strict=False)
    image = torch.rand(2, 3, 24, 96)
    with torch.inference_mode():
        expected, output = whole(image), ablated(image)
    assert output.logits.shape == expected.logits.shape
    assert not torch.allclose(expected.logits, output.logits, atol=1e-6)
    assert (output.attention.numel() > 0) == parts.attention
    if not parts.stn:
        assert output.corners[0].tolist() == [0, 0, 1, 0, 1, 1, 0, 1]


def test_steps_are_columns_in_order() -> None:
    weights = columns_of_steps(24)
    assert torch.allclose(weights.sum(0), torch.ones(18))
    places = (weights * torch.arange(24)[:, None]).sum(0)
    assert bool((places.diff() > 0.9).all())


def test_a_pool_is_drawn_once(tmp_path: Path) -> None:
    recipe = Recipe("clean", effects=False, surroundings=False)
    pool = open_pool(tmp_path, recipe, 5, [])
    written = (tmp_path / "clean-5" / "images.npy").stat().st_mtime_ns
    again = open_pool(tmp_path, recipe, 5, [])
    assert (tmp_path / "clean-5" / "images.npy").stat().st_mtime_ns == written
    assert len(pool) == len(again) == 5
    batches = list(again.batches(2, 5, (96, 24), 1))
    assert batches[0].image.shape == (2, 3, 24, 96)
    assert batches[0].placed.all()
    texts = {tuple(row) for batch in batches for row in batch.text.tolist()}
    assert len(texts) == 5  # ten rows: each plate twice


def test_shrinking_keeps_the_mean() -> None:
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (2, 3, *SIZE[::-1]), np.uint8))
    smaller = shrink(images, (96, 24))
    assert smaller.dtype == torch.uint8
    assert abs(float(smaller.float().mean() - images.float().mean())) < 1
    assert shrink(images, SIZE) is images


def test_rows_are_trained_measured_kept_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript", reason="needs the export extra")
    threads = torch.get_num_threads()
    options = ["--out", str(tmp_path), "--init", "nothing", "--crops", "6", "--batch", "4", "--plates", "2"]
    assert ablation.main([*options, "--steps", "1", "--rows", "no-stn"]) == 0
    first = capsys.readouterr().out
    assert "without the spatial transformer" in first
    row = json.loads((tmp_path / "no-stn.json").read_text(encoding="utf-8"))
    assert row["facts"]["began with"] == "nothing"
    assert set(row["exact"]) == {"frontal", "45° yaw", "as they come", "two lines"}
    assert row["milliseconds"] > 0
    assert ablation.main([*options, "--rows", ""]) == 0  # nothing is trained again
    assert (tmp_path / "ablation.md").read_text(encoding="utf-8").count("\n| ") == 2
    torch.set_num_threads(threads)


def test_a_row_that_there_is_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ablation.main(["--out", str(tmp_path), "--rows", "no-wheels"])
    assert "no-wheels" in capsys.readouterr().err
