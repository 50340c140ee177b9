"""Gives a deeper network the weights of a shallower one, so that it computes the same before training.

    python tools/deepen_detector.py old.cfg old.weights new.cfg new.weights

The new `.cfg` has the old one's layers, and between them residual blocks of two convolutions and a shortcut.
The last scale of a block begins as zero, so that the block adds nothing at first, and grows in training.
(P. Goyal et al., "Accurate, Large Minibatch SGD", 2017, begin residual blocks so.)
"""

import argparse
from pathlib import Path

import torch

from kplate.darknet.network import Shortcut
from kplate.nets.darknet import Darknet
from kplate.training.detector_start import new_network


def main() -> None:
    """Deepen a network and tell how much its outputs changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("old_cfg", "old_weights", "new_cfg", "new_weights"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    old, new = Darknet(args.old_cfg), new_network(args.new_cfg)
    old.load_weights(args.old_weights)
    deepen(old, new)
    new.save_weights(args.new_weights)
    width, height = old.size
    picture = torch.rand(1, old.channels, height, width)
    with torch.inference_mode():
        pairs = zip(old.eval()(picture), new.eval()(picture), strict=True)
        print(f"the outputs differ by {max(float((a - b).abs().max()) for a, b in pairs):.2g} at most")


def deepen(old: Darknet, new: Darknet) -> None:
    """Set the weights of the new network."""
    ends = [i for i, step in enumerate(new.description.steps) if isinstance(step.layer, Shortcut)]
    added = {layer for end in ends for layer in (end - 2, end - 1, end)}
    kept = [i for i in range(len(new.description.steps)) if i not in added]
    if len(kept) != len(old.description.steps):
        raise SystemExit("without its blocks, the new network has other layers than the old one")
    state = new.state_dict()
    for name, values in old.state_dict().items():
        first, layer, *rest = name.split(".")
        state[".".join((first, str(kept[int(layer)]), *rest))].copy_(values)
    for end in ends:
        state[f"layers.{end - 1}.1.weight"].zero_()
    new.load_state_dict(state)


if __name__ == "__main__":
    main()
