"""The reader with its channels last and its sampling by look-up: the form that TFLite runs well.

TFLite has no operator that samples a picture at computed places. Converters write one as hundreds of small
operators, which take ten times as long as the rest of the network. Here the crop is a table with one row a
pixel, and the four pixels around each place are looked up in it. Coordinates are computed once for the rows
of the table, and once more for each colour, which is faster than repeating them.
"""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.nets.lprnet import LprNet

_COLOURS: Final = 3
#: The limits that `kplate.nets.lprnet.straighten` keeps.
_LEAST_DETERMINANT: Final = 1e-4
_PERSPECTIVE: Final = (-0.9, 4.0)
_LEAST_DEPTH: Final = 0.05
#: What the network adds to the variance of a plate's brightness.
_LEAST_VARIANCE: Final = 4e-4


class LookUpSampler(nn.Module):
    """Samples the quadrilateral of the corners into an upright rectangle, as `straighten` does.

    Args:
        crop: Width and height of the crop, in px.
        plate: Width and height of the straightened plate, in px.
    """

    u: Tensor
    v: Tensor
    u_colours: Tensor

    def __init__(self, crop: tuple[int, int], plate: tuple[int, int]) -> None:
        super().__init__()
        self.crop, self.plate = crop, plate
        width, height = plate
        u = (torch.arange(width, dtype=torch.float32) + 0.5) / width
        v = (torch.arange(height, dtype=torch.float32) + 0.5) / height
        self.register_buffer("u", u[None])
        self.register_buffer("v", v[:, None])
        self.register_buffer("u_colours", u.repeat_interleave(_COLOURS)[None])

    def forward(self, image: Tensor, corners: Tensor) -> Tensor:
        """Map a crop (1, H, W, 3) and its corners (1, 8) to a plate (1, height, width, 3)."""
        width, height = self.plate
        terms = self._terms(corners)
        x, y = (values.floor() for values in self._coordinates(terms, self.u))
        # A border of zeros is what lies outside the crop; no coordinate leaves it.
        table = F.pad(image, (0, 0, 1, 2, 1, 2)).reshape(-1, _COLOURS)
        stride = self.crop[0] + 3
        pixel = (y * stride + x).reshape(-1)
        upper_left, upper_right, lower_left, lower_right = (
            F.embedding((pixel + step).to(torch.int32), table) for step in (0, 1, stride, stride + 1)
        )
        across, down = (
            (values - values.floor()).reshape(-1, _COLOURS)
            for values in self._coordinates(terms, self.u_colours)
        )
        upper = upper_left + across * (upper_right - upper_left)
        lower = lower_left + across * (lower_right - lower_left)
        return (upper + down * (lower - upper)).reshape(1, height, width, _COLOURS)

    def _terms(self, corners: Tensor) -> tuple[Tensor, ...]:
        """Factors of u, of v, and the constant of x, y and depth in the projective map; x and y in px."""
        x0, y0, x1, y1, x2, y2, x3, y3 = (corners[:, i : i + 1] for i in range(8))
        dx1, dx2, dx3 = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
        dy1, dy2, dy3 = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
        determinant = dx1 * dy2 - dx2 * dy1
        least = torch.full_like(determinant, _LEAST_DETERMINANT)
        safe = torch.where(determinant.abs() < _LEAST_DETERMINANT, least, determinant)
        g = ((dx3 * dy2 - dx2 * dy3) / safe).clamp(*_PERSPECTIVE)
        h = ((dx1 * dy3 - dx3 * dy1) / safe).clamp(*_PERSPECTIVE)
        wide, high = self.crop
        return (
            *((x1 - x0 + g * x1) * wide, (x3 - x0 + h * x3) * wide, x0 * wide),
            *((y1 - y0 + g * y1) * high, (y3 - y0 + h * y3) * high, y0 * high),
            *(g, h),
        )

    def _coordinates(self, terms: tuple[Tensor, ...], u: Tensor) -> tuple[Tensor, Tensor]:
        """Columns and rows of the crop with its border, (height, columns of u), for each place."""
        x_u, x_v, x_1, y_u, y_v, y_1, g, h = terms
        depth = ((g * u + 1.0) + h * self.v).clamp(min=_LEAST_DEPTH)
        x = ((x_u * u + x_1) + x_v * self.v) / depth + 0.5
        y = ((y_u * u + y_1) + y_v * self.v) / depth + 0.5
        return x.clamp(0, self.crop[0] + 1), y.clamp(0, self.crop[1] + 1)


class ReaderForLite(nn.Module):
    """A trained :class:`LprNet` that takes and computes with channels last, one crop at a time.

    Args:
        network: In evaluation mode; its modules are used as they are.

    Attributes:
        names: Of the outputs; networks that tell no kinds have no ``kind``.
    """

    hidden_weight: Tensor
    hidden_bias: Tensor

    def __init__(self, network: LprNet) -> None:
        super().__init__()
        self.network = network
        self.names = ("logits", "kind", "corners") if network.config.kinds else ("logits", "corners")
        self.sampler = LookUpSampler(network.config.input_size, network.config.plate_size)
        linear, normalisation = network.localisation.hidden[0], network.localisation.hidden[1]
        assert isinstance(linear, nn.Linear)
        assert isinstance(normalisation, nn.BatchNorm1d)
        fused = nn.utils.fuse_linear_bn_eval(linear, normalisation)
        columns, rows = (side // 16 for side in network.localisation.SIZE)
        # The network lays the channels out first; here they come last.
        weight = fused.weight.detach().reshape(len(fused.weight), -1, rows, columns)
        self.register_buffer("hidden_weight", weight.permute(0, 2, 3, 1).flatten(1).contiguous())
        self.register_buffer("hidden_bias", fused.bias.detach())

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map float32 (1, H, W, 3) RGB in 0..1 to logits (1, 18, 81), kind (1, kinds), corners (1, 8)."""
        corners = self._corners(image)
        plate = self.sampler(image, corners)
        centred = plate - plate.mean((1, 2, 3), keepdim=True)
        variance = (centred * centred).mean((1, 2, 3), keepdim=True)
        plate = centred * torch.rsqrt(variance + _LEAST_VARIANCE)
        network = self.network
        middle = network.middle(network.stem(_first(plate)))
        late = _last(network.late(middle))
        pooled = torch.cat((_last(middle).mean((1, 2)), late.mean((1, 2))), 1)
        context = F.relu(network.context(pooled))
        told = late + (context[:, None, None, :] + _last(network.position))
        late = network.mix(_first(told))
        cells = late.shape[2] * late.shape[3]
        attention = _last(network.attention(late)).reshape(1, cells, -1).transpose(1, 2).softmax(-1)
        looked = torch.bmm(attention, _last(late).reshape(1, cells, -1))
        logits = network.classifier(looked + network.step)
        return (logits, network.kind(context), corners) if network.config.kinds else (logits, corners)

    def _corners(self, image: Tensor) -> Tensor:
        localisation = self.network.localisation
        small, (width, height) = _first(image), localisation.SIZE
        if (width, height) != self.network.config.input_size:
            small = F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
        features = _last(localisation.features(small * 2 - 1)).flatten(1)
        hidden = F.relu(F.linear(features, self.hidden_weight, self.hidden_bias))
        corners: Tensor = localisation.corners(hidden)
        return corners


def _first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)
