"""LPRNet as it was published: one look along the columns of a 94×24 picture.

S. Zherzdev and A. Gruzdev, "LPRNet: License Plate Recognition via Deep Neural Networks", arXiv:1806.10447.
The paper writes sizes as width × height, as in 94×24. Its table read so, without padding, gives the 18 steps
that LPRNet is known for: a 4×1 convolution joins four columns, a 1×13 one thirteen rows. Poolings that name
fewer channels than come in ("#64") pass on every other one, or every fourth.

Three things are not the paper's: the true corners of rendered plates teach the spatial transformer, as in
:mod:`kplate.nets.lprnet`, batch normalisation steadies it, and less is dropped.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.nets.lprnet import STEPS, LprNetConfig, LprNetOutput, straighten

#: Width and height of the crop and of the straightened plate, in px.
SIZE = (94, 24)
#: Where the first step's columns have their middle, and how far it is to the next step's, as shares of the
#: plate's width: four columns, each four pixels from the next, the first of them around pixel 5.
FIRST, STRIDE = 11.5 / 94, 4 / 94
_CONTEXT = 128
#: The paper drops half; plates that are drawn anew all the time leave little to overfit.
_DROPPED = 0.1


def published_config(symbols: int = 80) -> LprNetConfig:
    """Return the sizes of the published network; it has no head for kinds."""
    return LprNetConfig(input_size=SIZE, plate_size=SIZE, symbols=symbols, kinds=0, width=256)


class ConvUnit(nn.Sequential):
    """Convolution of a kernel (rows, columns), batch normalisation, ReLU."""

    def __init__(
        self, cin: int, cout: int, kernel: tuple[int, int], stride: int = 1, padding: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__(
            nn.Conv2d(cin, cout, kernel, stride, padding, bias=False), nn.BatchNorm2d(cout), nn.ReLU()
        )


class SmallBasicBlock(nn.Sequential):
    """The published block: squeeze to a quarter, look along the rows, along the columns, widen."""

    def __init__(self, cin: int, cout: int) -> None:
        middle = cout // 4
        super().__init__(
            ConvUnit(cin, middle, (1, 1)),
            ConvUnit(middle, middle, (3, 1), padding=(1, 0)),
            ConvUnit(middle, middle, (1, 3), padding=(0, 1)),
            ConvUnit(middle, cout, (1, 1)),
        )


class LocalisationNet(nn.Module):
    """Find the six numbers of an affine map from the straightened plate to the crop.

    Two branches look at the crop, one of them at half its resolution.
    """

    #: The map before anything is learned: a detector's box with some margin.
    START = (0.84, 0.0, 0.08, 0.0, 0.72, 0.14)

    def __init__(self) -> None:
        super().__init__()
        self.coarse = nn.Sequential(nn.AvgPool2d(3, 2), ConvUnit(3, 32, (5, 5), 3))
        self.fine = nn.Sequential(ConvUnit(3, 32, (5, 5), 3), ConvUnit(32, 32, (5, 5), 2, (1, 1)))
        self.drop = nn.Dropout(_DROPPED)
        self.hidden = nn.Sequential(nn.Linear(64 * 14 * 3, 32), nn.Tanh())
        self.affine = nn.Linear(32, 6)
        nn.init.zeros_(self.affine.weight)
        self.affine.bias = nn.Parameter(torch.tensor(self.START))

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, 24, 94) to (N, 8) corners as shares of the crop: always those of a parallelogram."""
        features = torch.cat((self.coarse(image), self.fine(image)), 1).flatten(1)
        a, b, x, c, d, y = self.affine(self.hidden(self.drop(features))).float().unbind(1)
        corners = (x, y, x + a, y + c, x + a + b, y + c + d, x + b, y + d)
        return torch.stack(corners, 1)

    def keep_whole_crop(self) -> None:
        """Take the crop for the plate, for good."""
        with torch.no_grad():
            self.affine.weight.zero_()
            self.affine.bias.copy_(torch.tensor((1.0, 0.0, 0.0, 0.0, 1.0, 0.0)))
        self.requires_grad_(False)


class LprNetPublished(nn.Module):
    """Read plate crops by columns."""

    def __init__(self, config: LprNetConfig | None = None) -> None:
        """Build the network.

        Args:
            config: Only ``symbols`` may differ from :func:`published_config`.

        Raises:
            ValueError: The sizes are not the published ones.
        """
        super().__init__()
        self.config = config or published_config()
        if self.config != published_config(self.config.symbols):
            raise ValueError(
                f"the published network takes crops of {SIZE[0]}x{SIZE[1]} px: leave its sizes out"
            )
        classes = self.config.symbols + 1
        self.localisation = LocalisationNet()
        self.first = ConvUnit(3, 64, (3, 3))
        self.second = SmallBasicBlock(64, 128)
        self.third = nn.Sequential(SmallBasicBlock(64, 256), SmallBasicBlock(256, 256))
        self.drop = nn.Dropout(_DROPPED)
        self.columns = ConvUnit(64, 256, (1, 4))
        self.rows = ConvUnit(256, classes, (13, 1))
        self.context = nn.Linear(classes, _CONTEXT)
        self.head = nn.Conv2d(classes + _CONTEXT, classes, 1)

    def forward(self, image: Tensor, guide: Tensor | None = None) -> LprNetOutput:
        """Read N crops.

        Args:
            image: float32 (N, 3, 24, 94), RGB in 0..1.
            guide: (N, 8) corners to straighten by instead of the predicted ones; NaN rows use the predicted.

        Returns:
            ``kind`` is (N, 0) and ``attention`` (N, 18, 0, 0): there are none.
        """
        image = image * 2 - 1
        corners = self.localisation(image)
        used = corners.detach()  # learned from true corners alone, as in kplate.nets.lprnet
        if guide is not None:
            used = torch.where(guide.isnan(), used, guide)
        with torch.autocast(image.device.type, enabled=False):
            plate = straighten(image.float(), used, SIZE)
        x = F.max_pool2d(self.first(plate), 3, 1)
        x = F.max_pool2d(self.second(x)[:, ::2], 3, (1, 2))
        x = F.max_pool2d(self.third(x)[:, ::4], 3, (1, 2))
        x = self.rows(self.drop(self.columns(self.drop(x))))
        context = self.context(x.mean((2, 3)))[:, :, None, None].expand(-1, -1, x.shape[2], x.shape[3])
        logits = self.head(torch.cat((x, context), 1)).mean(2).transpose(1, 2)
        count = logits.shape[0]
        kind, attention = logits.new_zeros(count, 0), logits.new_zeros(count, STEPS, 0, 0)
        return LprNetOutput(logits, kind, corners, attention)
