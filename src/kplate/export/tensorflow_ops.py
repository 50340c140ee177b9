"""ONNX operators in TensorFlow, with ONNX's axes: what kplate's networks and Darknet's consist of.

Each takes the node's attributes and its inputs. Sizes, axes and bounds come as NumPy arrays, since ONNX keeps
them as constants; what is computed comes as tensors. See the operators' definitions in ONNX, opset 20.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import tensorflow as tf

Attributes = Mapping[str, Any]

#: ONNX's number of a type -> TensorFlow's.
_TYPES: Final = {1: tf.float32, 2: tf.uint8, 3: tf.int8, 6: tf.int32, 7: tf.int64, 9: tf.bool, 10: tf.float16}


def _channels_last(x: Any) -> Any:
    return tf.transpose(x, (0, 2, 3, 1))


def _channels_first(x: Any) -> Any:
    return tf.transpose(x, (0, 3, 1, 2))


def _padded(x: Any, attributes: Attributes, value: float = 0.0) -> Any:
    """Pad N x H x W x C by the attribute `pads`: tops and lefts, then bottoms and rights."""
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    if not any((top, left, bottom, right)):
        return x
    return tf.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def _conv(attributes: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    kernel = tf.transpose(weight, (2, 3, 1, 0))  # rows, columns, in, out; groups are told by the sizes
    strides = attributes.get("strides", (1, 1))
    dilations = attributes.get("dilations", (1, 1))
    y = tf.nn.conv2d(_padded(_channels_last(x), attributes), kernel, strides, "VALID", dilations=dilations)
    return _channels_first(y if bias is None else y + bias)


def _pool(attributes: Attributes, x: Any, kind: str) -> Any:
    lowest = float("-inf") if kind == "MAX" else 0.0
    padded = _padded(_channels_last(x), attributes, lowest)
    return _channels_first(
        tf.nn.pool(padded, attributes["kernel_shape"], kind, attributes.get("strides", (1, 1)), "VALID")
    )


def _resize(attributes: Attributes, x: Any, _: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    """Enlarge by whole numbers, or interpolate between pixels with their centres at halves."""
    if sizes is None or (not tf.is_tensor(sizes) and not np.size(sizes)):
        sizes = [
            tf.cast(tf.cast(tf.shape(x)[axis], tf.float32) * scales[axis], tf.int32) for axis in range(4)
        ]
    method = "nearest" if attributes.get("mode", "nearest") == "nearest" else "bilinear"
    return _channels_first(tf.image.resize(_channels_last(x), tf.cast(sizes[2:], tf.int32), method))


def _slice(_: Attributes, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    rank = len(x.shape)
    chosen = range(len(starts)) if axes is None else [int(axis) % rank for axis in np.atleast_1d(axes)]
    parts = [slice(None)] * rank
    for place, axis in enumerate(chosen):
        end = int(ends[place])
        step = 1 if steps is None else int(steps[place])
        parts[axis] = slice(int(starts[place]), None if end > np.iinfo(np.int32).max else end, step)
    return x[tuple(parts)]


def _split(attributes: Attributes, x: Any, sizes: Any = None) -> Any:
    axis = attributes.get("axis", 0)
    if sizes is None:
        return tf.split(x, attributes["num_outputs"], axis)
    return tf.split(x, [int(size) for size in sizes], axis)


def _reshape(_: Attributes, x: Any, shape: Any) -> Any:
    if not tf.is_tensor(shape):  # 0 keeps an axis as it is
        shape = [tf.shape(x)[axis] if side == 0 else int(side) for axis, side in enumerate(shape)]
    return tf.reshape(x, shape)


def _unsqueeze(_: Attributes, x: Any, axes: Any) -> Any:
    for axis in sorted(int(axis) for axis in np.atleast_1d(axes)):
        x = tf.expand_dims(x, axis)
    return x


def _gemm(attributes: Attributes, a: Any, b: Any, c: Any = None) -> Any:
    product = tf.matmul(
        a, b, transpose_a=bool(attributes.get("transA", 0)), transpose_b=bool(attributes.get("transB", 0))
    )
    product *= attributes.get("alpha", 1.0)
    return product if c is None else product + c * attributes.get("beta", 1.0)


def _reduce_mean(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    axes = attributes.get("axes") if axes is None else [int(axis) for axis in axes]
    return tf.reduce_mean(x, axes, keepdims=bool(attributes.get("keepdims", 1)))


def _clip(_: Attributes, x: Any, least: Any = None, most: Any = None) -> Any:
    x = x if least is None else tf.maximum(x, least)
    return x if most is None else tf.minimum(x, most)


def _cast(attributes: Attributes, x: Any) -> Any:
    return tf.cast(x, _TYPES[attributes["to"]])


def _grid_sample(_: Attributes, x: Any, grid: Any) -> Any:
    """Bilinear, zeros outside, -1 and 1 at the outer edges of the border pixels."""
    rows, columns = tf.shape(x)[2], tf.shape(x)[3]
    padded = tf.pad(_channels_last(x), ((0, 0), (1, 2), (1, 2), (0, 0)))
    # In pixels of the padded picture; beyond its border of zeros nothing changes any more.
    sides = tf.cast(tf.stack((columns, rows)), tf.float32)
    place = tf.clip_by_value((grid + 1) * sides / 2 + 0.5, 0.0, sides + 1)
    low = tf.floor(place)
    share = place - low
    first = tf.cast(low, tf.int32)
    x0, y0 = first[..., 0], first[..., 1]

    def at(down: int, across: int) -> Any:
        return tf.gather_nd(padded, tf.stack((y0 + down, x0 + across), -1), batch_dims=1)

    across, down = share[..., :1], share[..., 1:]
    upper = at(0, 0) + across * (at(0, 1) - at(0, 0))
    lower = at(1, 0) + across * (at(1, 1) - at(1, 0))
    return _channels_first(upper + down * (lower - upper))


def _along(x: Any, values: Any, axis: int) -> Any:
    """Shape values of one axis so that they meet that axis of x."""
    if np.ndim(values) == 0 or len(values.shape) == 0:
        return values
    shape = [1] * len(x.shape)
    shape[axis] = -1
    return tf.reshape(values, shape)


def _dequantize(attributes: Attributes, x: Any, scale: Any, zero: Any = None) -> Any:
    axis = attributes.get("axis", 1)
    values = tf.cast(x, tf.float32)
    if zero is not None:
        values -= tf.cast(_along(x, zero, axis), tf.float32)
    return values * _along(x, scale, axis)


def _quantize(attributes: Attributes, x: Any, scale: Any, zero: Any) -> Any:
    axis = attributes.get("axis", 1)
    kind = tf.as_dtype(zero.dtype)
    values = tf.round(x / _along(x, scale, axis)) + tf.cast(_along(x, zero, axis), tf.float32)
    return tf.cast(tf.clip_by_value(values, float(kind.min), float(kind.max)), kind)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operator without attributes."""
    return lambda _, *inputs: function(*inputs)


