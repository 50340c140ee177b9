"""Averages what a detector's training began with and what it ended with.

    python tools/mean_detector.py net.cfg start.weights runs/detector/last.pt mean.pt

Weights along one training often do better together than the last of them: P. Izmailov et al., "Averaging
Weights Leads to Wider Optima and Better Generalization", UAI 2018. Residual blocks that `deepen_detector.py`
added hold nothing at the start, and stay as they ended.
"""

import argparse
from pathlib import Path

import torch
from deepen_detector import blocks

from kplate.nets.darknet import Darknet
from kplate.training.detector_start import load_state


def main() -> None:
    """Write a checkpoint that `kplate export detector` takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("cfg", "start", "end", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the end (default 0.5)")
    args = parser.parse_args()
    network = Darknet(args.cfg)
    network.load_weights(args.start)
    start = network.state_dict()
    state = load_state(args.end, frozenset({"average"}), "a detector")
    added = {str(layer) for block in blocks(network) for layer in block}
    mean = dict(state["average"])
    for name, value in mean.items():
        if value.is_floating_point() and name.split(".")[1] not in added:
            mean[name] = start[name].lerp(value, args.share)
    torch.save(state | {"average": mean}, args.out)


if __name__ == "__main__":
    main()
