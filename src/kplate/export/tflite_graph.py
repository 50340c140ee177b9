"""Changes to a TFLite file that converters and quantisers leave undone.

Names of inputs and outputs; inputs whose sides may change; and operators that `ai-edge-quantizer` does not
know, which it leaves in float32 between conversions to and from int8.
"""

import copy
from collections import defaultdict
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_OPS: Final = schema.BuiltinOperator
_SIGNATURE: Final = b"serving_default"
#: Operators whose work does not depend on the height and width of what they get.
_ANY_SIZE: Final = frozenset(
    {
        _OPS.ADD, _OPS.AVERAGE_POOL_2D, _OPS.CONCATENATION, _OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D,
        _OPS.DEQUANTIZE, _OPS.ELU, _OPS.EXP, _OPS.HARD_SWISH, _OPS.LEAKY_RELU, _OPS.LOG, _OPS.LOGISTIC,
        _OPS.MAX_POOL_2D, _OPS.MAXIMUM, _OPS.MINIMUM, _OPS.MUL, _OPS.PAD, _OPS.PADV2, _OPS.QUANTIZE,
        _OPS.RELU, _OPS.RELU6, _OPS.SUB, _OPS.TANH,
    }
)  # fmt: skip
#: Operators that work on int8 as they do on float32, but that the quantiser does not know.
_PASSED_OVER: Final = frozenset({_OPS.LEAKY_RELU})
#: Axes of a batch of pictures.
_AXES: Final = 4
_CUSTOM: Final = frozenset({_OPS.CUSTOM, _OPS.DELEGATE, _OPS.STABLEHLO_COMPOSITE})


