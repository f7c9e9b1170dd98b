"""Whose failure it was: from the words of launchers, clouds and machines to a mishap."""

from collections.abc import Iterable, Iterator
from typing import Final

from remuda.cloud.api import CloudError
from remuda.metrics.results import Result
from remuda.model.build import Blame, Mishap
from remuda.model.capsule import Capsule, decode_capsule
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, RequestId
from remuda.redaction import redact_middle
from remuda.runtime.waiting import HandStoppedError, OverdueError
from remuda.ssh.errors import KeyFileError, SshError
from remuda.store import paths
from remuda.store.api import Store, StoreError
from requestor.errors import NodesLostError, RequestorError

#: Of one sentence; the log has more.
MESSAGE_CHARS_MAX: Final = 2_000
#: A machine ran, and did not do what one of its kind has to: its image may be why.
_OF_THE_MACHINE: Final = frozenset({Result.SSH, Result.KEYSCAN})
#: What ends a hand in a foreseen way.
ENDINGS: Final = (
    CloudError,
    StoreError,
    SshError,
    RequestorError,
    OSError,
    OverdueError,
    HandStoppedError,
)


class MishapError(Exception):
    """What a hand works on came to nothing.

    Attributes:
        mishap: What is to be written.
    """

    def __init__(self, mishap: Mishap) -> None:
        super().__init__(mishap.said)
        self.mishap = mishap


def mishap(step: str, blame: Blame, message: str) -> Mishap:
    """Return what went wrong, in words without secrets."""
    return Mishap(step=step, blame=blame, message=redact_middle(message, MESSAGE_CHARS_MAX))


def fail(step: str, blame: Blame, message: str) -> MishapError:
    """Return the error to raise."""
    return MishapError(mishap(step, blame, message))


def of_error(step: str, exc: Exception) -> Mishap:
    """Return whose failure an error was that nobody has judged where it was raised.

    Args:
        step: What was being done.
        exc: One of :data:`ENDINGS`.
    """
    blame = Blame.BUILDER
    if isinstance(exc, CloudError | OverdueError):
        blame = Blame.CLOUD
    elif isinstance(exc, SshError) and not isinstance(exc, KeyFileError):
        blame = Blame.MACHINE
    elif isinstance(exc, RequestorError) and not isinstance(exc, NodesLostError):
        blame = Blame.CLOUD
    return mishap(step, blame, str(exc) or type(exc).__name__)


def of_request(store: Store, provider: str, request_id: RequestId, said: str) -> Mishap:
    """Return why a request for a machine has failed: by the evidence of its launches.

    It is the machine's failure only if no launch failed for another reason.

    Args:
        store: Where the evidence is.
        provider: Who was asked.
        request_id: The request, which may be gone.
        said: What is said if there is no evidence.
    """
    reports = [one for one in read_reports(store, provider) if one.request == request_id]
    if not reports:
        return mishap("machine", Blame.CLOUD, said)
    blame = Blame.MACHINE if all(map(of_the_machine, reports)) else Blame.CLOUD
    telling = [one for one in reports if of_the_machine(one) is (blame is Blame.MACHINE)]
    last = max(telling, key=lambda one: one.at_s)
    return mishap("machine", blame, f"{last.why} ({last.result}, node {last.node})")


def of_the_machine(report: Capsule) -> bool:
    """Whether a launch failed by what the machine did once it ran.

    One that has an address, and where nothing listens, is such; one that has none is not.
    """
    if report.result == Result.NETWORK:
        return bool(report.transcript)
    return report.result in _OF_THE_MACHINE


def read_reports(store: Store, provider: str) -> tuple[Capsule, ...]:
    """Return the evidence that is kept in a provider; a store that is away has none."""
    try:
        names = store.children(paths.failures(provider))
        found = store.read_many([paths.failure(provider, NodeId(name)) for name in names])
    except StoreError:
        return ()
    raw = (None if one is None else one.value for one in found)
    return tuple(_decoded(zip(names, raw, strict=True)))


def _decoded(raw: Iterable[tuple[str, bytes | None]]) -> Iterator[Capsule]:
    for name, data in raw:
        if data is None:
            continue
        try:
            yield decode_capsule(name, data)
        except CorruptRecordError:
            continue
