"""``kplate demo``: a rendered car park, read."""

import argparse
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.table import Table
from rich.text import Text

from kplate.cli.common import Screen, add_run_arguments, positive, prepare_folder, seed
from kplate.cli.networks import open_recognizer
from kplate.cli.tables import ResultTable
from kplate.images import write_image
from kplate.plates.grammar import display
from kplate.results import Recognition

if TYPE_CHECKING:
    from kplate.synth.scenes import Scene

#: Least and most pixels of the scene's sides.
_SIDES: Final = (200, 4000)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--out", default=".", metavar="DIR", help="folder for the two pictures (default: this one)"
    )
    parser.add_argument(
        "--size", type=_size, default=(1280, 720), metavar="WxH", help="of the picture (default: 1280x720)"
    )
    parser.add_argument(
        "--repeat",
        type=positive,
        default=1,
        metavar="N",
        help="read the picture N times and give the median time, to measure the speed",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="S", help="another seed, another scene")
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Render, read, show, and write ``demo.png`` and ``demo_annotated.png``."""
    # Only this command of those that read needs the renderer.
    from kplate.synth.scenes import demo_scene

    screen = Screen()
    out = prepare_folder(args.out)
    recognizer = open_recognizer(args)
    scene = demo_scene(np.random.default_rng(args.seed), args.size)
    recognizer(scene.image)  # the first call of a network is slower and says nothing about its speed
    results = [recognizer(scene.image) for _ in range(args.repeat)]
    result = sorted(results, key=lambda result: result.elapsed_ms)[args.repeat // 2]
    picture, annotated = out / "demo.png", out / "demo_annotated.png"
    write_image(picture, scene.image)
    write_image(annotated, result.draw(scene.image))
    screen.out.print(Text("What kplate found in a scene that it has just drawn:"))
    ResultTable(screen.out).show(result, str(picture))
    screen.out.print(Text("\nWhat is truly in it:"))
    screen.out.print(_truth(scene, result))
    screen.out.print(Text(f"\nwrote {picture} and {annotated}"), soft_wrap=True)
    return 0


def _size(text: str) -> tuple[int, int]:
    """Read an argument such as 1920x1080."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or not all(
        _SIDES[0] <= int(side) <= _SIDES[1] for side in (width, height)
    ):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size such as 1920x1080, of {_SIDES[0]} to {_SIDES[1]} pixels a side"
        )
    return int(width), int(height)


def _truth(scene: "Scene", result: Recognition) -> Table:
    """The plates of the scene, and whether each was read."""
    trusted = {plate.text for plate in result.plates if plate.text}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for plate in scene.plates:
        table.add_row(
            "  plate", display(plate.text), plate.kind, "read" if plate.text in trusted else "not read"
        )
    for name, there, found in (
        ("vehicles", len(scene.vehicles), len(result.vehicles)),
        ("permits", len(scene.permits), len(result.permits)),
    ):
        table.add_row(f"  {name}", str(there), "", f"{found} found")
    return table
