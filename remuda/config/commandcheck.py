"""Images that a command writes: what cannot stand beside `command`."""

from collections.abc import Mapping
from typing import Final

from remuda.config.beside import check_beside
from remuda.config.raw import mapping, size_mib
from remuda.config.recipes import WrittenRecipes
from remuda.config.report import Report
from remuda.config.units import show_size

_NO_MACHINE: Final = "no machine is filled for it"
#: What a machine that is filled has, or a job's, and why not beside `command`.
_OF_MACHINES: Final = {
    "base": "the command starts from what it likes",
    "steps": f"{_NO_MACHINE}: the command does all of it",
    "checks-before": f"{_NO_MACHINE}; those in checks are run on a machine that boots from it",
    "start-from": "the command starts from what it likes",
    "full-every": "the command starts from what it likes",
    "default-steps": "it has no steps",
    "inventory": "what is in its file nobody lists",
    "inventory-ignore": "what is in its file nobody lists",
    "capture": "it is made of a job's machine, or by a command",
}
_OF_MAKINGS: Final = {
    "base": _OF_MACHINES["base"],
    "copy-from": "its file goes to one provider, and from there to the others",
}


def check_commands(written: WrittenRecipes, report: Report) -> None:
    """Report what contradicts `command`, and labels that are promised less than it needs."""
    for name, image in written.images.items():
        if image.get("command") is not None:
            check_beside(
                name,
                "command",
                report,
                image=image,
                keys=_OF_MACHINES,
                of_makings=_OF_MAKINGS,
                instead="command",
            )
            _check_sizes(name, image, report)


def _check_sizes(name: str, image: Mapping[str, object], report: Report) -> None:
    """Report a flavor on which what it makes may never be proven."""
    needed = {key: size_mib(mapping(image.get("command")), f"min-{key}") for key in ("disk", "ram")}
    flavor = mapping(image.get("flavor"))
    for key, least in needed.items():
        there = size_mib(flavor, key)
        if least and there and there < least:
            report.problem(
                ("images", name, "flavor", key),
                f"is {show_size(there)}, and the image needs {show_size(least)} by its command",
                f"write {show_size(least)} here, or less in min-{key}",
            )
