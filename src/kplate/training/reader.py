"""Trains the reader, on rendered plates, on your own, or on both: checkpoints, resume, curves.

A run in the folder is continued: give the same command again. Your own plates are checked first; everything
wrong with them is listed with its file and line. `torchrun --nproc-per-node N -m kplate train reader ...`
trains on several GPUs.
"""

import argparse
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kplate.errors import DataError, KplateError
from kplate.plates.alphabet import ALPHABET
from kplate.plates.script import KOREA, KOREAN, NO_GRAMMAR, Script
from kplate.training.plates_data import LabelledPlate, listed, load_plates
from kplate.training.plates_data_crops import Crops, split
from kplate.training.reader_checkpoint import LATEST
from kplate.training.reader_init import load_weights
from kplate.training.reader_parallel import Ranks
from kplate.training.reader_settings import add_arguments, settings_of
from kplate.training.reader_trainer import OwnPlates, ReaderTrainer

#: Share of the plates that is set aside for validation.
_SET_ASIDE: Final = 0.1
#: 128 + SIGINT, as a shell reports programs that end by it.
_CANCELLED: Final = 130

__all__ = ["add_arguments", "main", "script_from", "train"]


def script_from(alphabet: str | None, no_grammar: bool) -> Script:
    """Return the script that a command line asks for.

    Args:
        alphabet: A file with the symbols, or the symbols themselves; white space between them is left out.
        no_grammar: Allow any text.

    Raises:
        KplateError: They are no alphabet, or the file cannot be read.
    """
    if alphabet is None:
        return Script(ALPHABET, NO_GRAMMAR if no_grammar else KOREA)
    text = alphabet
    if len(alphabet) < 256 and Path(alphabet).is_file():
        try:
            text = Path(alphabet).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise KplateError(f"cannot read the alphabet {alphabet}: {error}") from error
    symbols = "".join(unicodedata.normalize("NFC", text).split())
    try:
        return Script(symbols, KOREA if symbols == ALPHABET and not no_grammar else NO_GRAMMAR)
    except ValueError as error:
        raise KplateError(f"cannot use --alphabet {alphabet!r}: {error}") from None


def own_plates(arguments: argparse.Namespace, script: Script) -> OwnPlates | None:
    """Load and check the plates that a command line names; ``None`` where it names none.

    Raises:
        DataError: Something is wrong with them; the message lists it with file and line.
    """
    if not arguments.data:
        if arguments.validation or arguments.synthetic:
            raise DataError("--validation and --synthetic need --data")
        return None
    if arguments.synthetic < 0:
        raise DataError("--synthetic must not be below 0")
    if arguments.synthetic and not set(ALPHABET) <= set(script.alphabet):
        raise DataError("--synthetic draws Korean plates, and the alphabet lacks some of their symbols")
    plates, problems = load_plates(arguments.data, script)
    aside: list[LabelledPlate] = []
    if arguments.validation:
        aside, more = load_plates(arguments.validation, script)
        problems += more
        problems += _in_both(plates, aside)
    else:
        plates, aside = split(plates, _SET_ASIDE)
    training, validation = Crops(plates), Crops(aside)
    problems += training.load() + validation.load()
    if problems:
        count = f"{len(problems)} label{'s' if len(problems) > 1 else ''} cannot be used"
        if not arguments.skip_bad:
            raise DataError(f"{count} (--skip-bad leaves them out):\n{listed(problems)}")
        print(f"{count} and were left out:\n{listed(problems)}")
    if not len(training) or not len(validation):
        raise DataError(
            f"{len(training)} plates to train on and {len(validation)} to validate with are too few: "
            "at least two different texts are needed, or --validation"
        )
    return OwnPlates(training, validation)


def _in_both(plates: list[LabelledPlate], aside: list[LabelledPlate]) -> list[str]:
    """Report pictures that are trained on and validated with."""
    trained = {plate.path.resolve() for plate in plates}
    return [
        f"{plate.source}: {plate.path.name} is trained on as well"
        for plate in aside
        if plate.path.resolve() in trained
    ]


def train(arguments: argparse.Namespace, ranks: Ranks) -> int:
    """Train as a command line asks for; return the exit status."""
    settings = settings_of(arguments)
    script = script_from(arguments.alphabet, arguments.no_grammar)
    plates = own_plates(arguments, script)
    if plates is None and script != KOREAN:
        raise DataError("--alphabet and --no-grammar need --data: plates are drawn for Korea alone")
    resumed = (settings.out / LATEST).exists()
    begin = load_weights(arguments.init) if arguments.init else None
    trainer = ReaderTrainer(settings, script=script, plates=plates, begin=begin, ranks=ranks)
    if ranks.first and plates:
        verb = f"going on from step {trainer.step}" if resumed else "training"
        print(
            f"{verb} on {len(plates.training)} plates, validating with {len(plates.validation)}", flush=True
        )
    finished = trainer.run()
    if ranks.first and trainer.best:
        print(
            f"best validation: {trainer.best.exact:.1%} read exactly, character errors {trainer.best.cer:.2%}"
        )
    return 0 if finished else _CANCELLED


def main(arguments: Sequence[str] | argparse.Namespace | None = None) -> int:
    """Train from the command line."""
    if not isinstance(arguments, argparse.Namespace):
        parser = argparse.ArgumentParser(prog="kplate train reader", description=__doc__)
        add_arguments(parser)
        arguments = parser.parse_args(arguments)
    ranks = Ranks.from_environment()
    try:
        return train(arguments, ranks)
    finally:
        ranks.leave()


if __name__ == "__main__":
    raise SystemExit(main())
