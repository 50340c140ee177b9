"""TensorFlow on SavedModels made here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

tensorflow: Any = pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra: saved-model)")

from kplate.engines import open_engine  # noqa: E402
from kplate.errors import EngineError, WeightsError  # noqa: E402


def make(folder: Path, shape: list[int | None], axes: list[int]) -> Path:
    """Write a network that returns the mean of each channel, and each picture's values doubled."""

    class Doubling(tensorflow.Module):  # type: ignore[misc]
        @tensorflow.function(input_signature=[tensorflow.TensorSpec(shape, tensorflow.float32, name="image")])
        def run(self, image: Any) -> dict[str, Any]:
            return {"means": tensorflow.reduce_mean(image, axes, keepdims=True), "double": image * 2}

    module = Doubling()
    tensorflow.saved_model.save(module, str(folder), signatures={"serving_default": module.run})
    return folder


@pytest.mark.parametrize(
    ("shape", "axes", "sizes"),
    [([None, 3, None, None], [2, 3], ()), ([1, 4, 6, 3], [1, 2], ((6, 4),))],
)
def test_outputs_come_channels_first_for_any_batch(
    tmp_path: Path, shape: list[int | None], axes: list[int], sizes: tuple[tuple[int, int], ...]
) -> None:
    engine = open_engine(make(tmp_path / "network", shape, axes), engine="saved_model", threads=1)
    batch = np.random.default_rng(0).random((5, 3, 4, 6), np.float32)
    outputs = engine.run(batch)
    assert engine.sizes == sizes
    np.testing.assert_array_equal(outputs["double"], batch * 2)
    np.testing.assert_allclose(outputs["means"][:, :, 0, 0], batch.mean(axis=(2, 3)), rtol=1e-5)


def test_folders_that_are_no_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no folder with a saved_model\.pb"):
        open_engine(tmp_path, engine="saved_model")
    (tmp_path / "saved_model.pb").write_bytes(b"no network")
    with pytest.raises(WeightsError, match="cannot load") as caught:
        open_engine(tmp_path, engine="saved_model")
    assert "\n" not in str(caught.value)


def test_a_gpu_is_used_or_refused(tmp_path: Path) -> None:
    if tensorflow.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU that TensorFlow uses")
    folder = make(tmp_path / "network", [None, 3, None, None], [2, 3])
    with pytest.raises(EngineError, match="TensorFlow finds no GPU"):
        open_engine(folder, engine="saved_model:gpu")
