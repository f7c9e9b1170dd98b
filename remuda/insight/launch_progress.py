"""How far the machines are that are being made, and since when, as their launch records tell."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from remuda.insight.facts import SSH_PORT, facts_of
from remuda.insight.tree import TreeReader, decode_node, launches, reader
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, RequestId
from remuda.model.launch import Launch, Step
from remuda.model.status import Ruling, Verdict
from remuda.store import paths
from remuda.store.api import NotPermittedError, Store

_MAKING = frozenset({Step.PLANNED, Step.BOOTING, Step.PROVING})


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchProgress:
    """What a machine that is being made is waited for.

    Attributes:
        step: How far its launch is: planned, booting or proving.
        part: What is waited for within that: ``address``, connect, host-key, login, step, setup or
            check; None: nothing that has taken more than a moment.
        began_at_s: Since when, seconds since the epoch: of a machine that boots, since its intent.
        words: What was answered last, or the name of the script that runs; may be empty.
        port: Of its SSH server, if the node's record was looked at.
    """

    node: NodeId
    provider: str
    step: Step
    part: str | None
    began_at_s: float
    words: str
    port: int = SSH_PORT

    def as_json(self) -> dict[str, Any]:
        """Return it with the stable keys of docs/cli.md."""
        return {
            "node": self.node,
            "provider": self.provider,
            "step": str(self.step),
            "part": self.part,
            "began_at_s": self.began_at_s,
            "words": self.words,
        }


def progress_of(provider: str, launch: Launch) -> LaunchProgress | None:
    """Return how far a launch is, or None if nothing is being made (any more)."""
    if launch.step not in _MAKING:
        return None
    begun_s = launch.planned_s
    if launch.proof_since_s is not None:
        begun_s = launch.proof_since_s
    elif launch.step is Step.PROVING and launch.active_s is not None:
        begun_s = launch.active_s
    return LaunchProgress(
        node=launch.id,
        provider=provider,
        step=launch.step,
        part=launch.proof_step,
        began_at_s=begun_s,
        words=launch.proof_words or "",
    )


def read_launch_progress(
    read: TreeReader, providers: Iterable[str]
) -> dict[NodeId, LaunchProgress]:
    """Return what is being made in some providers, by node; what is closed to us is left out."""
    found: dict[NodeId, LaunchProgress] = {}
    for provider in sorted(set(providers)):
        try:
            told = launches(read, provider).records.values()
        except NotPermittedError:
            continue
        made = (progress_of(provider, launch) for launch in told)
        found |= {one.node: one for one in made if one is not None}
    return found


def launch_progress_for(
    store: Store, request: RequestId, verdicts: Iterable[Verdict]
) -> tuple[LaunchProgress, ...]:
    """Return what is being made on account of a request.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    taken = launches_for(reader(store), request, verdicts)
    made = [one for provider, launch in taken if (one := progress_of(provider, launch))]
    found = store.read_many([paths.node(one.node) for one in made])
    return tuple(
        one if stored is None else replace(one, port=_port(one.node, stored.value))
        for one, stored in zip(made, found, strict=True)
    )


def _port(node: NodeId, raw: bytes) -> int:
    try:
        return facts_of(decode_node(node, raw)).port
    except CorruptRecordError:
        return SSH_PORT


def launches_for(
    read: TreeReader, request: RequestId, verdicts: Iterable[Verdict]
) -> Iterator[tuple[str, Launch]]:
    """Yield the launches on account of a request, with their providers.

    Only those are looked at that have taken it, as their *verdicts* say.
    """
    for verdict in verdicts:
        if verdict.ruling not in (Ruling.SERVING, Ruling.WAITING):
            continue
        for launch in launches(read, verdict.provider).records.values():
            if request in (launch.for_request, launch.on_account_of):
                yield verdict.provider, launch
