"""What a `.cfg` says, and what is said of one that cannot be built."""

import os
from pathlib import Path

import pytest

from kplate.darknet.cfg import CfgError, parse_cfg
from kplate.darknet.names import read_names
from kplate.darknet.network import Convolution, read_network
from kplate.darknet.weights import load_weights
from kplate.errors import WeightsError

from .networks import (
    MIXED,
    NEW_COORDS,
    PARTIAL,
    POOLED,
    REFERENCE,
    RESIDUAL,
    conv,
    net,
    section,
    write_cfg,
    yolo,
)


def test_what_a_network_is(tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, PARTIAL))
    assert (network.name, network.size, network.channels, network.multiple) == ("my", (96, 64), 3, 4)
    assert [step.channels for step in network.steps] == [16, 8, 8, 8, 16, 16, 16, 16, 48, 16, 14, 14]
    (head,) = network.heads
    assert head.anchors == ((12, 9), (60, 80))
    assert (head.stride, head.classes, head.scale_x_y, head.new_coords) == (4, 2, 1.2, False)


def test_the_coarsest_layer_says_what_sizes_fit(tmp_path: Path) -> None:
    text = net() + conv(8, stride=2) + conv(8, stride=2) + section("upsample", stride=2)
    network = read_network(write_cfg(tmp_path, text + conv(14, 1, plain=True) + yolo()))
    assert (network.heads[0].stride, network.multiple) == (2, 4)


def test_several_shortcuts(tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, MIXED))
    assert network.steps[5].inputs == (4, 1, 0)


def test_options_that_change_nothing_are_passed_over(tmp_path: Path) -> None:
    text = RESIDUAL.replace("[upsample]", "[upsample]\nscale=1.0").replace(
        "pad=1", "pad=1\ndilation=1\nclip=1"
    )
    text = text.replace("from=-3", "from=-3\nweights_type=none").replace("[yolo]", "[yolo]\niou_loss=ciou")
    plain = read_network(write_cfg(tmp_path, RESIDUAL))
    assert [step.layer for step in read_network(write_cfg(tmp_path, text)).steps] == [
        step.layer for step in plain.steps
    ]


def test_the_sigmoid_before_new_coordinates_is_left_to_the_decoder(tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, NEW_COORDS))
    layer = network.steps[2].layer
    assert isinstance(layer, Convolution)
    assert layer.activation == "linear"


