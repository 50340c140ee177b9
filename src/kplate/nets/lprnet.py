"""LPRNet with a supervised spatial transformer and one sequence for plates of one and of two lines.

A crop goes in; its plate's corners, its text as 18 CTC steps, and its kind come out. Three things differ from
the network that was published (Zherzdev and Gruzdev, "LPRNet: License Plate Recognition via Deep Neural
Networks", arXiv:1806.10447): the localisation network predicts the plate's four corners and is trained with
the true ones; the strided backbone keeps its rows; and each of the 18 steps looks at the whole map through an
attention of its own, since in a two-line plate columns alone do not order the text.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.reader_views import LEAST_VARIANCE

STEPS = 18


@dataclass(frozen=True, slots=True)
class LprNetConfig:
    """Sizes of the network.

    Attributes:
        input_size: Width and height of the crop, in px.
        plate_size: Width and height of the straightened plate, in px.
        symbols: Size of the alphabet, without the blank.
        kinds: Number of plate kinds.
        width: Channels of the last stage; earlier stages are shares of it.
    """

    input_size: tuple[int, int] = (192, 96)
    plate_size: tuple[int, int] = (192, 64)
    symbols: int = 80
    kinds: int = 23
    width: int = 128


@dataclass(frozen=True, slots=True)
class LprNetOutput:
    """What the network says about N crops.

    Attributes:
        logits: (N, 18, symbols + 1), blank last.
        kind: (N, kinds) logits.
        corners: (N, 8), x and y of top-left, top-right, bottom-right, bottom-left, as shares of the crop.
        attention: (N, 18, H', W'), where each step looked in the straightened plate; sums to one.
    """

    logits: Tensor
    kind: Tensor
    corners: Tensor
    attention: Tensor


class ConvUnit(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, cin: int, cout: int, kernel: int = 3, stride: int | tuple[int, int] = 1) -> None:
        super().__init__(
            nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout), nn.ReLU()
        )


class SmallBasicBlock(nn.Module):
    """Squeeze, look around, widen, add: the published block with a square kernel, which processors prefer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = channels // 2
        self.body = nn.Sequential(
            ConvUnit(channels, middle, 1),
            ConvUnit(middle, middle, 3),
            nn.Conv2d(middle, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return F.relu(x + self.body(x))


class LocalisationNet(nn.Module):
    """Find the plate's corners in a crop."""

    #: Width and height of the smaller picture of the crop that is searched, in px.
    SIZE = (192, 64)
    #: Where corners are expected before anything is learned: a detector's box with some margin.
    START = (0.08, 0.14, 0.92, 0.14, 0.92, 0.86, 0.08, 0.86)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvUnit(3, 16, 3, 2),
            ConvUnit(16, 32, 3, 2),
            ConvUnit(32, 64, 3, 2),
            ConvUnit(64, 64, 3, 2),
            ConvUnit(64, 64, 3),
        )
        cells = (self.SIZE[0] // 16) * (self.SIZE[1] // 16)
        # Normalised, since plain rectified units here can all die at a high learning rate.
        self.hidden = nn.Sequential(nn.Linear(64 * cells, 96, bias=False), nn.BatchNorm1d(96), nn.ReLU())
        self.corners = nn.Linear(96, 8)
        nn.init.zeros_(self.corners.weight)
        self.corners.bias = nn.Parameter(torch.tensor(self.START))

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 8) corners as shares of the crop."""
        size = (self.SIZE[1], self.SIZE[0])
        small = image
        if image.shape[2:] != size:
            small = F.interpolate(image, size=size, mode="bilinear", align_corners=False)
        features = self.features(small * 2 - 1).flatten(1)
        corners: Tensor = self.corners(self.hidden(features))
        return corners

    def keep_whole_crop(self) -> None:
        """Take the crop for the plate, for good: where nothing teaches what is the plate."""
        with torch.no_grad():
            self.corners.bias.copy_(torch.tensor((0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0)))
        self.requires_grad_(False)


def straighten(image: Tensor, corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample the quadrilateral of the corners into an upright rectangle, by the exact projective map.

    Args:
        image: (N, 3, H, W).
        corners: (N, 8) as shares of the crop.
        size: Width and height of the result.

    Returns:
        (N, 3, height, width).
    """
    x0, y0, x1, y1, x2, y2, x3, y3 = (corners[:, i : i + 1] for i in range(8))
    dx1, dx2, dx3 = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, dy3 = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    determinant = dx1 * dy2 - dx2 * dy1
    safe = torch.where(determinant.abs() < 1e-4, torch.full_like(determinant, 1e-4), determinant)
    g = ((dx3 * dy2 - dx2 * dy3) / safe).clamp(-0.9, 4.0)
    h = ((dx1 * dy3 - dx3 * dy1) / safe).clamp(-0.9, 4.0)
    width, height = size
    u = ((torch.arange(width, dtype=torch.float32) + 0.5) / width).repeat(height)[None]
    v = ((torch.arange(height, dtype=torch.float32) + 0.5) / height).repeat_interleave(width)[None]
    u, v = u.to(image.device), v.to(image.device)
    scale = 1.0 / (g * u + h * v + 1.0).clamp(min=0.05)
    x = ((x1 - x0 + g * x1) * u + (x3 - x0 + h * x3) * v + x0) * scale
    y = ((y1 - y0 + g * y1) * u + (y3 - y0 + h * y3) * v + y0) * scale
    grid = torch.stack((x, y), -1).reshape(-1, height, width, 2) * 2 - 1
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def normalised(plate: Tensor) -> Tensor:
    """Give each plate (N, 3, H, W) in 0..1 a brightness of zero mean and unit variance."""
    mean = plate.mean((1, 2, 3), keepdim=True)
    variance = (plate - mean).square().mean((1, 2, 3), keepdim=True)
    # A finite slope where the grid left the picture.
    return (plate - mean) / (variance + LEAST_VARIANCE).sqrt()


class LprNet(nn.Module):
    """Read plate crops."""

    #: Pixels of the straightened plate in a cell of its map, across and down.
    STRIDE = (4, 8)

    def __init__(self, config: LprNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or LprNetConfig()
        w = self.config.width
        self.localisation = LocalisationNet()
        self.stem = nn.Sequential(ConvUnit(3, w // 4, 3, 2), ConvUnit(w // 4, w // 2, 3, 2))
        self.middle = nn.Sequential(
            SmallBasicBlock(w // 2), ConvUnit(w // 2, w // 2), SmallBasicBlock(w // 2)
        )
        self.late = nn.Sequential(ConvUnit(w // 2, w, 3, (2, 1)), SmallBasicBlock(w), SmallBasicBlock(w))
        self.context = nn.Linear(3 * w // 2, w)
        columns, rows = (
            self.config.plate_size[0] // self.STRIDE[0],
            self.config.plate_size[1] // self.STRIDE[1],
        )
        self.position = nn.Parameter(torch.zeros(1, w, rows, columns))
        self.mix = ConvUnit(w, w, 1)
        self.attention = nn.Conv2d(w, STEPS, 1)
        self.step = nn.Parameter(torch.zeros(1, STEPS, w))
        self.classifier = nn.Sequential(nn.Linear(w, w), nn.ReLU(), nn.Linear(w, self.config.symbols + 1))
        self.kind = nn.Linear(w, self.config.kinds)

    def forward(self, image: Tensor, guide: Tensor | None = None) -> LprNetOutput:
        """Read N crops.

        Args:
            image: float32 (N, 3, H, W), RGB in 0..1.
            guide: (N, 8) corners to straighten by instead of the predicted ones; NaN rows use the predicted.
        """
        corners = self.localisation(image).float()
        # The corners learn from true corners alone: the text's slope through the sampler is large and noisy,
        # and drowned them while they were still far off.
        used = corners.detach()
        if guide is not None:
            used = torch.where(guide.isnan(), used, guide)
        with torch.autocast(image.device.type, enabled=False):
            plate = normalised(straighten(image.float(), used, self.config.plate_size))
        logits, kind, attention = self.read(plate)
        return LprNetOutput(logits, kind, corners, attention)

    def read(self, plate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read N plates that are straightened and normalised, (N, 3, H, W).

        Returns:
            Logits, kinds and attention, as :class:`LprNetOutput` has them.
        """
        middle = self.middle(self.stem(plate))
        late = self.late(middle)
        pooled = torch.cat((middle.mean((2, 3)), late.mean((2, 3))), 1)
        context = F.relu(self.context(pooled))
        late = self.mix(late + context[:, :, None, None] + self.position)
        attention = self.attention(late).float().flatten(2).softmax(-1)
        looked = torch.bmm(attention.to(late.dtype), late.flatten(2).transpose(1, 2))
        logits = self.classifier(looked + self.step)
        shape = (-1, STEPS, late.shape[2], late.shape[3])
        return logits, self.kind(context), attention.reshape(shape)
