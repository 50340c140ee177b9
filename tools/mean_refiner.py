"""Averages the weights of refiners along one training: python tools/mean_refiner.py a.pt b.pt mean.pt.

Weights along one run often do better together than the last of them: P. Izmailov et al., "Averaging Weights
Leads to Wider Optima and Better Generalization", UAI 2018.
"""

import argparse
from pathlib import Path

import torch

from kplate.training.refiner import load_state


def main() -> None:
    """Write a checkpoint that `kplate export refiner` takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    states = [load_state(path) for path in options.checkpoints]
    mean = dict(states[-1]["average"])
    for name, value in mean.items():
        if value.is_floating_point():
            mean[name] = torch.stack([state["average"][name] for state in states]).mean(0)
    torch.save(states[-1] | {"average": mean}, options.out)


if __name__ == "__main__":
    main()