def _expand(x: Any, shape: Any) -> Any:
    return tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x), tf.cast(shape, tf.int32)))


def _shape(attributes: Attributes, x: Any) -> Any:
    return tf.shape(x, tf.int64)[attributes.get("start", 0) : attributes.get("end")]


def _concat(attributes: Attributes, *parts: Any) -> Any:
    kinds: Sequence[Any] = [part.dtype for part in parts if tf.is_tensor(part)]
    return tf.concat([tf.cast(part, kinds[0]) if kinds else part for part in parts], attributes["axis"])


OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "Abs": _plain(tf.abs),
    "Add": _plain(tf.add),
    "AveragePool": lambda attributes, x: _pool(attributes, x, "AVG"),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Div": _plain(tf.divide),
    "Expand": _plain(_expand),
    "Exp": _plain(tf.exp),
    "Gemm": _gemm,
    "GridSample": _grid_sample,
    "Identity": _plain(tf.identity),
    "LeakyRelu": lambda attributes, x: tf.nn.leaky_relu(x, attributes.get("alpha", 0.01)),
    "Less": _plain(tf.less),
    "MatMul": _plain(tf.matmul),
    "MaxPool": lambda attributes, x: _pool(attributes, x, "MAX"),
    "Mul": _plain(tf.multiply),
    "Pow": _plain(tf.pow),
    "QuantizeLinear": _quantize,
    "Reciprocal": _plain(lambda x: 1.0 / x),
    "ReduceMean": _reduce_mean,
    "Relu": _plain(tf.nn.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Sigmoid": _plain(tf.sigmoid),
    "Slice": _slice,
    "Softmax": lambda attributes, x: tf.nn.softmax(x, attributes.get("axis", -1)),
    "Softplus": _plain(tf.nn.softplus),
    "Split": _split,
    "Sqrt": _plain(tf.sqrt),
    "Sub": _plain(tf.subtract),
    "Tanh": _plain(tf.tanh),
    "Transpose": lambda attributes, x: tf.transpose(x, attributes["perm"]),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(tf.where),
}  # fmt: skip
