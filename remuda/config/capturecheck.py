"""Images that are captured: what stands beside `capture`, and which labels it means."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from remuda.config.base import switch
from remuda.config.beside import check_beside
from remuda.config.document import Path
from remuda.config.patterns import means, repeats_repeats
from remuda.config.raw import entries, mapping
from remuda.config.recipes import WrittenRecipes
from remuda.config.report import Report

_CAPTURE: Final = "capture"
#: What a recipe alone can have, and why not beside `capture`.
_OF_RECIPES: Final = {
    "base": "it starts from what the captured machine boots",
    "steps": "what is done on the machine, its job does",
    "schedule": "it is made when a holder asks for it",
    "default-steps": "it has no steps",
}
_OF_MAKINGS: Final = {
    "base": _OF_RECIPES["base"],
    "copy-from": "it is copied from wherever it was captured",
}


def check_captures(data: object, written: WrittenRecipes, report: Report) -> None:
    """Report what contradicts `capture`, and labels of which nothing may or can be captured."""
    labels = dict(entries(data, "labels"))
    for name, image in written.images.items():
        if written.captured(name):
            check_beside(
                name,
                "capture",
                report,
                image=image,
                keys=_OF_RECIPES,
                of_makings=_OF_MAKINGS,
                instead="capture",
            )
            _check_labels(name, image, labels, report)
            _check_secrets(name, image, report)


def _check_labels(
    name: str,
    image: Mapping[str, object],
    labels: Mapping[str, Mapping[str, object]],
    report: Report,
) -> None:
    for index, pattern in _patterns(image):
        path: Path = ("images", name, _CAPTURE, "labels", index)
        meant = [one for one in labels if means(pattern, one)]
        secret = [one for one in meant if switch(labels[one].get("secret"))]
        if labels and not meant:
            report.warning(path, "no label is called so: nothing is captured by it")
        elif meant and len(secret) == len(meant):
            report.problem(
                path,
                f"means only {', '.join(secret)}, of which no image is captured: 'secret' is true",
                "name labels whose jobs work without secrets",
            )


def _check_secrets(name: str, image: Mapping[str, object], report: Report) -> None:
    """Warn of what jobs could read: whoever is root on a machine sees what it is to look for."""
    if mapping(image.get("secrets")):
        report.warning(
            ("images", name, "secrets"),
            "their values are told to machines of jobs, to be looked for: a job can read them",
            "name only what these jobs know anyway",
            at_key=True,
        )


def _patterns(image: Mapping[str, object]) -> Iterator[tuple[int, str]]:
    """Yield the patterns with their places; of what is none the section's own check tells."""
    listed = mapping(image.get(_CAPTURE)).get("labels")
    for index, one in enumerate(listed if isinstance(listed, list) else ()):
        try:
            usable = isinstance(one, str) and not repeats_repeats(one)
        except re.error:
            usable = False
        if usable:
            yield index, one
