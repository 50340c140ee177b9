"""ONNX networks to TensorFlow SavedModel folders, by `onnx2tf`.

`onnx2tf` pins the versions of TensorFlow, NumPy and ONNX that it works with, so that it needs an environment
of its own; docs/export.md says how to make one. PyTorch is not needed there.
"""

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import onnx2tf

from kplate.engines.quiet import quiet
from kplate.errors import WeightsError

_INPUT: Final = "image"


def to_saved_model(model: bytes, folder: Path, size: tuple[int, int]) -> None:
    """Convert a network: channels last, one picture of a fixed size.

    Args:
        model: An ONNX network with one input called ``image``.
        folder: The SavedModel.
        size: Width and height of the input, in px.

    Raises:
        WeightsError: The network cannot be converted.
    """
    width, height = size
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "network.onnx"
        source.write_bytes(model)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), quiet():
                onnx2tf.convert(
                    input_onnx_file_path=str(source),
                    output_folder_path=str(folder),
                    output_signaturedefs=True,
                    overwrite_input_shape=[f"{_INPUT}:1,3,{height},{width}"],
                    copy_onnx_input_output_names_to_tflite=True,
                    non_verbose=True,
                )
        except (Exception, SystemExit) as error:  # it ends the process where it meets what it does not know
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            raise WeightsError(f"cannot convert the network to a SavedModel: {lines[0].strip()}") from error
    for other in (*folder.glob("*.tflite"), *folder.glob("*.json")):
        other.unlink()  # it writes TFLite files on the side
