"""Eight threads, one recogniser, the same answers."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kplate import Recognizer
from kplate.engines import candidates
from kplate.engines.runtimes import RUNTIMES, install_hint, is_installed

from .scenes import scene


@pytest.mark.parametrize("engine", ["onnx", "litert", "openvino"])
def test_eight_threads_share_one_recognizer(engine: str) -> None:
    if not is_installed(RUNTIMES[engine]):
        pytest.skip(f"{RUNTIMES[engine].title} is not installed: {install_hint(RUNTIMES[engine])}")
    if not candidates(None, "detector", engine):
        pytest.skip(f"no networks ship for {engine}")
    recognizer = Recognizer(engine=engine, threads=1)
    image, texts = scene()
    views = [image, image[:, ::-1].copy(), image[200:], image[:, 300:]]
    alone = [recognizer(view) for view in views]
    assert {plate.text for plate in alone[0].plates} & texts
    jobs = [index % len(views) for index in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: recognizer(views[index]), jobs))
    for index, result in zip(jobs, found, strict=True):
        assert result.plates == alone[index].plates
        assert result.vehicles == alone[index].vehicles
