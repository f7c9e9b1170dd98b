"""What a machine has fetched from the network, and what those like it do: as they say themselves.

Like it are machines of its label in its provider that boot the same build of an image of ours, or
none, as it does.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from remuda.images.inventory import show_bytes
from remuda.images.plain import read_plain
from remuda.model.codec import CorruptRecordError
from remuda.model.fetched import During, Fetches
from remuda.model.image import parse_build
from remuda.model.jobreport import report_of
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.model.tally import BuildTally, decode_tally
from remuda.store import paths
from remuda.store.api import NotPermittedError, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFetches:
    """What one machine and those like it fetch.

    Attributes:
        own: Bytes of this one; what is not known is not in it.
        label: Its label.
        build: Of an image of ours that it boots, as ``<image>/<number>``; None: none of ours.
        alike: Of those like it, itself included once it is counted.
    """

    own: dict[During, int]
    label: str
    build: str | None
    alike: dict[During, Fetches]

    def as_json(self) -> dict[str, Any]:
        """Return it with the stable keys of docs/cli.md."""
        means = {
            str(during): {"machines": one.count, "mean_bytes": one.mean_bytes}
            for during, one in self.alike.items()
        }
        own = {f"{during}_bytes": self.own.get(during) for during in During}
        return {**own, "label": self.label, "build": self.build, "alike": means}

    def sentences(self) -> list[str]:
        """Return the same for people; nothing of what is not known."""
        own = [f"its {during} fetched {show_bytes(size)}" for during, size in self.own.items()]
        means = [
            f"a {during} fetches {show_bytes(mean)}"
            for during, one in self.alike.items()
            if (mean := one.mean_bytes) is not None
        ]
        which = "without an image of ours" if self.build is None else f"of build {self.build}"
        told = [f"{' and '.join(own)}, as it says itself"] if own else []
        if means:
            told.append(f"on the mean of {self.label} {which} {' and '.join(means)}")
        return told


def read_node_fetches(store: Store, node: Node, launch: Launch | None) -> NodeFetches | None:
    """Return what a machine fetched; None: it has no launch that we can read.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    if launch is None or node.provider is None:
        return None
    report = report_of(node)
    known = {
        During.SETUP: launch.setup_fetched,
        During.JOB: None if report is None else report.fetched_bytes,
    }
    tally = _tally(store, node.provider, launch)
    return NodeFetches(
        own={during: size for during, size in known.items() if size is not None},
        label=launch.label,
        build=launch.image_build,
        alike={during: tally.fetched(during).get(launch.label, Fetches()) for during in During},
    )


def _tally(store: Store, provider: str, launch: Launch) -> BuildTally:
    """Return what is counted of a build, or of machines without one; nothing if nobody knows."""
    if launch.first_use is not None:
        return BuildTally()  # it has run a recipe, and is like no other
    if launch.image_build is None:
        return read_plain(store, [provider]).get(provider, BuildTally())
    one = parse_build(launch.image_build)
    with suppress(CorruptRecordError, NotPermittedError):
        stored = None if one is None else store.read(paths.tally(one.image, provider))
        if one is not None and stored is not None:
            return decode_tally(one.image, provider, stored.value).of(one.number)
    return BuildTally()
