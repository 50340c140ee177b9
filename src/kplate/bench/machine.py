"""What a figure was measured on: the machine and the versions of the libraries."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import kplate
from kplate.engines import thread_count
from kplate.engines.runtimes import RUNTIMES

#: Packages whose version matters to speed or answers, as they are called where they are installed from.
PACKAGES: Final = (
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "simplejpeg",
    "pillow",
    *(name for runtime in RUNTIMES.values() for name in runtime.distributions),
    "torch",
)
#: What of a processor's abilities decides how fast networks run.
_FLAGS: Final = (
    *("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"),
    *("asimd", "asimddp", "i8mm", "bf16"),
)
_CPUINFO: Final = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """Return what the machine is, as plain values."""
    facts = _cpuinfo()
    return {
        "processor": facts.get("model name")
        or facts.get("Model")
        or platform.processor()
        or platform.machine(),
        "abilities": [flag for flag in _FLAGS if flag in _flags(facts)],
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "cores_of_this_process": thread_count(None),
        "memory_gib": _memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": _load(),
    }


def versions() -> dict[str, str]:
    """Return the version of kplate and of each library that is installed."""
    found = {"kplate": kplate.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def peak_memory() -> float | None:
    """Return the most memory that this process has held at once, in MiB; None where nobody says."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _cpuinfo() -> dict[str, str]:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _flags(facts: dict[str, str]) -> frozenset[str]:
    return frozenset((facts.get("flags") or facts.get("Features") or "").split())


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30), 1)
    except (AttributeError, OSError, ValueError):
        return None


def _load() -> float | None:
    """Return how many processes wanted a core in the last minute, before this one began to measure."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
