"""Gives a deeper network the weights of a shallower one, so that it computes the same before training.

    python tools/deepen_detector.py old.cfg old.weights new.cfg new.weights

The new `.cfg` has the old one's layers, and between them residual blocks of two convolutions and a shortcut.
The last scale of a block begins as zero, so that the block adds nothing at first, and grows in training.
(P. Goyal et al., "Accurate, Large Minibatch SGD", 2017, begin residual blocks so.)
"""

from widen_detector import run

from kplate.darknet.network import Shortcut
from kplate.nets.darknet import Darknet


def blocks(network: Darknet) -> tuple[tuple[int, int, int], ...]:
    """The layers of each residual block: two convolutions and a shortcut."""
    steps = enumerate(network.description.steps)
    return tuple((i - 2, i - 1, i) for i, step in steps if isinstance(step.layer, Shortcut))


def deepen(old: Darknet, new: Darknet) -> None:
    """Set the weights of the new network."""
    added = {layer for block in blocks(new) for layer in block}
    kept = [i for i in range(len(new.description.steps)) if i not in added]
    if len(kept) != len(old.description.steps):
        raise SystemExit("without its blocks, the new network has other layers than the old one")
    state = new.state_dict()
    for name, values in old.state_dict().items():
        first, layer, *rest = name.split(".")
        state[".".join((first, str(kept[int(layer)]), *rest))].copy_(values)
    for _, last, _ in blocks(new):
        state[f"layers.{last}.1.weight"].zero_()
    new.load_state_dict(state)


if __name__ == "__main__":
    run(deepen, __doc__)
