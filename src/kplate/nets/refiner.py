"""The network that sets a detector's boxes: convolutions alone, so that every runtime takes it."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kplate.refiner import SIZE, VALUES

#: Channels at 1/2, 1/4, 1/8 and 1/16 of the input, and of the layers that see all of it.
_WIDTHS: Final = (24, 48, 96, 128)
_LAST: Final = 160
_DROPOUT: Final = 0.15


class RefinerNet(nn.Module):
    """Says how sure it is of what a window shows, and where it lies.

    Attributes:
        trust: How much the detector's own logit counts, by class.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        first, second, third, fourth = _WIDTHS
        self.body = nn.Sequential(
            _convolution(3, first, 2),
            _convolution(first, second, 2),
            _convolution(second, third, 2),
            _Residual(third),
            _convolution(third, fourth, 2),
            _Residual(fourth),
        )
        self.dropout = nn.Dropout2d(_DROPOUT)
        whole = nn.Conv2d(fourth, _LAST, (SIZE[1] // 16, SIZE[0] // 16), bias=False)
        self.head = nn.Sequential(
            whole, nn.BatchNorm2d(_LAST), nn.ReLU(), nn.Conv2d(_LAST, _LAST, 1), nn.ReLU()
        )
        self.output = nn.Conv2d(_LAST, VALUES * classes, 1)
        self.trust = nn.Parameter(torch.ones(classes))
        nn.init.zeros_(self.output.weight)
        assert self.output.bias is not None
        nn.init.zeros_(self.output.bias)

    def forward(self, windows: Tensor) -> Tensor:
        """Look at windows.

        Args:
            windows: float32 N x 3 x 64 x 128, RGB 0..1.

        Returns:
            N x (5 * classes) x 1 x 1.
        """
        values: Tensor = self.output(self.head(self.dropout(self.body(windows))))
        return values


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, values: Tensor) -> Tensor:
        return F.relu(values + self.second(self.first(values)))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
