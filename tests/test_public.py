"""The public face of the package."""

import subprocess
import sys

import pytest

import kplate


def test_every_public_name_exists_and_none_is_forgotten() -> None:
    assert len(set(kplate.__all__)) == len(kplate.__all__)
    for name in kplate.__all__:
        assert getattr(kplate, name) is not None
    lazy = {name for names in kplate._HOMES.values() for name in names}
    assert lazy | {"__version__"} == set(kplate.__all__)
    assert set(kplate.__all__) <= set(dir(kplate))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="Recogniser"):
        kplate.Recogniser  # noqa: B018


def test_reading_needs_no_training_library() -> None:
    """Loading everything that reads plates must not load what only trains or exports."""
    code = (
        "import sys, kplate\n"
        "[getattr(kplate, name) for name in kplate.__all__]\n"
        "import kplate.drawing, kplate.engines.onnx\n"
        "rooms = {'kplate.' + room for room in 'nets synth training export evaluation cli'.split()}\n"
        "print(sorted({'torch', 'onnx', 'tensorflow', *rooms} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
