"""Finding the flavor that a configuration means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remuda.cloud.api import BadOrderError, Flavor, TryLaterError
from remuda.cloud.images import near_names
from remuda.cloud.sizes import FlavorWanted
from remuda.cloud.wire import Wire


def list_flavors(wire: Wire) -> tuple[Flavor, ...]:
    """Return the flavors that this account may use, with one paged call."""
    docs = wire.pages("compute", ("flavors", "detail"), "flavors", {})
    try:
        return tuple(
            read_flavor(doc) for doc in docs if not doc.get("OS-FLV-DISABLED:disabled", False)
        )
    except (KeyError, ValueError, TypeError) as exc:
        raise TryLaterError(f"the answer with flavors cannot be read: {exc!r}") from exc


def read_flavor(doc: Mapping[str, Any]) -> Flavor:
    """Return one flavor of ``GET /flavors/detail``.

    Raises:
        KeyError, ValueError, TypeError: If this is no flavor.
    """
    return Flavor(
        id=doc["id"],
        name=doc["name"],
        cores=int(doc["vcpus"]),
        ram_mib=int(doc["ram"]),
        disk_gib=int(doc["disk"]),
    )


def choose(flavors: Iterable[Flavor], wanted: FlavorWanted) -> Flavor:
    """Return the one that is meant; of several, the smallest.

    Raises:
        BadOrderError: If none fits; the message says what there is, or what the image needs.
    """
    known = tuple(flavors)
    has_minimum = bool(wanted.ram_mib or wanted.cores or wanted.disk_gib)
    meant = [each for each in known if _is_meant(each, wanted, has_minimum=has_minimum)]
    if wanted.local_disk:  # see FlavorWanted: those without one only where there are no others
        meant = [each for each in meant if each.disk_gib] or meant
    fitting = [each for each in meant if _holds(each, wanted)]
    if fitting:
        return min(fitting, key=lambda f: (f.ram_mib, f.cores, f.disk_gib, f.name))
    least = f" with {wanted.ram_mib} MiB, {wanted.cores} cores, {wanted.disk_gib} GiB at least"
    name = f" {wanted.name!r}" if wanted.name else ""
    what = f"flavor{name}{least if has_minimum else ''}"
    if meant and not has_minimum and wanted.name:
        raise BadOrderError(f"the image does not fit on {what}: {_lacking(meant, wanted)}")
    if meant:
        raise BadOrderError(f"there is no {what} that the image fits on: {_lacking(meant, wanted)}")
    raise BadOrderError(
        f"there is no {what}; {near_names(wanted.name, (each.name for each in known))}"
    )


def _is_meant(flavor: Flavor, wanted: FlavorWanted, *, has_minimum: bool) -> bool:
    if not has_minimum:
        return wanted.name is None or wanted.name in {flavor.name, flavor.id}
    return (
        flavor.ram_mib >= wanted.ram_mib
        and flavor.cores >= wanted.cores
        and flavor.disk_gib >= wanted.disk_gib
        and (wanted.name is None or wanted.name in flavor.name)
    )


def _holds(flavor: Flavor, wanted: FlavorWanted) -> bool:
    """Whether Nova lets the image boot: it looks at sizes in just this way."""
    if flavor.ram_mib < wanted.needs.ram_mib:
        return False
    unlimited = not wanted.local_disk or flavor.disk_gib == 0
    return unlimited or flavor.disk_gib >= wanted.needs.disk_gib


def _lacking(meant: Sequence[Flavor], wanted: FlavorWanted) -> str:
    """Return what the image needs, and what the largest of those flavors has."""
    needs, largest = wanted.needs, max(meant, key=lambda f: (f.disk_gib, f.ram_mib))
    needed, there = [], []
    if needs.ram_mib:
        needed.append(f"{needs.ram_mib} MiB of memory")
        there.append(f"{largest.ram_mib} MiB")
    if needs.disk_gib and wanted.local_disk:
        needed.append(f"{needs.disk_gib} GiB of disk")
        there.append(f"{largest.disk_gib} GiB")
    return f"it needs {' and '.join(needed)}, and {largest.name} has {' and '.join(there)}"
