"""What a plan may do to nodes, by their records and over SSH."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from launcher.lanes import (
    Kinds,
    Lane,
    aside,
    its_machine,
    machine,
    noting,
    on_nodes,
    tallying,
)
from remuda.frame.work import WorkKind
from remuda.metrics.results import Result
from remuda.model.archivetold import ArchiveTold
from remuda.model.capsule import CapsuleKind
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.model.image import UploadId
from remuda.model.jobreport import JobReport
from remuda.model.launch import Launch
from remuda.model.tally import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One node to be made; its id is drawn when the plan is carried out.

    Attributes:
        for_request: Nobody else may have it.
        on_account_of: Whose need it meets; charged if the launch fails.
        upload: The image of ours that it boots, or None.
        opened: The node whose take-home image it boots, or None.
        first_use: Fingerprint of the recipe that it runs before its setup, or None.
        login_key: Public line of the key that opens it for its builder, or None.
    """

    pool: str
    label: str
    cores: int
    ram_mib: int
    volume_gib: int
    az: str | None = None
    for_request: RequestId | None = None
    on_account_of: RequestId | None = None
    upload: UploadId | None = None
    first_use: str | None = None
    opened: NodeId | None = None
    login_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grow:
    """Write intents without a new claim: min-ready, or more for requests already claimed."""

    intents: tuple[Intent, ...]
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """Take over a launch whose owner died."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Write the next step of a launch."""

    node: NodeId
    launch: Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write down what a launch is waited for; whoever works on its machine goes on meanwhile."""

    node: NodeId
    launch: Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Prove:
    """Log in, set up and check."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """See whether a waiting ready node still answers; *request*: who gets it if it does."""

    WORD: ClassVar = "Knock"

    node: NodeId
    request: RequestId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReady:
    """Write that a node is proven, with everything its user needs to know."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Take back a node whose request went away without using it."""

    node: NodeId
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One thing that is to be counted of a node.

    Attributes:
        sample: As what it is counted of a build; None: it tells nothing of one.
        ok: Whether it went well.
        report: What its user reported, if that is what is counted.
        fetched: Bytes that the machine fetched meanwhile, if it is known.
        archived: What its user told of an archive, if that is what is counted.
    """

    node: NodeId
    sample: Sample | None
    ok: bool
    report: JobReport | None = None
    fetched: int | None = None
    archived: ArchiveTold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Count launches, and what users reported of their work: each once, by its owner.

    Attributes:
        image: The image of ours of whose builds they are; PLAIN: of none, and what they fetched is
            known; None: each is of no build of ours.
        samples: At least one, each of another node.
    """

    image: str | None
    samples: tuple[Sampled, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condemn:
    """Write that a node is to be deleted, so that nobody takes it any more.

    Attributes:
        lapsed: Contenders in its lock that were left there beyond the end of its hold: they are
            removed, and nobody else may be in the lock.
    """

    node: NodeId
    cause: str
    result: Result | None = None
    lapsed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectEvidence:
    """Keep the evidence of a failed launch or job: console log, fault, transcript, logs.

    Attributes:
        result: As in :class:`launcher.node.end.Failure`.
        until_s: The console is not asked for after that (monotonic): the deletion does not wait
            for it any longer.
    """

    WORD: ClassVar = "Autopsy"

    node: NodeId
    result: str
    cause: str
    until_s: float
    kind: CapsuleKind = CapsuleKind.LAUNCH


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRecords:
    """Remove the records of a node whose server the cloud no longer shows.

    Attributes:
        server: If it was surely this node's: what else was made for it goes later.
    """

    WORD: ClassVar = "Bury"

    node: NodeId
    server: ServerId | None = None


def _its_tally(action: Count) -> tuple[str, str] | None:
    return None if action.image is None else tallying(action.image)


def _its_samples(action: Count) -> Iterator[tuple[str, str]]:
    return (machine(one.node) for one in action.samples)


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    **aside(Grow),
    **on_nodes(Adopt, Advance, MakeReady, Free, Condemn, RemoveRecords),
    Count: WorkKind(None, _its_tally, besides=_its_samples),
    Note: WorkKind(None, lambda action: noting(action.node)),
    Prove: WorkKind(Lane.PROOF, its_machine),
    Probe: WorkKind(Lane.PROBE, its_machine),
    CollectEvidence: WorkKind(Lane.EVIDENCE, its_machine),
}
