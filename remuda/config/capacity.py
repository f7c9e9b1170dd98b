"""Could the pools ever hold what is asked of them?"""

from collections.abc import Iterable, Mapping
from typing import Final

from remuda.config.base import switch
from remuda.config.misspellings import Coverage
from remuda.config.model import MIN_READY_MAX, Volume
from remuda.config.raw import entries, mapping, size_mib, whole
from remuda.config.report import Report
from remuda.config.units import show_size
from remuda.config.use import Use, uses_of

_VOLUME_MIB: Final = Volume().size


def check_room(data: object, coverage: Coverage, report: Report) -> None:
    """Report labels that no pool can make, or not as many of as min-ready asks for.

    A label whose pools are all closed (max-servers 0, or max-concurrency 0 of the provider) is
    only warned of: closing the last pool for a while must not need more changes than that.
    """
    uses: dict[str, list[Use]] = {}
    for use in uses_of(data):
        uses.setdefault(use.label, []).append(use)
    for name, label in entries(data, "labels"):
        if name in uses and coverage.certain(name):
            _check_label(name, label, uses[name], report)


def _check_label(
    name: str, label: Mapping[str, object], uses: Iterable[Use], report: Report
) -> None:
    path = ("labels", name)
    open_uses = [use for use in uses if not _closed(use)]
    if not open_uses:
        report.warning(path, "all pools that serve this label are closed", at_key=True)
        return
    reasons = [_too_small(use) for use in open_uses]
    if all(reasons):
        report.problem(
            path,
            f"no pool can ever hold a node of this label: {reasons[0]}",
            "raise the limit or lower the minimum",
            at_key=True,
        )
        return
    fitting = [use for use, why in zip(open_uses, reasons, strict=True) if not why]
    _check_min_ready(name, label, fitting, report)


def _check_min_ready(
    name: str, label: Mapping[str, object], uses: Iterable[Use], report: Report
) -> None:
    wanted = whole(label, "min-ready") or 0
    limits = [whole(use.pool, "max-servers") for use in uses]
    if any(limit is None or limit < 0 for limit in limits):  # none, or wrong anyway
        return
    total = sum(limit for limit in limits if limit is not None)
    if total < wanted <= MIN_READY_MAX:
        report.problem(
            ("labels", name, "min-ready"),
            f"is {wanted:g}, but its pools hold at most {total:g} servers together",
            "lower it or raise max-servers",
        )


def _closed(use: Use) -> bool:
    return whole(use.pool, "max-servers") == 0 or whole(use.provider, "max-concurrency") == 0


def _too_small(use: Use) -> str:
    """Return why the pool cannot hold even one node of the label; empty if it can."""
    where = f"{use.path[1]}.{use.path[3]}"
    flavor = mapping(use.entry.get("flavor"))
    cores, cores_max = whole(flavor, "cores"), whole(use.pool, "max-cores")
    if cores is not None and cores_max is not None and cores > cores_max:
        return f"it needs {cores:g} cores, {where} has max-cores {cores_max:g}"
    ram, ram_max = size_mib(flavor, "ram"), size_mib(use.pool, "max-ram")
    if ram is not None and ram_max is not None and ram > ram_max:
        return f"it needs {show_size(ram)} of memory, {where} has max-ram {show_size(ram_max)}"
    return _no_volume(use, where)


def volume_mib(entry: Mapping[str, object]) -> int | None:
    """Return the size of the volume that a label of a pool boots from, MiB; None: from none."""
    volume = entry.get("boot-from-volume")
    if volume is None or switch(volume) is False:
        return None
    size = size_mib(mapping(volume), "size")
    return _VOLUME_MIB if size is None else size


def _no_volume(use: Use, where: str) -> str:
    needed, size_max = volume_mib(use.entry), size_mib(use.pool, "max-volume-size")
    if needed is None:
        return ""
    if whole(use.pool, "max-volumes") == 0:
        return f"it boots from a volume, {where} has max-volumes 0"
    if size_max is not None and needed > size_max:
        return f"it needs a volume of {show_size(needed)}, {where} allows {show_size(size_max)}"
    return ""
