"""The runtimes there are: their names, what they run, and which command installs them."""

import importlib.util
from dataclasses import dataclass
from typing import Final

from kplate.errors import EngineError

#: The name that stands for the runtime that kplate chooses: of those that are installed and have the most
#: precise network, the fastest.
AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class Runtime:
    """Something that runs networks.

    Attributes:
        name: What it is called in ``--engine``.
        title: What it is called in sentences.
        package: The module to import; whether there is one tells whether it is installed.
        distributions: What brings that module, as `pip` calls it; only one of them should be installed.
        module: Ours, which runs it.
        factory: The class in it, which fits :class:`kplate.engines.Engine`.
        suffixes: Of the files that it runs, its own first; an empty one stands for folders.
        format: What ``kplate export --format`` calls its own files.
        providers: What it computes on; the first one is the default.
    """

    name: str
    title: str
    package: str
    distributions: tuple[str, ...]
    module: str
    factory: str
    suffixes: tuple[str, ...]
    format: str
    providers: tuple[str, ...]


#: By name, the fastest on float32 networks first; measured with `kplate bench` (docs/boards.md).
RUNTIMES: Final = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            name="onnx",
            title="ONNX Runtime",
            package="onnxruntime",
            distributions=("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
            module="kplate.engines.onnx",
            factory="OnnxEngine",
            suffixes=(".onnx",),
            format="onnx",
            providers=("cpu", "cuda", "tensorrt", "coreml", "directml"),
        ),
        Runtime(
            name="litert",
            title="LiteRT",
            package="ai_edge_litert",
            distributions=("ai-edge-litert",),
            module="kplate.engines.litert",
            factory="LiteRtEngine",
            suffixes=(".tflite",),
            format="tflite",
            providers=("cpu", "gpu"),
        ),
        Runtime(
            name="openvino",
            title="OpenVINO",
            package="openvino",
            distributions=("openvino",),
            module="kplate.engines.openvino",
            factory="OpenVinoEngine",
            suffixes=(".xml", ".onnx"),
            format="openvino",
            providers=("cpu", "bfloat16", "gpu", "npu"),
        ),
        Runtime(
            name="saved_model",
            title="TensorFlow",
            package="tensorflow",
            distributions=("tensorflow", "tensorflow-cpu"),
            module="kplate.engines.saved_model",
            factory="SavedModelEngine",
            suffixes=("", ".saved_model"),
            format="saved_model",
            providers=("cpu", "gpu"),
        ),
    )
}

#: The same on int8 networks.
_FASTEST_INT8: Final = ("litert", "onnx", "openvino", "saved_model")

#: Extras that bring a provider of ONNX Runtime; the others come with its ordinary package.
PROVIDER_EXTRAS: Final = {"cuda": "cuda", "tensorrt": "cuda", "directml": "directml"}


def fastest(precision: str) -> tuple[Runtime, ...]:
    """Order the runtimes by their speed on networks of a precision, the fastest first."""
    return tuple(RUNTIMES[name] for name in (_FASTEST_INT8 if precision == "int8" else RUNTIMES))


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and what it computes on, as a user names them: ``onnx``, ``onnx:cuda``, ``auto``.

    Attributes:
        engine: A name in :data:`RUNTIMES`, or ``auto``.
        provider: One of its providers; None for its first.
    """

    engine: str
    provider: str | None = None

    def __str__(self) -> str:
        return self.engine if self.provider is None else f"{self.engine}:{self.provider}"


def choice_of(engine: str | None, provider: str | None = None) -> Choice:
    """Understand the name of an engine.

    Args:
        engine: ``auto``, a runtime's name, or both name and provider as ``onnx:cuda``; None for ``auto``.
        provider: The provider, where it is not in the name.

    Raises:
        EngineError: There is no such engine, or it has no such provider; the message says which there are.
    """
    name, _, behind = (engine or AUTO).partition(":")
    provider = behind or provider
    if name == AUTO:
        if provider:
            raise EngineError(f"cannot choose the provider {provider!r} without an engine, such as onnx:cuda")
        return Choice(AUTO)
    if name not in RUNTIMES:
        raise EngineError(f"there is no engine {name!r}: choose of {', '.join((AUTO, *RUNTIMES))}")
    runtime = RUNTIMES[name]
    if provider and provider not in runtime.providers:
        raise EngineError(
            f"the engine {name} has no provider {provider!r}: choose of {', '.join(runtime.providers)}"
        )
    return Choice(name, provider)


def is_installed(runtime: Runtime) -> bool:
    """Tell whether a runtime's package can be found, without importing it."""
    try:
        return importlib.util.find_spec(runtime.package) is not None
    except (ImportError, ValueError):
        return False


def install_hint(runtime: Runtime, provider: str | None = None) -> str:
    """Return the command that installs a runtime, or a provider of it."""
    extra = PROVIDER_EXTRAS.get(provider or "", runtime.name.replace("_", "-"))
    return f"pip install 'kplate[{extra}]'"
