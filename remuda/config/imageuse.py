"""Labels that boot images of ours: do these exist there, and have they room?"""

from typing import Final

from remuda.config.capacity import volume_mib
from remuda.config.misspellings import Coverage
from remuda.config.name_guesses import meant_name, nearest
from remuda.config.raw import mapping, size_mib
from remuda.config.recipes import WrittenRecipes
from remuda.config.report import Report
from remuda.config.units import show_size
from remuda.config.use import Use, uses_of

_BUILT: Final = ("image", "built")


def check_image_uses(data: object, written: WrittenRecipes, report: Report) -> None:
    """Report labels whose image nobody makes there or that cannot boot it; warn of idle images."""
    used: set[str] = set()
    for use in uses_of(data):
        name = mapping(use.entry.get("image")).get("built")
        if not isinstance(name, str):
            continue
        provider = str(use.path[1])
        used.add(name)
        if name not in written.images:
            used.add(meant_name(name, written.images) or "")
            report.problem((*use.path, *_BUILT), "no such image", nearest(name, written.images))
        elif provider in written.chosen(name):
            _check_disk(use, name, provider, written, report)
        elif written.certain(name):
            report.problem(
                (*use.path, *_BUILT),
                f"{name!r} is not made in provider {provider!r}",
                f"add {provider} to the providers of this image",
            )
    for name in written.images:
        used |= {written.parent(name, provider)[0] for provider in written.chosen(name)}
    for name in written.images if Coverage.of(data, report).complete else ():
        if name not in used:
            report.warning(
                ("images", name),
                "no label boots this image, and no other image starts from it",
                at_key=True,
            )


def _check_disk(
    use: Use, name: str, provider: str, written: WrittenRecipes, report: Report
) -> None:
    """Report a volume that is smaller than the image; warn of a flavor that may well be."""
    if written.commanded(name):
        return  # what the flavor says is of the machines that prove it: any disk that is enough
    source = written.value("copy-from", name, provider)
    maker = provider if source is None else str(source)
    needed = size_mib(mapping(written.value("flavor", name, maker)), "disk")
    if not needed:
        return  # named flavors: only the cloud knows their disks
    volume = volume_mib(use.entry)
    least = size_mib(mapping(use.entry.get("flavor")), "disk")
    if volume is not None and volume < needed:
        report.problem(
            (*use.path, "boot-from-volume"),
            f"is a volume of {show_size(volume)}, but {name!r} is made on a disk of at least "
            f"{show_size(needed)} and boots from no smaller one",
            "have a larger volume, or less disk in the flavor of the image",
        )
    elif volume is None and least and least < needed:
        report.warning(
            (*use.path, "flavor", "disk"),
            f"is less than the {show_size(needed)} on which {name!r} is made: it boots from no "
            "smaller disk",
            f"write {show_size(needed)} here, or less in the flavor of the image",
        )
