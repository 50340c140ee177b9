"""ONNX networks to OpenVINO's own format."""

from pathlib import Path

import openvino

from kplate.errors import WeightsError


def to_openvino(model: bytes, path: Path, *, half: bool) -> None:
    """Convert a network; an int8 one keeps what its ONNX form says about its scales.

    Args:
        model: An ONNX network.
        path: The ``.xml`` file; the ``.bin`` file is written beside it.
        half: Store weights in float16.

    Raises:
        WeightsError: OpenVINO cannot convert it.
    """
    try:
        # Not `openvino.convert_model`, which does the same but reports its use to its maker.
        network = openvino.Core().read_model(model)
        openvino.save_model(network, str(path), compress_to_fp16=half)
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or ["no reason given"]
        raise WeightsError(f"cannot convert the network to OpenVINO: {lines[-1].strip()}") from error
