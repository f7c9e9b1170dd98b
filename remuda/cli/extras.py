"""Parts of Remuda whose libraries are installed on demand only, as extras of the package."""

from importlib.util import find_spec
from typing import Final

from remuda.cli.errors import CommandFailedError

#: What each extra brings, one module of each library.
EXTRAS: Final = {"sandbox": ("h11", "starlette", "uvicorn")}


def advice(module: str | None) -> str:
    """Return what to install when *module* is missing, to be put behind a sentence, or nothing."""
    for extra, modules in EXTRAS.items():
        if module is not None and module.partition(".")[0] in modules:
            return f"; install it with: pip install 'remuda[{extra}]'"
    return ""


def need(extra: str) -> None:
    """See that an extra is installed, before anything is begun that needs it.

    Raises:
        CommandFailedError: If it is not.
    """
    for module in EXTRAS[extra]:
        if find_spec(module) is None:
            raise CommandFailedError(f"this needs {module}, which is not here{advice(module)}", 1)
