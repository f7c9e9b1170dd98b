"""What cannot stand beside one key of a recipe: it is made in another way. Works on raw data."""

from collections.abc import Mapping

from remuda.config.document import Path
from remuda.config.raw import mapping
from remuda.config.report import Report


def check_beside(
    name: str,
    way: str,
    report: Report,
    *,
    image: Mapping[str, object],
    keys: Mapping[str, str],
    of_makings: Mapping[str, str],
    instead: str,
) -> None:
    """Report what stands beside the key that says in which way an image is made.

    Args:
        name: Of the image.
        way: The key, as it is written.
        report: Is told.
        image: What is said of it.
        keys: What it cannot have, and why not.
        of_makings: The same of each provider.
        instead: What one can do beside leaving such a key out.
    """
    top: Path = ("images", name)
    makings = mapping(image.get("providers")).items()
    for path, section, unwanted in (
        (top, image, keys),
        *(((*top, "providers", one), mapping(making), of_makings) for one, making in makings),
    ):
        for key, why in unwanted.items():
            if section.get(key) is not None:
                report.problem(
                    (*path, key),
                    f"stands beside {way}: {why}",
                    f"leave out {key}, or {instead}",
                    at_key=True,
                )
