"""Takes channels out of some of a network's convolutions and lets the others tell what they told.

    python tools/slim_detector.py old.cfg old.weights PICTURES new.cfg new.weights 11=32 12=32

`11=32` leaves 32 channels to the layer 11 of the `.cfg` (counted from 0, `[net]` not counted). On the
pictures of a folder the channels are found that the others tell best, by least squares, weighted by how much
the layers behind listen to them; those layers' weights then read it from the others. No training is needed,
as long as few are taken. (After channel pruning with reconstruction: Y. He et al., ICCV 2017.)
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from kplate.darknet.network import Convolution, Route, Step
from kplate.images import read_image
from kplate.images.letterbox import letterbox
from kplate.nets.darknet import Darknet

_SAMPLES = 700  # places of a picture at which channels are compared
_PICTURES = 140


def main() -> None:
    """Slim a network and tell how well the rest tells what was taken out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("old_cfg", "old_weights", "pictures", "new_cfg", "new_weights"):
        parser.add_argument(name, type=Path)
    parser.add_argument("layers", nargs="+", metavar="LAYER=CHANNELS")
    args = parser.parse_args()
    counts = {int(layer): int(count) for layer, count in (item.split("=") for item in args.layers)}
    torch.manual_seed(0)
    network = Darknet(args.old_cfg)
    network.load_weights(args.old_weights)
    network.eval()
    paths = sorted(path for path in args.pictures.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    size = max(network.size)
    pictures = [torch.from_numpy(letterbox(read_image(path), size).batch) for path in paths[:_PICTURES]]
    kept = {layer: fold(network, layer, counts[layer], pictures) for layer in sorted(counts)}
    write(network, args.old_cfg, kept, args.new_cfg, args.new_weights)


def fold(network: Darknet, layer: int, count: int, pictures: Sequence[Tensor]) -> list[int]:
    """Let `count` channels of a layer tell the layers behind what all of them told; gives those channels."""
    outputs = observe(network, layer, pictures)
    mean, spread = outputs.mean(0), torch.cov(outputs.T) + 1e-6 * torch.eye(outputs.shape[1])
    readers = listeners(network.description.steps, layer)
    heard = torch.zeros(len(mean), dtype=torch.float64)
    for reader, first in readers:
        convolution, norm = parts(network, reader)
        scale = norm.weight.double() ** 2 / (norm.running_var.double() + norm.eps)  # type: ignore[union-attr]
        own = convolution.weight[:, first : first + len(mean)].double() ** 2
        heard += (own * scale[:, None, None, None]).sum((0, 2, 3)).detach()
    kept = list(range(len(mean)))
    while len(kept) > count:
        alone = 1 / torch.linalg.inv(spread[kept][:, kept]).diagonal()  # what the others do not tell
        kept.pop(int((heard[kept] * alone).argmin()))
    gone = [channel for channel in range(len(mean)) if channel not in kept]
    told = torch.linalg.solve(spread[kept][:, kept], spread[kept][:, gone]).T  # gone x kept
    rest = mean[gone] - told @ mean[kept]
    left = (spread[gone][:, gone] - told @ spread[kept][:, gone]).diagonal() / spread.diagonal()[gone]
    print(f"layer {layer}: {len(gone)} channels out; {1 - float(left.max()):.2f} or more of each is told")
    with torch.no_grad():
        for reader, first in readers:
            convolution, norm = parts(network, reader)
            weight = convolution.weight
            silent = weight[:, [first + channel for channel in gone]].double()
            weight[:, [first + channel for channel in kept]] += torch.einsum(
                "odhw,dk->okhw", silent, told
            ).float()
            assert norm.running_mean is not None
            norm.running_mean -= torch.einsum("odhw,d->o", silent, rest).float()
    return kept


def observe(network: Darknet, layer: int, pictures: Sequence[Tensor]) -> Tensor:
    """A layer's outputs at random places, float64 M x C."""
    found: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        flat = output.permute(0, 2, 3, 1).reshape(-1, output.shape[1])
        found.append(flat[torch.randperm(len(flat))[:_SAMPLES]].double())

    handle = network.layers[layer].register_forward_hook(keep)
    with torch.inference_mode():
        for picture in pictures:
            network(picture)
    handle.remove()
    return torch.cat(found)


def parts(network: Darknet, layer: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A layer's convolution and normalisation."""
    convolution, norm = list(network.layers[layer].children())[:2]
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise SystemExit(f"layer {layer} has no normalisation: what feeds it cannot be slimmed")
    return convolution, norm


def listeners(steps: Sequence[Step], layer: int) -> list[tuple[int, int]]:
    """The convolutions that read a layer, and the place of its first channel among their inputs."""
    found, todo = [], [(layer, 0)]
    while todo:
        source, first = todo.pop()
        for number, step in enumerate(steps):
            offset = 0
            for read in step.inputs:
                if read == source:
                    if isinstance(step.layer, Convolution):
                        found.append((number, offset + first))
                    elif isinstance(step.layer, Route) and step.layer.groups > 1:
                        raise SystemExit(f"layer {layer} is read in halves: it cannot be slimmed")
                    else:
                        todo.append((number, offset + first))
                offset += steps[read].channels if read >= 0 else 0
    return found


def write(
    network: Darknet, cfg: Path, kept: Mapping[int, list[int]], new_cfg: Path, new_weights: Path
) -> None:
    """Write the smaller network's two files."""
    lines = cfg.read_text(encoding="utf-8").split("\n")
    sections = [n for n, line in enumerate(lines) if line.startswith("[") and line.strip() != "[net]"]
    for layer, channels in kept.items():
        line = next(n for n in range(sections[layer], len(lines)) if lines[n].startswith("filters="))
        lines[line] = f"filters={len(channels)}"
    new_cfg.write_text("\n".join(lines), encoding="utf-8")
    steps = network.description.steps
    unread: dict[int, set[int]] = {}
    for layer, channels in kept.items():
        gone = set(range(steps[layer].channels)) - set(channels)
        for reader, first in listeners(steps, layer):
            unread.setdefault(reader, set()).update(first + channel for channel in gone)
    slim = Darknet(new_cfg)
    state = slim.state_dict()
    for key, value in network.state_dict().items():
        layer = int(key.split(".")[1])
        small = value
        if layer in kept and value.dim():
            small = small[kept[layer]]
        if value.dim() == 4:
            read = [n for n in range(value.shape[1]) if n not in unread.get(layer, ())]
            small = small[:, read]
        state[key].copy_(small)
    slim.load_state_dict(state)
    slim.save_weights(new_weights)


if __name__ == "__main__":
    main()