def test_darknets_other_spellings(tmp_path: Path) -> None:
    text = "\ufeff[network]\r\nchannels = 3 ; colours\n[conv]\nfilters = 14#\nfilters=3\nactivation=linear\n"
    network = read_network(write_cfg(tmp_path, text + yolo(jitter=0.3)))
    assert network.steps[0].channels == 14  # of an option given twice the first counts
    assert network.size == (416, 416)


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (POOLED, "[maxpool]", "[local]", r"my.cfg, line 14: \[local\] is not a kind of layer kplate knows"),
        (POOLED, "activation=leaky", "activation=gelu", "line 12: .*activation=gelu.*known: linear"),
        (POOLED, "pad=1", "pda=1", r"line 11: \[convolutional\] does not know `pda=1`"),
        (POOLED, "pad=1", "dilation=2", "line 11: .*does not know `dilation=2`"),
        (POOLED, "pad=1", "pad=0", "line 11: .*cells do not line up"),
        (POOLED, "filters=7", "filters=8", "1 anchors and 2 classes need filters=7 in the layer above, n"),
        (POOLED, "classes=2", "classes=0", "1 anchors and 0 classes need"),
        (POOLED, "size=2", "size=1", "line 15: .*cannot pool 1 cells every 2"),
        (POOLED, "width=96", "width=98", "line 2: .*`width=98` must be a multiple of 4"),
        (POOLED, "channels=3", "channels=0", "line 4: .*at least one channel"),
        (POOLED, "mask=2", "mask=3", "`mask=` must point into 3 anchors"),
        (POOLED, "num=3", "num=4", "`anchors=` holds 6 numbers, `num=4`"),
        (POOLED, "anchors=12,9", "anchors=12,-9", "`anchors=` must be above 0"),
        (POOLED, "scale_x_y=1.05", "scale_x_y=one", "`scale_x_y=one` is not a number"),
        (PARTIAL, "group_id=1", "group_id=2", "line 16: .*cannot take slice 2 of 2"),
        (PARTIAL, "groups=4", "groups=3", "cannot make 8 filters in 3 groups from 8 channels"),
        (RESIDUAL, "from=-3", "from=-4", "layer 0 has another shape than the layer above"),
        (RESIDUAL, "from=-3", "weights_type=per_feature\nfrom=-3", "does not know `weights_type=per"),
        (RESIDUAL, "layers=-1, 4", "layers=-1, 5", "joins layers of strides"),
        (RESIDUAL, "layers=-3", "layers=8", "boxes are no layer's input"),
        (RESIDUAL, "layers=-3", "layers=99", "`layers=99` points at layer 99; there are 9 above"),
        (NEW_COORDS, "activation=logistic", "activation=linear", "with `activation=logistic` above"),
        (MIXED, "layers=-2", "layers=-1", "layer 1 has another shape"),
        (MIXED, "[route]\nlayers=-2", "[yolo]\nanchors=1,1\nclasses=3", "there are no cells"),
        (MIXED, "[route]\nlayers=-2", "[upsample]\nstride=2", "cannot enlarge"),
        (POOLED, "stride=1", "stride=0", "line 10: .*`stride=0` must be at least 1"),
        (POOLED, "size=3", "size=-3", "line 9: .*`size=-3` must be at least 1"),
        (POOLED, "stride=2", "stride=-2", "line 16: .*maxpool. `stride=-2` must be at least 1"),
        (POOLED, "pad=1", "padding=-1", "line 11: .*-1 cells of padding"),
        (POOLED, "width=96", "width=16384", "line 2: .*`width=16384` is more than the 8192 px"),
        (POOLED, "width=96", "width=4294967296", "line 2: .*`width=4294967296` is out of range"),
        (POOLED, "scale_x_y=1.05", "scale_x_y=inf", "`scale_x_y=inf` is out of range"),
        (POOLED, "scale_x_y=1.05", "scale_x_y=nan", "`scale_x_y=nan` is out of range"),
        (POOLED, "anchors=12,9", "anchors=1e400,9", "`anchors=1e400,9.* is out of range"),
        (RESIDUAL, "probability=0.5", "probability=7", r"dropout\] `probability=7` must be from 0 to 1"),
        (RESIDUAL, "probability=0.5", "probability=nan", "`probability=nan` is out of range"),
        (POOLED, "activation=leaky", "activation=\x1b[31mred", r"`activation=.x1b.31mred`; known"),
        (POOLED, "activation=leaky", f"activation={'q' * 5000}", "`activation=qqq.{,80}`; known"),
        (POOLED, "filters=8", f"filters={'9' * 5000}", "`filters=999.{,80}` is not a list"),
        (POOLED, "filters=8", f"filters=8\n{'q' * 5000}=1", "line 9: .*does not know `qqq.{,80}`$"),
        (POOLED, "[maxpool]", f"[{'q' * 5000}]", "line 14: .{,100} is not a kind of layer"),
    ],
)  # fmt: skip
def test_mistakes_name_the_line(text: str, old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in text
    with pytest.raises(CfgError, match=message) as caught:
        read_network(write_cfg(tmp_path, text.replace(old, new, 1)))
    assert "\n" not in str(caught.value)


def test_comments_of_other_encodings_stay_out_of_the_way(tmp_path: Path) -> None:
    text = POOLED.replace("[net]", "# 번호판\n[net] ; 망\npolicy=한글")
    (tmp_path / "my.cfg").write_bytes(text.encode("cp949"))
    assert read_network(tmp_path / "my.cfg").size == (96, 64)
    (tmp_path / "my.cfg").write_bytes(POOLED.replace("=leaky", "=번호").encode("cp949"))
    with pytest.raises(CfgError, match=r"line 12: .*`activation=.udcb9"):
        read_network(tmp_path / "my.cfg")


@pytest.mark.parametrize("path", ["q" * 5000, "a\0b"])
def test_paths_that_cannot_be(path: str, tmp_path: Path) -> None:
    with pytest.raises(CfgError, match=r"cannot be read as a \.cfg file") as caught:
        read_network(path)
    assert len(str(caught.value)) < 1000
    with pytest.raises(WeightsError, match="cannot load"):
        load_weights(path, read_network(write_cfg(tmp_path, POOLED)))


def test_a_network_without_heads(tmp_path: Path) -> None:
    with pytest.raises(CfgError, match=r"my.cfg: has no \[yolo\] section"):
        read_network(write_cfg(tmp_path, net() + conv(8)))


def test_files_that_are_no_cfg(tmp_path: Path) -> None:
    with pytest.raises(CfgError, match=r"missing.cfg: cannot be read as a .cfg file \(no such file"):
        parse_cfg(tmp_path / "missing.cfg")
    with pytest.raises(CfgError, match=r"cannot be read as a .cfg file \(it is not an ordinary file"):
        parse_cfg(tmp_path)
    with pytest.raises(CfgError, match="not an ordinary file"):
        parse_cfg(os.devnull)
    (tmp_path / "odd.cfg").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CfgError, match="not UTF-8"):
        parse_cfg(tmp_path / "odd.cfg")
    with pytest.raises(CfgError, match=r"line 2: expected `\[section\]` or `key=value`, found `nonsense`"):
        parse_cfg(write_cfg(tmp_path, "[net]\nnonsense\n"))


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference .cfg files are not here")
def test_every_file_of_darknets_can_be_read() -> None:
    files = sorted(REFERENCE.glob("*.cfg"))
    assert len(files) >= 9
    for file in files:
        network = read_network(file)
        assert {head.classes for head in network.heads} == {80}
        assert network.multiple == 32


