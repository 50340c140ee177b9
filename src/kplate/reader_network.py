"""What runs behind the reader: one network that takes crops, or two with a straightened plate between them.

The spatial transformer of kplate's own reader is cut in two: a *locator* finds the plate's corners in the
crop, OpenCV straightens the plate by them, and the *reader* proper reads it. Sampling inside a network is the
slowest part of it on every runtime, and sees the crop only after it was scaled down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kplate.engines import Network, open_network
from kplate.files import StrPath
from kplate.images import Image
from kplate.reader_views import as_batch, normalised_batch, upright, without_excess
from kplate.weights import Manifest

Floats = NDArray[np.float32]

#: Key of a manifest's ``extra``: the reader takes straightened plates, and needs a locator.
STRAIGHTENED: Final = "straightened"
#: The same: width and height of the crops that both were trained with.
CROP: Final = "crop"
#: Corners, as shares of the crop, where a network finds none.
_WHOLE: Final = np.array((0, 0, 1, 0, 1, 1, 0, 1), np.float32)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the networks say about N crops.

    Attributes:
        logits: float32 (N, steps, symbols + 1), blank last.
        kinds: float32 (N, kinds) logits; no columns where the network tells no kinds.
        corners: float32 (N, 8), x and y of top-left, top-right, bottom-right, bottom-left, as shares of the
            crop.
        plates: The straightened plates, uint8 H x W x 3 BGR; None where they never left the network.
    """

    logits: Floats
    kinds: Floats
    corners: Floats
    plates: Sequence[Image] | None


class ReaderNetwork:
    """The networks of a reader. One may be used from several threads at once.

    Attributes:
        network: The reader proper, and what runs it.
        locator: What finds the plate's corners; None where the reader takes crops as they are.
    """

    def __init__(
        self,
        weights: StrPath | None = None,
        *,
        threads: int | None = None,
        engine: str | None = None,
        precision: str | None = None,
    ) -> None:
        """Load them.

        Args:
            weights: Folder, manifest or network of the reader, beside which its locator lies; None for those
                that ship with kplate.
            threads: Cores that one call may use.
            engine: As for :func:`kplate.engines.open_network`.
            precision: Likewise.

        Raises:
            EngineError: There is no such engine, it is not installed, or there is no network for it.
            WeightsError: A network cannot be used.
        """
        self.network = open_network(weights, "reader", threads=threads, engine=engine, precision=precision)
        self.locator: Network | None = None
        if self.manifest.extra.get(STRAIGHTENED):
            self.locator = open_network(
                locator_beside(self.network.path), "locator", threads=threads, engine=engine
            )

    @property
    def manifest(self) -> Manifest:
        """What is known about the reader proper."""
        return self.network.manifest

    @property
    def parts(self) -> tuple[Network, ...]:
        """The networks in the order in which they look at a crop."""
        return (self.network,) if self.locator is None else (self.locator, self.network)

    def run(self, images: Sequence[Image]) -> Seen:
        """Look at crops.

        Args:
            images: uint8 H x W x 3 BGR arrays, at least one.

        Raises:
            WeightsError: A network does not take such a batch, or fails on it.
        """
        if self.locator is None:
            outputs, plates = self.network.engine.run(as_batch(images, self.manifest.input)), None
        else:
            images = [without_excess(image, self.manifest.input) for image in images]
            outputs = self.locator.engine.run(as_batch(images, self.locator.manifest.input))
            pairs = zip(images, outputs["corners"], strict=True)
            plates = [upright(image, corners, self.manifest.input) for image, corners in pairs]
            outputs = outputs | self.network.engine.run(normalised_batch(plates))
        kinds = outputs.get("kind", np.zeros((len(images), 0), np.float32))
        corners = outputs.get("corners", np.tile(_WHOLE, (len(images), 1)))
        return Seen(outputs["logits"], kinds, corners, plates)


def locator_beside(path: Path) -> Path:
    """Return where the locator of a reader lies: in the file of the same kind, or anywhere in its folder.

    Args:
        path: The reader's file, such as ``reader.int8.tflite``, whose locator is ``locator.int8.tflite``.
    """
    own = path.with_name(path.name.replace("reader", "locator", 1))
    return own if own != path and own.exists() else path.parent
