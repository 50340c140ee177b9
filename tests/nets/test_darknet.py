from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="networks need the train extra")

from kplate.nets.darknet import NANO_CFG, CfgError, Darknet, parse_cfg  # noqa: E402

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "darknet_cfg"
SMALL = """[net]
width=64
height=64
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[convolutional]
filters=16
size=1
activation=linear

[yolo]
mask=0,1
anchors=10,14, 23,27
classes=3
"""


def cfg(tmp_path, text):
    path = tmp_path / "small.cfg"
    path.write_text(text)
    return path


def test_the_default_network():
    network = Darknet(NANO_CFG).eval()
    assert [head.stride for head in network.heads] == [32, 16, 8, 4]
    assert {head.classes for head in network.heads} == {3}
    with torch.inference_mode():
        outputs = network(torch.zeros(2, 3, 96, 160))
    shapes = [(2, 24, 3, 5), (2, 24, 6, 10), (2, 24, 12, 20), (2, 24, 24, 40)]
    assert [tuple(output.shape) for output in outputs] == shapes


def test_the_default_network_has_the_operations_that_its_cfg_names():
    network, operations = Darknet(NANO_CFG).eval(), 0

    def count(module, _, output):
        nonlocal operations
        operations += 2 * module.weight.numel() * output.shape[2] * output.shape[3]

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.zeros(1, 3, 416, 416))
    assert f"About {operations / 1e9:.1f} GFLOP at 416 x 416" in NANO_CFG.read_text(encoding="utf-8")


def test_a_small_network(tmp_path):
    network = Darknet(cfg(tmp_path, SMALL)).eval()
    assert network.heads[0].anchors == ((10, 14), (23, 27))
    assert network(torch.zeros(1, 3, 64, 32))[0].shape == (1, 16, 32, 16)


def test_layers_do_what_darknet_does(tmp_path):
    text = """[net]
channels=4
[convolutional]
filters=4
size=2
stride=2
activation=linear
[route]
layers=-1
groups=2
group_id=1
[shortcut]
from=-1
[upsample]
stride=2
[maxpool]
size=2
stride=2
[maxpool]
size=3
stride=1
[route]
layers=-1, 0
[convolutional]
filters=6
size=1
activation=linear
[yolo]
anchors=1,1
classes=1
"""
    network = Darknet(cfg(tmp_path, text)).eval()
    seen = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    image = torch.randn(1, 4, 12, 12)
    network(image)
    assert torch.equal(seen[1], seen[0][:, 2:])
    assert torch.equal(seen[2], seen[1] * 2)
    assert torch.equal(seen[4], seen[2])  # enlarged and reduced again
    assert torch.equal(seen[5], torch.nn.functional.max_pool2d(seen[4], 3, 1, 1))
    assert torch.equal(seen[6], torch.cat((seen[5], seen[0]), 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("activation=leaky", "activation=gelu", "line 12: .*activation=gelu.*known: linear"),
        ("[yolo]", "[region]", r"line 19: \[region\] is not a kind of layer"),
        (
            "filters=16",
            "filters=18",
            "line 22: .*2 anchors and 3 classes need filters=16 in the layer above, not 18",
        ),
        ("filters=8", "filters=eight", "line 8: .*filters=eight` is not a list of whole numbers"),
        ("filters=8\n", "", r"line 6: \[convolutional\] needs `filters=`"),
        ("mask=0,1", "mask=0,5", "line 20: .*mask=` must point into 2 anchors"),
        ("anchors=10,14, 23,27", "anchors=10,14, 23", "line 21: .*holds 3 numbers"),
        ("stride=2", "stride=2 2", "line 10: "),
        ("size=1", "size 1", "line 16: expected"),
        ("[net]", "[route]\nlayers=-1", r"line 1: a .cfg starts with \[net\]"),
        ("[yolo]\nmask=0,1\nanchors=10,14, 23,27\nclasses=3\n", "", "has no .yolo. section"),
        ("[yolo]", "[route]\nlayers=-9\n[yolo]", "line 20: .*layers=-9` points at layer -7"),
        ("[yolo]", "[shortcut]\nfrom=0\n[yolo]", "line 20: .*layer 0 has another shape"),
    ],
)
def test_mistakes_name_the_line(tmp_path, old, new, message):
    assert old in SMALL
    with pytest.raises(CfgError, match=message):
        Darknet(cfg(tmp_path, SMALL.replace(old, new, 1)))


def test_files_that_are_no_cfg(tmp_path):
    with pytest.raises(CfgError, match="cannot be read"):
        parse_cfg(tmp_path / "missing.cfg")
    (tmp_path / "binary.cfg").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(CfgError, match="cannot be read"):
        parse_cfg(tmp_path / "binary.cfg")
    with pytest.raises(CfgError, match="starts with"):
        parse_cfg(cfg(tmp_path, ""))


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference .cfg files are not here")
@pytest.mark.parametrize("name", ["yolov3-tiny", "yolov4-tiny", "yolov4-tiny-3l"])
def test_darknets_own_files(name):
    network = Darknet(REFERENCE / f"{name}.cfg").eval()
    with torch.inference_mode():
        outputs = network(torch.zeros(1, 3, 96, 64))
    for output, head in zip(outputs, network.heads, strict=True):
        assert output.shape[1:] == (
            len(head.anchors) * (5 + head.classes),
            96 // head.stride,
            64 // head.stride,
        )
