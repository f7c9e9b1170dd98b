"""Having an image made of a node's machine: asked for under its lock, and waited for."""

import threading
from collections.abc import Callable
from typing import Final

from remuda.images.capturefate import CaptureFate, Fate, fate_of
from remuda.images.words import BuilderWords, read_words
from remuda.insight.launches import BrokenLaunch, launch_answer, launch_in
from remuda.model.build import Build, decode_build
from remuda.model.capture import CaptureAsk, ask_fields, ask_of
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.image import IMAGE_NAME
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Check, NotPermittedError, Op, Store, StoreAwayError, Stored
from requestor.accept import AcceptedNode
from requestor.context import RequestorContext
from requestor.errors import CaptureFailedError, InvalidOptionsError, RequestorError
from requestor.noting import note_on_node

#: Records are looked at so often: a capture takes minutes.
LOOK_S: Final = 0.5
#: Who does not wait for a snapshot waits so long for the launcher's answer.
ANSWER_S: Final = 10.0


def capture_node(context: RequestorContext, taken: AcceptedNode, ask: CaptureAsk) -> AcceptedNode:
    """Ask for an image of a node's machine; raises as `note_on_node` and `nothing_asked` do."""
    return note_on_node(
        context,
        taken,
        ask_fields(ask),
        lambda node: ask_of(node) == ask,
        lambda: nothing_asked(context.store, taken.node, ask),
    )


def nothing_asked(store: Store, node: Node, ask: CaptureAsk) -> list[Op]:
    """Return what holds as long as no capture is in the way of another ask.

    An ask that is written over one that was taken would lie there, and be answered once that one
    has failed: long after its user was told that it is refused.

    Raises:
        CaptureFailedError: If an image is made of the machine already, or was.
        RequestorError: If a record that tells cannot be read.
        StoreAwayError: If ZooKeeper does not answer.
    """
    path = paths.launch(node.provider or "", node.id)
    (stored,) = store.read_fresh([path])
    if stored is None:
        return []
    launch, build = _told(store, node.id, stored)
    fate = fate_of(ask, launch, build)
    if fate.fate is Fate.REFUSED:
        raise CaptureFailedError(node.id, ask.image, fate.why, refused=True)
    return [Check(path=path, version=stored.version)]


def _told(
    store: Store, node: NodeId, stored: Stored[bytes] | None
) -> tuple[Launch | None, Build | None]:
    """Return a launch, and the build that it names for what was asked.

    Raises:
        RequestorError: If one of them cannot be read.
        StoreAwayError: If ZooKeeper does not answer.
    """
    answer = launch_answer(node, stored)
    if isinstance(answer, BrokenLaunch):
        raise RequestorError(f"what tells of the capture cannot be read: {node}: {answer.why}")
    launch = launch_in(answer)
    try:
        named = None if launch is None or launch.capture is None else launch.capture.build
        found = None if named is None else store.read(paths.build(named))
        build = None if found is None or named is None else decode_build(named, found.value)
    except CorruptRecordError as error:
        raise RequestorError(f"what tells of the capture cannot be read: {error}") from error
    return launch, build


def capture_ask(image: str, *, token: str, contender: str, at_s: float) -> CaptureAsk:
    """Return what is asked; *contender* is the path of our place in the lock.

    Raises:
        InvalidOptionsError: If no image can be called so.
    """
    if not IMAGE_NAME.fullmatch(image):
        raise InvalidOptionsError(f"{image!r} is no name of an image")
    name = contender.rpartition("/")[2]
    return CaptureAsk(image=image, token=token, contender=name, at_s=round(at_s, 3))


def outcome_of(node: NodeId, image: str, fate: CaptureFate) -> str:
    """Return the build that is made, empty if none was begun yet.

    Raises:
        CaptureFailedError: If there will be none.
    """
    if fate.fate in {Fate.REFUSED, Fate.FAILED}:
        raise CaptureFailedError(node, image, fate.why, refused=fate.fate is Fate.REFUSED)
    return "" if fate.build is None else str(fate.build)


class CaptureWatch:
    """Looks what becomes of one capture.

    Args:
        store: Where the records are.
        clock: The time.
        provider: Of the node.
        node: Of which node.
        ask: What was asked.
    """

    def __init__(
        self, store: Store, clock: Clock, *, provider: str, node: NodeId, ask: CaptureAsk
    ) -> None:
        self._store, self._clock = store, clock
        self._launch = paths.launch(provider, node)
        self._node, self._ask = node, ask
        self._pause = threading.Event()

    def look(self) -> CaptureFate:
        """Return how far it has come now.

        Raises:
            RequestorError: If a record that tells cannot be read.
            StoreAwayError: If ZooKeeper does not answer.
        """
        stored = self._store.read(self._launch)
        launch, build = _told(self._store, self._node, stored)
        fate = fate_of(self._ask, launch, build)
        if fate.fate is not Fate.TAKEN or (build is not None and build.owner is not None):
            return fate
        return fate_of(self._ask, launch, build, self._words())

    def _words(self) -> BuilderWords | None:
        """Return what the builders say of what is not begun; None: it is closed to us."""
        try:
            return read_words(self._store)
        except NotPermittedError:
            return None

    def wait(
        self,
        *,
        until_s: float | None,
        away_s: float,
        answered: bool = False,
        check: Callable[[], None] = lambda: None,
        tell: Callable[[CaptureFate], None] = lambda _: None,
    ) -> CaptureFate:
        """Return what has become of it once that is certain, or when the time is over.

        Args:
            until_s: By the monotonic clock; None: as long as it takes.
            away_s: ZooKeeper may be away so long.
            answered: Wait no longer than for the launcher's answer.
            check: Raises if nobody waits any more.
            tell: Told of each change.

        Raises:
            RequestorError: As of *look*, and what *check* raises.
            StoreAwayError: If ZooKeeper stays away.
        """
        before, seen_s = None, self._clock.monotonic_s()
        while True:
            check()
            try:
                fate = self.look()
                seen_s = self._clock.monotonic_s()
            except StoreAwayError:
                if self._clock.monotonic_s() - seen_s > away_s:
                    raise
                self._pause.wait(LOOK_S)
                continue
            if fate != before:
                tell(fate)
                before = fate
            over = until_s is not None and self._clock.monotonic_s() >= until_s
            if over or not fate.open or (answered and fate.fate is not Fate.ASKED):
                return fate
            self._pause.wait(LOOK_S)
