from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from kplate.nets.lprnet import STEPS, LprNetConfig  # noqa: E402
from kplate.nets.lprnet_published import FIRST, SIZE, STRIDE, LprNetPublished, published_config  # noqa: E402
from kplate.nets.readers import DEFAULT, PUBLISHED, READERS, build_reader, default_config  # noqa: E402


@pytest.fixture(scope="module")
def network() -> LprNetPublished:
    torch.manual_seed(1)
    return LprNetPublished().eval()


def test_a_picture_of_94_by_24_becomes_18_steps(network: LprNetPublished) -> None:
    with torch.inference_mode():
        output = network(torch.rand(3, 3, 24, 94))
    assert output.logits.shape == (3, 18, 81)
    assert output.corners.shape == (3, 8)
    assert output.kind.numel() == output.attention.numel() == 0


def test_it_has_the_published_size(network: LprNetPublished) -> None:
    assert SIZE == (94, 24)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert 0.4e6 < parameters < 0.7e6  # the paper: 0.48 million with fewer symbols


def test_sizes_that_were_not_published_are_refused() -> None:
    with pytest.raises(ValueError, match="94x24"):
        LprNetPublished(replace(published_config(), input_size=(128, 32)))
    assert LprNetPublished(published_config(36)).head.out_channels == 37


def test_each_step_looks_at_its_columns(network: LprNetPublished) -> None:
    class Backbone(LprNetPublished):
        def forward(self, image: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            x = torch.nn.functional.max_pool2d(self.first(image), 3, 1)
            x = torch.nn.functional.max_pool2d(self.second(x)[:, ::2], 3, (1, 2))
            x = torch.nn.functional.max_pool2d(self.third(x)[:, ::4], 3, (1, 2))
            rows: torch.Tensor = self.rows(self.columns(x))
            return rows

    backbone = Backbone().eval()
    backbone.load_state_dict(network.state_dict())
    places = []
    for step in range(STEPS):
        image = torch.rand(1, 3, 24, 94, generator=torch.Generator().manual_seed(step), requires_grad=True)
        backbone(image)[..., step].sum().backward()
        assert image.grad is not None
        seen = image.grad.abs().sum((0, 1, 2)).numpy()
        places.append(float((seen * (np.arange(94) + 0.5)).sum() / seen.sum()) / 94)
    expected = FIRST + STRIDE * np.arange(STEPS)
    assert np.abs(np.array(places) - expected).max() < 0.04


def test_corners_are_a_parallelogram_and_learn_from_corners_alone(network: LprNetPublished) -> None:
    network = LprNetPublished()
    output = network(torch.rand(4, 3, 24, 94))
    first, second, third, fourth = output.corners.reshape(-1, 4, 2).unbind(1)
    assert torch.allclose(second - first, third - fourth, atol=1e-6)
    output.logits.square().sum().backward(retain_graph=True)
    assert network.localisation.affine.bias.grad is None
    output.corners.square().sum().backward()
    assert network.localisation.affine.bias.grad is not None


def test_the_whole_crop_can_be_taken_for_the_plate() -> None:
    for name in READERS:
        network = build_reader(name, default_config(name, 23)).eval()
        network.localisation.keep_whole_crop()
        width, height = network.config.input_size
        with torch.inference_mode():
            corners = network(torch.rand(1, 3, height, width)).corners[0].tolist()
        assert corners == pytest.approx([0, 0, 1, 0, 1, 1, 0, 1], abs=1e-5)


def test_networks_have_names() -> None:
    assert default_config(DEFAULT, 23).kinds == 23
    assert default_config(PUBLISHED, 23).kinds == 0
    with pytest.raises(ValueError, match="kplate-lprnet, lprnet"):
        build_reader("lprnet2", LprNetConfig())


def test_a_run_of_it_is_exported_and_read_with(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the export extra")
    from kplate.export.reader import main as export
    from kplate.reader import Reader
    from kplate.training.reader import main as train

    options = ["--steps", "2", "--batch", "8", "--workers", "0", "--out", str(tmp_path / "run")]
    assert train(["--network", "lprnet", *options]) == 0
    assert export([str(tmp_path / "run" / "checkpoint.pt"), "--out", str(tmp_path / "weights")]) == 0
    reader = Reader(tmp_path / "weights", threads=1)
    assert reader.manifest.name == "lprnet"
    assert reader.manifest.input == (94, 24)
    assert reader.manifest.kinds == ()
    reading = reader(np.full((60, 200, 3), 120, np.uint8))
    assert reading.corners[1][0] > reading.corners[0][0] + 100
