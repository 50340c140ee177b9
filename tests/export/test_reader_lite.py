"""The reader's form for TFLite computes what the reader does."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exporting needs the export extra")

from kplate.export.reader_lite import LookUpSampler, ReaderForLite  # noqa: E402
from kplate.nets.lprnet import LprNet, LprNetConfig, straighten  # noqa: E402


@pytest.mark.parametrize(
    "corners",
    [
        (0.1, 0.2, 0.9, 0.15, 0.95, 0.8, 0.05, 0.9),
        (0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0),  # the crop as it is
        (-0.4, -0.3, 1.3, -0.2, 1.4, 1.5, -0.3, 1.2),  # beyond the crop on every side
        (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),  # no plate at all
    ],
)
def test_sampling_by_look_up_is_sampling(corners: tuple[float, ...]) -> None:
    crop, plate = (40, 24), (32, 16)
    image = torch.rand((1, 24, 40, 3), generator=torch.Generator().manual_seed(1))
    quad = torch.tensor([corners])
    wanted = straighten(image.permute(0, 3, 1, 2), quad, plate).permute(0, 2, 3, 1)
    found = LookUpSampler(crop, plate)(image, quad)
    assert found.shape == (1, 16, 32, 3)
    assert torch.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("kinds", [23, 0])
@pytest.mark.parametrize("crop", [(192, 96), (192, 64)])
def test_it_reads_what_the_reader_reads(crop: tuple[int, int], kinds: int) -> None:
    torch.manual_seed(3)
    network = LprNet(LprNetConfig(input_size=crop, kinds=kinds, width=32)).eval()
    for module in network.modules():  # statistics as after a training, so that folding them shows
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    with torch.no_grad():
        network.localisation.corners.weight.normal_(0, 0.01)
    form = ReaderForLite(network)
    image = torch.from_numpy(np.random.default_rng(2).random((1, crop[1], crop[0], 3), np.float32))
    with torch.inference_mode():
        wanted, found = network(image.permute(0, 3, 1, 2)), form(image)
    assert form.names == (("logits", "kind", "corners") if kinds else ("logits", "corners"))
    for name, value in zip(form.names, found, strict=True):
        assert torch.allclose(value, getattr(wanted, name), atol=1e-3), name
