"""``kplate doctor``: what is installed, whether it works, and what to do where it does not."""

import argparse
from typing import Final

from rich.text import Text

from kplate.cli.common import FAILED, Screen, write_json_line
from kplate.results import json_line

_STYLES: Final = {"good": "green", "note": "yellow", "fault": "bold red"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--weights", metavar="DIR", help="folder with the networks (default: the shipped ones)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON Lines: one object a finding")


def run(args: argparse.Namespace) -> int:
    """Examine; the status is 1 where there is a fault."""
    # It loads every library there is to look at.
    from kplate.doctor import examine

    screen = Screen(json=args.json)
    faults = 0
    for finding in examine(args.weights):
        faults += finding.state == "fault"
        if args.json:
            write_json_line(json_line(finding.to_dict()))
            continue
        line = Text(f"{finding.state:<6}", style=_STYLES[finding.state])
        line.append(f"{finding.what}: {finding.says}", style="default")
        screen.out.print(line, soft_wrap=True)
        if finding.advice:
            screen.out.print(Text(f"      -> {finding.advice}"), soft_wrap=True)
    if not args.json:
        screen.out.print(_summary(faults))
    return FAILED if faults else 0


def _summary(faults: int) -> Text:
    if not faults:
        return Text("no faults")
    return Text(f"{faults} fault{'s' if faults > 1 else ''}", style="bold red")
