"""What no single value shows: keys that exclude each other, and sections that do not fit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from remuda.config.base import METADATA_ITEMS_MAX
from remuda.config.capacity import check_room
from remuda.config.document import Path
from remuda.config.misspellings import Coverage, misspelled
from remuda.config.model import PoolLabel, Provider
from remuda.config.name_guesses import nearest
from remuda.config.patterns import means, repeats_repeats
from remuda.config.raw import entries, mapping, seconds
from remuda.config.report import Report
from remuda.config.shape import shapes
from remuda.config.use import uses_of
from remuda.model.tags import OURS_MAX

_CONNECTIONS: Final = shapes(PoolLabel)["connection-type"].words


def check_whole(data: object, report: Report) -> None:
    """Report what is wrong between sections: labels, pools, providers, times."""
    coverage = Coverage.of(data, report)
    _check_references(data, coverage, report)
    _check_capsules(data, coverage, report)
    _check_logins(data, report)
    _check_metadata(data, report)
    check_room(data, coverage, report)
    _check_same_region(data, report)
    _check_times(data, report)
    _check_repeats(data, (), report)


def _check_references(data: object, coverage: Coverage, report: Report) -> None:
    used = set()
    for use in uses_of(data):
        used.add(use.label)
        known = coverage.labels
        if known is not None and use.label not in known:
            report.problem(use.path, "no such label", nearest(use.label, known), at_key=True)
    for name in mapping(mapping(data).get("labels")):
        if name not in used and coverage.certain(name):
            report.problem(
                ("labels", name),
                "no pool serves this label",
                "name it under the labels of a pool, or remove it",
                at_key=True,
            )


def _check_capsules(data: object, coverage: Coverage, report: Report) -> None:
    """Warn of patterns that mean no label; of what is no pattern its own check tells."""
    jobs = mapping(mapping(data).get("capsules")).get("jobs")
    labels = coverage.labels
    if not labels or not isinstance(jobs, list):
        return
    for index, one in enumerate(jobs):
        try:
            usable = isinstance(one, str) and not repeats_repeats(one)
        except re.error:
            continue
        if usable and not any(means(one, label) for label in labels):
            report.warning(
                ("capsules", "jobs", index),
                "no label is called so: no failed job leaves a capsule by it",
                "write a regular expression for whole names, such as small-.*",
            )


def _check_logins(data: object, report: Report) -> None:
    """Report setup and checks that would never run, because nobody logs in to the node."""
    labels = mapping(mapping(data).get("labels"))
    for use in uses_of(data):
        wanted = [
            key
            for key in ("setup", "checks")
            if use.entry.get(key) or mapping(labels.get(use.label)).get(key)
        ]
        connection = use.entry.get("connection-type") or "ssh"
        if connection not in _CONNECTIONS:
            continue
        if wanted and connection != "ssh":
            report.problem(
                use.path,
                f"has {' and '.join(wanted)}, which run over ssh only, not {connection}",
                "have connection-type ssh, or a label without them",
                at_key=True,
            )
        elif wanted and _without_key(use.provider):
            report.problem(
                use.path,
                f"has {' and '.join(wanted)}, but its provider has no key to log in with",
                f"add ssh-key-file to providers.{use.path[1]}",
                at_key=True,
            )


def _check_metadata(data: object, report: Report) -> None:
    """Warn of more metadata than Nova takes by default; a cloud may have another quota."""
    most = METADATA_ITEMS_MAX - OURS_MAX
    for use in uses_of(data):
        kinds = ("instance-properties", "dynamic-instance-properties")
        names = {name for kind in kinds for name in mapping(use.entry.get(kind))}
        if len(names) > most:
            report.warning(
                use.path,
                f"has {len(names)} properties; with {OURS_MAX} of ours that is more than the"
                f" {METADATA_ITEMS_MAX} that clouds take by default",
                f"keep {most}; remuda cloud check compares with the cloud's own limit",
                at_key=True,
            )


def _without_key(provider: Mapping[str, object]) -> bool:
    return provider.get("ssh-key-file") is None and "ssh-key-file" not in misspelled(
        Provider, provider
    )


def _check_same_region(data: object, report: Report) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, provider in entries(data, "providers"):
        cloud = provider.get("cloud")
        if not isinstance(cloud, str):
            continue
        first = seen.setdefault((cloud, str(provider.get("region"))), name)
        if first != name:
            report.warning(
                ("providers", name),
                f"has the same cloud and region as provider {first!r}",
                "their limits do not know of each other; pools of one provider would",
                at_key=True,
            )


@dataclass(frozen=True, slots=True)
class _Order:
    """A duration that only makes sense below another one of its section."""

    smaller: str
    larger: str
    defaults_s: tuple[float, float]
    consequence: str


_ORDERS = (
    _Order(
        "boot-timeout", "launch-timeout", (600.0, 900.0), "launch-timeout ends the launch first"
    ),
    _Order("list-period", "idle-list-period", (3.0, 60.0), "listings would be rarer when needed"),
)


def _check_times(data: object, report: Report) -> None:
    for name, provider in entries(data, "providers"):
        for order in _ORDERS:
            small_s = seconds(provider, order.smaller, order.defaults_s[0])
            large_s = seconds(provider, order.larger, order.defaults_s[1])
            if small_s is not None and large_s is not None and small_s > large_s:
                report.warning(
                    ("providers", name, order.smaller),
                    f"is longer than {order.larger}: {order.consequence}",
                )


def _check_repeats(value: object, path: Path, report: Report) -> None:
    """Warn of lists of texts that hold one twice."""
    for spot, item in _items(value, path):
        _check_repeats(item, spot, report)
    if isinstance(value, list):
        seen: set[str] = set()
        for index, item in enumerate(value):
            if isinstance(item, str) and item in seen:
                report.warning((*path, index), f"{item!r} is in the list twice")
            elif isinstance(item, str):
                seen.add(item)


def _items(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield (*path, str(key)), item
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index), item
