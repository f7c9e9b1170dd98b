"""From a quiet machine to a whole, hidden image of it: stopped and snapshotted by the cloud."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from builder.hands import blame
from builder.log.progress import ProgressLog, say
from builder.upload.outcome import WholeImage, whole_image
from remuda.cloud.api import (
    Cloud,
    Fence,
    GoneError,
    Server,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
    unfenced,
)
from remuda.cloud.image_store import ImageEdit, ImageStatus, ImageStore, StoredImage
from remuda.cloud.inherited import inherited
from remuda.model import tags
from remuda.model.build import Blame
from remuda.model.ids import ServerId
from remuda.model.tags import ImageTags
from remuda.runtime.waiting import OverdueError, Waiting
from remuda.visible import visible

#: Nova lets a machine end by itself for 60 s, and then takes its power: file systems are torn.
#: Nobody is told, but it takes that long.
DIRTY_STOP_S: Final = 55.0
#: An image may ask for more time (``os_shutdown_timeout``); beyond this the cloud does nothing.
STOP_S_MAX: Final = 300.0
#: A machine that is to run again may take so long.
START_S_MAX: Final = 300.0
#: So long the cloud may be asked for the snapshot, again and again while the server is busy.
ASK_S: Final = 120.0
#: Between two looks at a machine that stops, or at a snapshot, at least and at most; else a share
#: of what it took so far, so that looking late costs little of the whole.
LOOK_S: Final = 0.1
LOOK_S_MAX: Final = 10.0
_LOOK_SHARE: Final = 0.04
#: A call that is to be sent again waits so long at most.
_AGAIN_S_MAX: Final = 30.0
#: For each call on an image that is there.
EDIT_S_MAX: Final = 120.0

_STEP: Final = "snapshot"
_NEVER: Final = frozenset({ImageStatus.DEAD, ImageStatus.DELETING, ImageStatus.DEACTIVATED})


@dataclass(slots=True, kw_only=True)
class _StopTimes:
    """How long a machine takes to stop: a cloud that is slow or away is not the machine.

    Attributes:
        begun_s: When the cloud had taken the call.
        first_s: When the first look that saw it running was over.
        last_s: When the last one was begun.
    """

    begun_s: float
    first_s: float | None = None
    last_s: float = 0.0

    def saw_running(self, asked_s: float, answered_s: float) -> None:
        """Note a look that saw that it had not stopped yet."""
        if self.first_s is None:
            self.first_s = answered_s
        self.last_s = asked_s

    @property
    def least_s(self) -> float:
        """For how long it was seen to go on running, at least."""
        return 0.0 if self.first_s is None else self.last_s - self.first_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """Makes one snapshot of one server.

    Everything may raise MishapError, CloudError, OverdueError (both the cloud's fault), and
    HandStoppedError.

    Attributes:
        check: Raises if the machine is not ours any more; asked before each look.
        fence: Returns what holds back a call that is decided now.
    """

    cloud: Cloud
    images: ImageStore
    server: ServerId
    waiting: Waiting
    log: ProgressLog
    check: Callable[[], None]
    fence: Callable[[], Fence] = lambda: unfenced

    def stop(self) -> None:
        """Have the machine shut down, and make sure that it ended by itself."""
        clock = self.waiting.clock
        ends_s = clock.monotonic_s() + STOP_S_MAX
        self._again(lambda: self.cloud.stop_server(self.server), ends_s)
        times = _StopTimes(begun_s=clock.monotonic_s())
        while not self._stopped(times):
            if clock.monotonic_s() >= ends_s:
                raise OverdueError(f"the cloud has not stopped the machine after {STOP_S_MAX:g} s")
            self._look_later(times.begun_s)
        most_s = clock.monotonic_s() - times.begun_s
        say(self.log, f"stopped after {most_s:.0f} s")
        if times.least_s >= DIRTY_STOP_S:
            message = f"it did not shut down within {times.least_s:.0f} s: its disk may be torn"
            raise blame.fail("stop", Blame.MACHINE, message)
        if most_s >= DIRTY_STOP_S:
            message = f"the cloud does not tell whether it shut down within {most_s:.0f} s"
            raise blame.fail("stop", Blame.CLOUD, message)

    def start(self) -> None:
        """Have a machine that was stopped run again, and wait until it does."""
        clock = self.waiting.clock
        begun_s = clock.monotonic_s()
        ends_s = begun_s + START_S_MAX
        self._again(lambda: self.cloud.start_server(self.server, fence=self.fence()), ends_s)
        while not self._runs():
            if clock.monotonic_s() >= ends_s:
                message = f"the cloud has not started the machine after {START_S_MAX:g} s"
                raise OverdueError(message)
            self._look_later(begun_s)
        say(self.log, f"runs again after {clock.monotonic_s() - begun_s:.0f} s")

    def wake(self) -> None:
        """Start it if it is stopped, as after an attempt that could not start it again."""
        seen = self._server()
        if seen is not None and seen.status is ServerStatus.STOPPED:
            self.start()

    def _runs(self) -> bool:
        seen = self._server()
        return seen is not None and seen.status is ServerStatus.ACTIVE and seen.task is None

    def _stopped(self, times: "_StopTimes") -> bool:
        """Look once, and note when it was surely running still."""
        asked_s = self.waiting.clock.monotonic_s()
        seen = self._server()
        if seen is None:
            return False
        if seen.status is ServerStatus.STOPPED and seen.task is None:
            return True
        times.saw_running(asked_s, self.waiting.clock.monotonic_s())
        return False

    def ask(self, ours: ImageTags, *, asked_by_s: float, last_s: float) -> str:
        """Ask for the snapshot; return its id.

        Args:
            ours: What marks it, with its name.
            asked_by_s: Wall clock: no call of ours arrives after that.
            last_s: Wall clock: none is begun after that.
        """
        clock = self.waiting.clock
        while clock.now_s() <= last_s:
            self.check()
            try:
                return self.images.snapshot(
                    self.server, ours.name, tags.make_image(ours), fence=self.fence()
                )
            except UnknownOutcomeError as exc:
                say(self.log, f"the cloud's answer was lost: {visible(str(exc))}")
                return self._find(ours, asked_by_s)
            except TryLaterError as exc:
                say(self.log, f"the cloud asks to wait: {visible(str(exc))}")
                self.waiting.pause(min(_AGAIN_S_MAX, max(1.0, exc.retry_after_s)))
        raise blame.fail(_STEP, Blame.CLOUD, "the cloud did not take the call in time")

    def _find(self, ours: ImageTags, asked_by_s: float) -> str:
        """Look for a snapshot whose id was lost, as long as it can still come."""
        clock = self.waiting.clock
        ends_s = clock.monotonic_s() + max(0.0, asked_by_s - clock.now_s()) + LOOK_S_MAX

        def look() -> str | None:
            self.check()
            try:
                listed = self.images.list_images()
            except TryLaterError:
                return None
            for one in listed:
                if one.name == ours.name and tags.read_image(one.name, one.properties) == ours:
                    return one.id
            return None

        overdue = "the cloud's answer was lost, and there is no snapshot"
        return self.waiting.until(look, ends_s=ends_s, every_s=LOOK_S_MAX, overdue=overdue)

    def hide(self, image_id: str) -> None:
        """Let nobody find it, from the first moment on."""
        ends_s = self.waiting.clock.monotonic_s() + EDIT_S_MAX
        self._again(lambda: self.images.edit_image(image_id, ImageEdit(hidden=True)), ends_s)

    def mark(self, image_id: str, properties: Mapping[str, str]) -> None:
        """Write properties on it."""
        ends_s = self.waiting.clock.monotonic_s() + EDIT_S_MAX
        edit = ImageEdit(properties=properties)
        self._again(lambda: self.images.edit_image(image_id, edit), ends_s)

    def finish(self, image_id: str, *, limit_s: float) -> WholeImage:
        """Wait until it is whole, take off what it inherited, and return it."""
        clock = self.waiting.clock
        begun_s = clock.monotonic_s()
        ends_s = begun_s + limit_s
        overdue = f"the snapshot is not finished after {limit_s:g} s"
        while (image := self._whole(image_id)) is None:
            if clock.monotonic_s() >= ends_s:
                raise blame.fail(_STEP, Blame.CLOUD, overdue)
            self._look_later(begun_s)
        self.waiting.until(self._idle, ends_s=ends_s, every_s=LOOK_S, overdue=overdue)
        check_data(image)
        self._trim(image)
        # Some clouds show it active, and take it back when the upload has failed.
        last = self._whole(image_id)
        if last is None:
            raise blame.fail(_STEP, Blame.CLOUD, "the snapshot was active, and is not any more")
        say(self.log, f"snapshot {image_id}: {(last.size_bytes or 0) / 1024**2:.0f} MiB")
        return whole_image(last)

    def _look_later(self, begun_s: float) -> None:
        took_s = self.waiting.clock.monotonic_s() - begun_s
        self.waiting.pause(min(LOOK_S_MAX, max(LOOK_S, took_s * _LOOK_SHARE)))

    def _whole(self, image_id: str) -> StoredImage | None:
        """Return the snapshot if it is active now; None: it may become so."""
        self.check()
        try:
            image = self.images.get_image(image_id)
        except GoneError:
            raise blame.fail(_STEP, Blame.CLOUD, "the snapshot is gone: it has failed") from None
        except TryLaterError:
            return None
        if image.status in _NEVER:
            raise blame.fail(_STEP, Blame.CLOUD, f"the snapshot is {image.status}")
        return image if image.status is ImageStatus.ACTIVE else None

    def _idle(self) -> Server | None:
        """Return the server once the cloud does nothing with it: till then the image may go."""
        seen = self._server()
        return seen if seen is not None and seen.task is None else None

    def _server(self) -> Server | None:
        self.check()
        try:
            return self.cloud.get_server(self.server)
        except TryLaterError:
            return None

    def _trim(self, image: StoredImage) -> None:
        edit = trimmed(image)
        ends_s = self.waiting.clock.monotonic_s() + EDIT_S_MAX
        self._again(lambda: self.images.edit_image(image.id, edit), ends_s)

    def _again(self, call: Callable[[], object], ends_s: float) -> None:
        again(call, self.waiting, ends_s=ends_s, check=self.check)


def again(
    call: Callable[[], object],
    waiting: Waiting,
    *,
    ends_s: float,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Make a call that may be repeated until the cloud takes it.

    Args:
        call: The call.
        waiting: Waits in between.
        ends_s: By the monotonic clock: then what the cloud says is raised.
        check: Raises if it is not ours to make any more.
    """
    while True:
        check()
        try:
            call()
        except TryLaterError as exc:
            if waiting.clock.monotonic_s() >= ends_s:
                raise
            waiting.pause(min(_AGAIN_S_MAX, max(1.0, exc.retry_after_s)))
        else:
            return


def check_data(image: StoredImage) -> None:
    """Do nothing with a snapshot that has data.

    Raises:
        MishapError: It has none.
    """
    if image.volume_backed or not image.size_bytes:
        message = "the machine boots from a volume, or its snapshot has no data"
        raise blame.fail(_STEP, Blame.RECIPE, message)


def trimmed(image: StoredImage) -> ImageEdit:
    """Return what hides a snapshot, and takes off what it inherited.

    Raises:
        MishapError: It is not ours by its tags.
    """
    ours = tags.read_image(image.name, image.properties)
    if ours is None:
        raise blame.fail(_STEP, Blame.CLOUD, "the snapshot has not the tags that we gave it")
    return ImageEdit(hidden=True, removed=inherited(image, tags.make_image(ours)))