def test_names_become_kplates_own_classes(tmp_path: Path) -> None:
    network = read_network(
        write_cfg(tmp_path, POOLED.replace("filters=7", "filters=14").replace("classes=2", "classes=9"))
    )
    (tmp_path / "my.names").write_text(
        "Car\nlicense-plate\n plate \nlicense_plate\ndisabled_sticker\r\nbus\nTruck\nMotorbike\n사람\n\n",
        encoding="utf-8",
    )
    assert read_names(tmp_path / "my.names", network) == (
        "car", "license_plate", "license_plate", "license_plate", "disabled_sticker", "bus", "truck",
        "motorbike", "사람",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            "car\n",
            "my.names has 1 name, but my.cfg, line 56 says `classes=2`: there must be one name for each",
        ),
        ("", "my.names has 0 names"),
        ("car\n\nplate\n", "my.names, line 2: is empty where the name of a class should stand"),
    ],
)
def test_names_that_do_not_fit(names: str, message: str, tmp_path: Path) -> None:
    network = read_network(write_cfg(tmp_path, POOLED))
    (tmp_path / "my.names").write_text(names, encoding="utf-8")
    with pytest.raises(CfgError, match=message):
        read_names(tmp_path / "my.names", network)
    with pytest.raises(CfgError, match=r"missing.names: cannot be read as a .names file \(no such file"):
        read_names(tmp_path / "missing.names", network)
    assert read_names(["car", "bus"], network) == ("car", "bus")
    with pytest.raises(CfgError, match="the list of names, line 2: 2 is no text"):
        read_names(["car", 2], network)  # type: ignore[list-item]
