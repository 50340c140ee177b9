"""The reader's form for TFLite computes what the reader does."""

import pytest

torch = pytest.importorskip("torch", reason="exporting needs the export extra")

from kplate.export.reader_lite import ReaderForLite  # noqa: E402
from kplate.nets.lprnet import LprNet, LprNetConfig  # noqa: E402


@pytest.mark.parametrize("kinds", [23, 0])
def test_it_reads_what_the_reader_reads(kinds: int) -> None:
    torch.manual_seed(3)
    network = LprNet(LprNetConfig(kinds=kinds, width=32)).eval()
    with torch.no_grad():
        network.position.normal_()
        network.step.normal_()
    plate = torch.randn((1, 3, 64, 192))
    with torch.inference_mode():
        wanted, found = network.read(plate), ReaderForLite(network)(plate.permute(0, 2, 3, 1))
    assert len(found) == (2 if kinds else 1)
    for value, other in zip(wanted, found, strict=False):
        assert torch.allclose(value, other, atol=1e-4)
