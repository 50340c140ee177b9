"""Saying which command installs what an export lacks."""

import importlib.util

from kplate.errors import KplateError


def require(*modules: str, purpose: str, extra: str) -> None:
    """Make sure that modules are installed, without importing them.

    Args:
        modules: Their names.
        purpose: What they are needed for, to begin a sentence with.
        extra: The extra of kplate that brings them.

    Raises:
        KplateError: One is not; the message says which command installs it.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise KplateError(
                f"{purpose} needs {module}, which is not installed: pip install 'kplate[{extra}]'"
            )
