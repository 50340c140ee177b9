"""Writes rivals with random values as TFLite files, float32 and int8, to be timed beside kplate's networks.

    python tools/random_tflite.py yolov4-tiny.cfg lprnet --out rivals
    kplate bench --also rivals/yolov4-tiny.int8.tflite,rivals/lprnet.int8.tflite

A ``.cfg`` of Darknet's, or ``lprnet``: LPRNet as published, without its spatial transformer. `kplate export`
refuses such files, and rightly: of random values nothing can be found again. Needs
``pip install 'kplate[export-tflite]'``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.bench.darknet import find_cfg
from kplate.export.tflite import convert, finish
from kplate.files import write_atomic
from kplate.nets import lprnet_published
from kplate.nets.darknet import Darknet


class Unstraightened(nn.Module):
    """LPRNet reading the crop as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = lprnet_published.LprNetPublished()

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Return the logits of N x 3 x 24 x 94 crops; the layers are those of ``LprNetPublished.forward``."""
        net = self.network
        x = F.max_pool2d(net.first(image * 2 - 1), 3, 1)
        x = F.max_pool2d(net.second(x)[:, ::2], 3, (1, 2))
        x = F.max_pool2d(net.third(x)[:, ::4], 3, (1, 2))
        x = net.rows(net.columns(x))
        # Written as a product: TFLite refuses the broadcast that the converter makes of an expansion.
        context = net.context(x.mean((2, 3)))[:, :, None, None] * torch.ones_like(x[:, :1])
        return (net.head(torch.cat((x, context), 1)).mean(2).transpose(1, 2),)


def build(name: str) -> tuple[str, nn.Module, tuple[int, int], list[str]]:
    """Return a rival's name, network, width and height of its input, and names of its outputs."""
    if name == "lprnet":
        return name, Unstraightened(), lprnet_published.SIZE, ["logits"]
    path = find_cfg(name)
    network = Darknet(path)
    return path.stem, network, network.size, [f"head{number}" for number in range(len(network.heads))]


def main() -> None:
    """Write both files of each rival."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", nargs="+", help="a .cfg, or the name of one that kplate brings, or lprnet")
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for rival in options.rivals:
        torch.manual_seed(0)
        name, network, size, outputs = build(rival)
        pictures = [np.random.default_rng(n).random((1, 3, size[1], size[0]), np.float32) for n in range(4)]
        content = convert(network.eval(), size)
        for precision in ("float32", "int8"):
            file = options.out / f"{name}.{precision}.tflite"
            write_atomic(file, finish(content, outputs, precision, pictures, "detector"))
            print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
