"""Recipes that are tried without a network: what is run there, and what could never pass."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final

from remuda.config.base import switch
from remuda.config.document import Path
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.misspellings import misspelled
from remuda.config.raw import mapping
from remuda.config.recipes import WrittenRecipes
from remuda.config.report import Report

_SWITCH: Final = "offline"
_CHECKS: Final = "offline-checks"
_DEFAULTS: Final[Path] = ("image-defaults",)


def check_offline(written: WrittenRecipes, report: Report) -> None:
    """Report what contradicts itself, and what no machine without a network can pass."""
    used = False
    for name, image in written.images.items():
        used |= _wanted(image, written.defaults) is not False
        _check_image(name, written, report)
    if written.defaults.get(_CHECKS) and written.images and not used:
        _warn_of_idle(_DEFAULTS, "no image is 'offline: true'", report)
    for top, section in ((_DEFAULTS, written.defaults), *_images(written)):
        for path, check in _checks(top, section):
            _check_passable(path, check, report)


def _images(written: WrittenRecipes) -> Iterator[tuple[Path, Mapping[str, object]]]:
    for name, image in written.images.items():
        yield ("images", name), image


def _wanted(image: Mapping[str, object], defaults: Mapping[str, object]) -> bool | None:
    """Return whether an image is to be tried offline; None: what is written is no answer."""
    said = image[_SWITCH] if _SWITCH in image else defaults.get(_SWITCH, False)
    return switch(said)


def _check_image(name: str, written: WrittenRecipes, report: Report) -> None:
    image, top = written.images[name], ("images", name)
    wanted = _wanted(image, written.defaults)
    doubtful = misspelled(RecipeFrom, image) | misspelled(ImageDefaults, written.defaults)
    if wanted and not (image.get(_CHECKS) or written.defaults.get(_CHECKS)):
        if _CHECKS not in doubtful:
            own = _SWITCH in image
            report.problem(
                (*top, _SWITCH) if own else top,
                "is tried without a network, and nothing says what has to work there",
                f"write {_CHECKS}, as a job would use what is in the image, or leave out offline",
                at_key=not own,
            )
    elif wanted is False and image.get(_CHECKS) and _SWITCH not in doubtful:
        _warn_of_idle(top, f"{name!r} is not 'offline: true'", report)


def _warn_of_idle(top: Path, why: str, report: Report) -> None:
    report.warning(
        (*top, _CHECKS),
        f"are never run: {why}",
        "write offline: true beside them",
        at_key=True,
    )


def _checks(
    top: Path, section: Mapping[str, object]
) -> Iterator[tuple[Path, Mapping[str, object]]]:
    listed = section.get(_CHECKS)
    for index, one in enumerate(listed if isinstance(listed, list) else ()):
        yield (*top, _CHECKS, index), mapping(one)


def _check_passable(path: Path, check: Mapping[str, object], report: Report) -> None:
    """Report what asks for the network that there is not; a machine can always reach itself."""
    host = mapping(check.get("network")).get("host")
    if isinstance(host, str) and not _is_itself(host):
        report.problem(
            (*path, "network"),
            f"never passes: nothing of {host!r} can be reached without a network",
            "try what is in the image itself, for example with a script",
            at_key=True,
        )
    name = mapping(check.get("dns")).get("name")
    if isinstance(name, str) and not _is_itself(name):
        report.warning(
            (*path, "dns"),
            f"asks no name server: {name!r} must stand in /etc/hosts of the image",
            at_key=True,
        )


def _is_itself(host: str) -> bool:
    if host.rstrip(".").lower() in {"localhost", "ip6-localhost", "ip6-loopback"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