class Graph:
    """A TFLite file in memory, with one network in it."""

    def __init__(self, content: bytes) -> None:
        self._model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
        self._graph: Any = self._model.subgraphs[0]

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self._model))

    def custom_operators(self) -> list[str]:
        """Name the operators that are not built into every TFLite runtime."""
        found = {self._code(op) for op in self._graph.operators}
        names = {value: name for name, value in vars(_OPS).items() if isinstance(value, int)}
        return sorted(names[code] for code in found & _CUSTOM)

    def name(self, image: str, outputs: tuple[str, ...]) -> None:
        """Name the input and the outputs, in the signature and in the graph; number everything else."""
        for number, tensor in enumerate(self._graph.tensors):
            tensor.name = str(number).encode()
        signature = self._model.signatureDefs[0]
        signature.signatureKey = _SIGNATURE
        # The signature lists outputs by the converter's names, which sort in the order of the network's.
        entries = sorted(signature.outputs, key=lambda entry: (len(entry.name), entry.name))
        named = [*zip(signature.inputs, (image,), strict=True), *zip(entries, outputs, strict=True)]
        for entry, name in named:
            entry.name = name.encode()
            self._graph.tensors[entry.tensorIndex].name = name.encode()
        self._graph.outputs = [entry.tensorIndex for entry in entries]
        signature.outputs = entries

    def fold_conversions(self) -> int:
        """Let operators that the quantiser passed over work on int8, without the conversions around them.

        Returns:
            How many were changed.
        """
        makers, users = self._links()
        kept: list[Any] = []
        gone: set[int] = set()
        renamed: dict[int, int] = {}
        folded = 0
        for op in self._graph.operators:
            if id(op) in gone:
                continue
            source = self._foldable(op, makers, users)
            if source is None:
                kept.append(op)
                continue
            # Where it is used with different scales, it is computed once for each.
            targets: dict[tuple[float, int], int] = {}
            for user in users[op.outputs[0]]:
                gone.add(id(user))
                target = user.outputs[0]
                renamed[target] = targets.setdefault(self._scale(target), target)
            for target in targets.values():
                twin = copy.copy(op)
                twin.inputs, twin.outputs = [source], [target]
                kept.append(twin)
            folded += 1
        for op in kept:
            op.inputs = [renamed.get(index, index) for index in op.inputs]
        needed = {index for op in kept for index in op.inputs} | set(self._graph.outputs)
        self._graph.operators = [
            op for op in kept if self._code(op) != _OPS.DEQUANTIZE or op.outputs[0] in needed
        ]
        return folded

    def _foldable(self, op: Any, makers: dict[int, Any], users: dict[int, list[Any]]) -> int | None:
        """The int8 tensor that an operator could take itself, if it stands between conversions; else None."""
        if self._code(op) not in _PASSED_OVER or op.inputs[0] not in makers:
            return None
        maker, after = makers[op.inputs[0]], users[op.outputs[0]]
        between = self._code(maker) == _OPS.DEQUANTIZE and bool(after)
        if not between or any(self._code(user) != _OPS.QUANTIZE for user in after):
            return None
        return int(maker.inputs[0])

    def free_sizes(self) -> bool:
        """Let the number, height and width of pictures change where nothing in the network depends on them.

        Returns:
            Whether it was possible. If not, nothing has changed.
        """
        replacements = []
        for op in self._graph.operators:
            code = self._code(op)
            if code == _OPS.SLICE:
                replacement = self._channel_slice(op)
            elif code == _OPS.RESIZE_NEAREST_NEIGHBOR:
                replacement = self._enlargement(op)
            else:
                replacement = [op] if code in _ANY_SIZE else None
            if replacement is None:
                return False
            replacements.append(replacement)
        self._graph.operators = [op for replacement in replacements for op in replacement]
        for index in (*self._graph.inputs, *self._graph.outputs):
            tensor = self._graph.tensors[index]
            tensor.shapeSignature = np.array([-1, -1, -1, tensor.shape[3]], np.int32)
        return True

    def _channel_slice(self, op: Any) -> list[Any] | None:
        """A slice of channels; only the strided kind takes the other axes whole, whatever their sizes."""
        source, target = (self._graph.tensors[index] for index in (op.inputs[0], op.outputs[0]))
        start = self._constant(op.inputs[1])
        if len(source.shape) != _AXES or list(source.shape[:3]) != list(target.shape[:3]) or start is None:
            return None
        end = np.array([0, 0, 0, start[3] + target.shape[3]])
        whole = 0b0111  # a bit an axis
        options = schema.StridedSliceOptionsT()
        options.beginMask = options.endMask = whole
        strided = self._operator(_OPS.STRIDED_SLICE, "StridedSliceOptions", options)
        bounds = [self._new_constant(values) for values in (start, end, np.ones(_AXES))]
        strided.inputs, strided.outputs = [op.inputs[0], *bounds], list(op.outputs)
        return [strided]

    def _enlargement(self, op: Any) -> list[Any] | None:
        """An enlargement by a whole number: channels repeated, then laid out over space."""
        source, target = (self._graph.tensors[index] for index in (op.inputs[0], op.outputs[0]))
        factors = {int(new) / int(old) for new, old in zip(target.shape[1:3], source.shape[1:3], strict=True)}
        factor = int(min(factors))
        if factors != {factor}:
            return None
        repeated = copy.copy(source)
        repeated.name = source.name + b"_repeated"
        repeated.shape = np.array([*source.shape[:3], source.shape[3] * factor**2], np.int32)
        self._graph.tensors.append(repeated)
        joining = schema.ConcatenationOptionsT()
        joining.axis = 3
        join = self._operator(_OPS.CONCATENATION, "ConcatenationOptions", joining)
        join.inputs, join.outputs = [op.inputs[0]] * factor**2, [len(self._graph.tensors) - 1]
        spreading = schema.DepthToSpaceOptionsT()
        spreading.blockSize = factor
        spread = self._operator(_OPS.DEPTH_TO_SPACE, "DepthToSpaceOptions", spreading)
        spread.inputs, spread.outputs = list(join.outputs), list(op.outputs)
        return [join, spread]

    def _links(self) -> tuple[dict[int, Any], dict[int, list[Any]]]:
        """For each tensor the operator that makes it, and those that use it."""
        makers: dict[int, Any] = {}
        users: dict[int, list[Any]] = defaultdict(list)
        for op in self._graph.operators:
            makers.update(dict.fromkeys(op.outputs, op))
            for index in op.inputs:
                users[index].append(op)
        return makers, users

    def _code(self, op: Any) -> int:
        code = self._model.operatorCodes[op.opcodeIndex]
        # Old files have the code in a byte, which new ones leave at its highest value.
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))

    def _scale(self, index: int) -> tuple[float, int]:
        quantisation = self._graph.tensors[index].quantization
        return float(quantisation.scale[0]), int(quantisation.zeroPoint[0])

    def _constant(self, index: int) -> Any:
        data = self._model.buffers[self._graph.tensors[index].buffer].data
        return None if data is None else np.frombuffer(bytes(data), np.int32)

    def _new_constant(self, values: Any) -> int:
        """Add a list of int32 and return its tensor's index."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.asarray(values, np.int32).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.type = schema.TensorType.INT32
        tensor.shape = np.array([len(values)], np.int32)
        tensor.buffer = len(self._model.buffers) - 1
        tensor.name = f"bounds_{tensor.buffer}".encode()
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _operator(self, code: int, kind: str, options: Any) -> Any:
        op = schema.OperatorT()
        op.opcodeIndex = self._code_index(code)
        op.builtinOptionsType, op.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        return op

    def _code_index(self, wanted: int) -> int:
        for index, code in enumerate(self._model.operatorCodes):
            if max(int(code.builtinCode), int(code.deprecatedBuiltinCode)) == wanted:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = wanted, min(wanted, 127)
        code.version = 2  # the first one that takes int8
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1
