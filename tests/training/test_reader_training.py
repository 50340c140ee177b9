from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from kplate.plates.alphabet import BLANK  # noqa: E402
from kplate.plates.kinds import Kind  # noqa: E402
from kplate.synth.crops import sample_crop  # noqa: E402
from kplate.training.reader_data import RenderedPlates, encode_crop, slots_of  # noqa: E402
from kplate.training.reader_loss import LossWeights, reader_loss  # noqa: E402
from kplate.training.reader_settings import ReaderTraining  # noqa: E402
from kplate.training.reader_trainer import ReaderTrainer, rate_at  # noqa: E402


@pytest.mark.parametrize("text", ["12가3456", "서울11바1111", "영경기14노8695", "영경기11노1111"])
def test_equal_neighbours_keep_a_blank_between_them(text: str) -> None:
    slots = slots_of(text)
    assert len(slots) == len(text)
    assert slots[-1] < 18
    for (first, here), (second, there) in zip(
        zip(text, slots, strict=True), list(zip(text, slots, strict=True))[1:], strict=False
    ):
        assert there - here >= (2 if first == second else 1)


def test_a_crop_becomes_one_row() -> None:
    crop = sample_crop(np.random.default_rng(3), kind=Kind.WHITE_LONG, text="12가1123")
    row = encode_crop(crop, (192, 64))
    assert row["image"].shape == (3, 64, 192)
    assert (row["steps"] != BLANK).sum() == 7 == row["length"]
    assert np.allclose(
        row["corners"].reshape(4, 2) * (crop.image.shape[1], crop.image.shape[0]), crop.corners
    )


def test_a_run_learns_saves_and_resumes(tmp_path: Path) -> None:
    settings = ReaderTraining(out=tmp_path, steps=3, batch=8, workers=0, width=32)
    ReaderTrainer(settings).run()
    resumed = ReaderTrainer(replace(settings, steps=5))
    assert resumed.step == 3
    assert resumed.seconds > 0
    resumed.run()
    assert resumed.step == 5
    assert not list(tmp_path.glob("*.part"))


def test_the_loss_falls_on_a_batch_that_is_seen_again() -> None:
    torch.manual_seed(0)
    from kplate.nets.lprnet import LprNet, LprNetConfig

    batch = next(iter(RenderedPlates(12, (192, 64), 1, [])))
    network = LprNet(LprNetConfig(width=32))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss, parts = reader_loss(network(batch.image.float() / 255), batch, LossWeights())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert set(parts) == {"steps", "ctc", "attention", "corners", "kind"}
    assert losses[-1] < 0.75 * losses[0]


def test_the_rate_warms_up_and_ends_near_nothing() -> None:
    assert rate_at(0, 1) < 0.1 < rate_at(0.02, 1) == 1
    assert rate_at(1, 1) < 0.01
