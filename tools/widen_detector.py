"""Gives a wider network the weights of a narrower one, so that it computes the same before it is trained on.

    python tools/widen_detector.py old.cfg old.weights new.cfg new.weights

The new `.cfg` has the old one's layers with more filters in some of them, and may go on with further layers
and heads, which begin at random. A layer's new filters begin at random, too, but nothing reads them yet: the
weights that would are zero, and grow in training. (Net2Net, T. Chen et al., ICLR 2016, does it by copies.)
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from kplate.darknet.network import Convolution, Head, Route, Step
from kplate.nets.darknet import Darknet
from kplate.training.detector_start import new_network

Places = list[int]
"""Where the channels of an old layer are in the new one."""


def run(change: Callable[[Darknet, Darknet], None], about: str | None) -> None:
    """Give a new network an old one's weights and tell how much its outputs changed.

    Args:
        change: Sets the new network's weights from the old one's.
        about: What the command says of itself.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("old_cfg", "old_weights", "new_cfg", "new_weights"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    old, new = Darknet(args.old_cfg), new_network(args.new_cfg)
    old.load_weights(args.old_weights)
    change(old, new)
    new.save_weights(args.new_weights)
    width, height = old.size
    picture = torch.rand(1, old.channels, height, width)
    with torch.inference_mode():
        pairs = zip(old.eval()(picture), new.eval()(picture), strict=False)
        print(f"the outputs differ by {max(float((a - b).abs().max()) for a, b in pairs):.2g} at most")


def widen(old: Darknet, new: Darknet) -> None:
    """Set the weights of the new network's first layers."""
    values, state = old.state_dict(), new.state_dict()
    steps, wider = old.description.steps, new.description.steps
    routes = [step for step in steps if isinstance(step.layer, Route) and step.layer.groups > 1]
    halved = {source for step in routes for source in step.inputs}
    places: list[Places] = []
    for number, (step, twin) in enumerate(zip(steps, wider, strict=False)):
        read = _read(step, places, wider, new.channels)
        if isinstance(step.layer, Convolution) and isinstance(twin.layer, Convolution):
            own = _own(step.layer.filters, twin.layer.filters, number in halved)
            for key in [key for key in values if key.split(".")[1] == str(number)]:
                _copy(state[key], values[key], own, read)
            places.append(own)
        else:
            places.append(read)
    new.load_state_dict(state)


def _own(filters: int, wider: int, halved: bool) -> Places:
    """Channels stay in front; where a later layer reads one half of them, in front of each half."""
    if not halved:
        return list(range(filters))
    half = filters // 2
    return [*range(half), *(wider // 2 + i for i in range(half))]


def _read(step: Step, places: Sequence[Places], wider: Sequence[Step], channels: int) -> Places:
    """Where what a layer reads is in the new network."""
    if isinstance(step.layer, Head):
        return []
    joined: Places = []
    offset = 0
    for source in step.inputs:
        own = places[source] if source >= 0 else list(range(channels))
        count = wider[source].channels if source >= 0 else channels
        if isinstance(step.layer, Route) and step.layer.groups > 1:
            part, size = len(own) // step.layer.groups, count // step.layer.groups
            own = [place - step.layer.group * size for place in own[step.layer.group * part :][:part]]
            count = size
        joined += [offset + place for place in own]
        if not isinstance(step.layer, Route):
            break
        offset += count
    return joined


def _copy(target: Tensor, source: Tensor, own: Places, read: Places) -> None:
    if source.dim() == 4:
        target[own] = 0
        target[torch.tensor(own)[:, None], torch.tensor(read)[None]] = source
    elif source.dim() == 1:
        target[own] = source
    else:  # how many batches a normalisation has seen
        target.copy_(source)


if __name__ == "__main__":
    run(widen, __doc__)
