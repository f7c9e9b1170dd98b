"""The hand of a build whose file a command writes: from the command to a whole image on record.

See :mod:`builder.build.hand_attempt`. The file is read once, and sent by that hash: what is changed
in between is refused. While it is sent it is kept, so that a cloud that is away for a moment does
not cost the command's work.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from builder.build import commanding, writes
from builder.build.events import MakingEnded
from builder.build.hand_attempt import Attempt, asked_by_s
from builder.build.hand_command import CommandRunner
from builder.build.hand_secrets import SECRETS_STEP, read_secrets
from builder.build.hand_snapshot import EDIT_S_MAX, again
from builder.build.hand_statement import Stating, wanted
from builder.build.outcome import Quieted
from builder.build.stating import Making
from builder.hands import blame
from builder.hands.held_record import hold_build
from builder.log.progress import ProgressLog, say
from builder.place.sites import call_fence, transfer_fence
from builder.policy import ImagePolicy
from builder.upload.disk_format import HEAD_BYTES
from builder.upload.hand_carry import check_made
from builder.upload.hand_copy import blame_of
from builder.upload.outcome import WholeImage, whole_image
from remuda.cloud.api import CloudError, DamagedError, Fence, TryLaterError
from remuda.cloud.image_store import ImageEdit, ImageOrder, ImageStore, StoredImage
from remuda.cloud.transfer import transfer_s_max
from remuda.config import trees
from remuda.config.fingerprint import same_contents
from remuda.config.recipes import ImageRecipe
from remuda.config.sources import UnreadableError
from remuda.model import tags
from remuda.model.build import Blame, Build
from remuda.model.builtfile import BuiltFile
from remuda.model.tags import Owner
from remuda.runtime.clock import Clock
from remuda.runtime.waiting import HandStoppedError, Waiting
from remuda.store.api import Store, Stored
from remuda.visible import visible

#: So often a file is sent before the cloud is to blame.
SENDINGS_MAX: Final = 5
_AGAIN_S, _AGAIN_S_MAX = 10.0, 300.0
_PIECE_BYTES: Final = 1 << 20
_STOPPED: Final = "the builder was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInCloud:
    """A :class:`builder.build.tasks.MakeTask` by a command, with the cloud that gets its file.

    Attributes:
        build: As it was judged: building, and ours.
        owner: Who makes images there: the installation, and the provider.
        also: Other places that are to have it.
        places: Where its providers' images lie, as far as that is known.
        signing_key_file: Signs what is stated of the build; None: nothing is signed.
    """

    build: Stored[Build]
    recipe: ImageRecipe
    policy: ImagePolicy
    owner: Owner
    images: ImageStore
    also: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    signing_key_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHand:
    """Makes builds by commands; may be used by many threads at once.

    Attributes:
        commands: Runs commands.
        environ: Where secrets may be.
        wait: How it waits; None: by the operating system.
    """

    store: Store
    clock: Clock
    commands: CommandRunner
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    wait: Callable[[float], object] | None = None

    def make(
        self, task: FileInCloud, log: ProgressLog, stopped: Callable[[], bool] = lambda: False
    ) -> MakingEnded:
        """Make it; return when the record says what came of it, or is not ours any more.

        Args:
            task: What to make.
            log: Is told everything, and closed in the end.
            stopped: Asked about twice a second: True gives up at once.
        """
        waiting = Waiting(self.clock, stopped, self.wait)
        work = _Writing(
            hand=self,
            task=task,
            store=self.store,
            clock=self.clock,
            record=hold_build(self.store, waiting, task.build),
            waiting=waiting,
            log=log,
        )
        return MakingEnded(id=task.build.value.id, why=work.run(work.make))


@dataclass(slots=True, kw_only=True)
class _Writing(Attempt):
    """One build under way."""

    hand: FileHand
    task: FileInCloud

    @property
    def order(self) -> FileInCloud:
        """What it was told."""
        return self.task

    def _make(self) -> None:
        task, build = self.task, self.record.value
        self._begin(SECRETS_STEP)
        self.secrets = read_secrets(task.recipe, self.hand.environ)
        stating = self._stating()
        self._begin("command")
        order = commanding.order_of(task.recipe, build.id, build.provider or "", self.secrets)
        with self.hand.commands.run(order, self.waiting, self.log.write) as path:
            self._check_read()
            self._begin("file")
            file = self._look_at(path)
            if self._is_same(file):
                return
            image = self._send(path, file, stating)
        self._begin("keep")
        now_s = self.clock.now_s()
        stated = stating.complete(*writes.whole(self.record.value, image, now_s=now_s))
        if stated is not None:
            self._mark(image.cloud_image, stated.digest)
        self.record.commit(lambda stored: self._kept(stored, image, stated, now_s))

    def _check_read(self) -> None:
        """Look whether what the command has read is what the build's fingerprint means.

        It is read after the command: a change before that, or meanwhile, is seen.

        Raises:
            MishapError: It is not: the build begins anew, perhaps by the recipe of now.
        """
        for one in commanding.command_of(self.task.recipe).reads:
            try:
                found = trees.read(Path(one.path))
            except (OSError, UnreadableError) as exc:
                raise blame.fail("command", Blame.BUILDER, f"{one.path}: {exc}") from exc
            expected = self.task.policy.copied.get(one.path)
            if expected is not None and not same_contents(expected, found):
                message = f"{one.path} is not what it was when the build was asked for"
                raise blame.fail("command", Blame.BUILDER, message)

    def _look_at(self, path: Path) -> BuiltFile:
        """Read all of the file; return what it is.

        Raises:
            MishapError: It is nothing that a cloud should get.
        """
        command = commanding.command_of(self.task.recipe)
        sha256, sha512 = hashlib.sha256(), hashlib.sha512()
        read = 0
        with path.open("rb") as stream:
            size_bytes = os.fstat(stream.fileno()).st_size
            head = stream.read(HEAD_BYTES)
            found = commanding.virtual_bytes(head, size_bytes, command)
            if isinstance(found, str):
                raise blame.fail("file", Blame.RECIPE, found)
            stream.seek(0)
            # No more than was found: whoever still writes would be read for ever.
            while read <= size_bytes and (piece := stream.read(_PIECE_BYTES)):
                self.waiting.check()
                sha256.update(piece)
                sha512.update(piece)
                read += len(piece)
        if read != size_bytes:
            raise blame.fail("file", Blame.RECIPE, "its file changes though the command has ended")
        file = BuiltFile(
            sha256=sha256.hexdigest(),
            sha512=sha512.hexdigest(),
            size_bytes=size_bytes,
            virtual_bytes=found,
            disk_format=command.disk_format,
        )
        say(self.log, f"{file.disk_format}, {size_bytes} bytes, sha256 {file.sha256}")
        return file

    # -- to the cloud ------------------------------------------------------------------------

    def _send(self, path: Path, file: BuiltFile, stating: Stating) -> WholeImage:
        """Make an image of the file; the record comes before the call."""
        self._begin("upload")
        ours, now_s = self._tags(), self.clock.now_s()
        order = commanding.image_order(file, commanding.command_of(self.task.recipe), ours)
        quieted = Quieted(cloud_name=ours.name, asked_by_s=asked_by_s(now_s), file=file)
        self._announce(quieted, stating, self._made())
        made = self._sent(order, path, file)
        return whole_image(made, sha256=file.sha256, carried_sha512=file.sha512)

    def _sent(self, order: ImageOrder, path: Path, file: BuiltFile) -> StoredImage:
        """Send it, as often as that may help; what has failed has left nothing."""
        wait_s = _AGAIN_S
        for last in (*[False] * (SENDINGS_MAX - 1), True):
            try:
                made = self.task.images.upload(
                    order, path, fence=call_fence(self.store, self.clock), going=self._going(file)
                )
                self.image_id = made.id
                check_made(made, order)
            except (CloudError, OSError) as exc:
                if self.waiting.stopped():
                    raise blame.fail("upload", Blame.BUILDER, _STOPPED) from exc
                again_helps = isinstance(exc, TryLaterError | DamagedError)
                if last or not again_helps or self.image_id is not None:
                    raise blame.fail("upload", blame_of(exc), str(exc)) from exc
                say(self.log, f"it is sent once more: {visible(str(exc))}")
                self._pause(wait_s)
                wait_s = min(_AGAIN_S_MAX, 2 * wait_s)
                self._announce_again()
            else:
                return made
        raise AssertionError("the last one has ended it")

    def _pause(self, seconds: float) -> None:
        try:
            self.waiting.pause(seconds)
        except HandStoppedError as exc:
            # Nothing is under way: whoever goes on need not look for an image first.
            raise blame.fail("upload", Blame.BUILDER, _STOPPED) from exc

    def _announce_again(self) -> None:
        until_s = asked_by_s(self.clock.now_s())
        self.record.write(lambda build: replace(build, asked_by_s=until_s))

    def _going(self, file: BuiltFile) -> Fence:
        limit_s = transfer_s_max(file.size_bytes)
        return transfer_fence(self.store, self.clock, self.waiting.stopped, limit_s)

    def _mark(self, image_id: str, digest: str) -> None:
        edit = ImageEdit(properties={tags.STATEMENT: digest})
        ends_s = self.clock.monotonic_s() + EDIT_S_MAX
        again(lambda: self.task.images.edit_image(image_id, edit), self.waiting, ends_s=ends_s)

    def _made(self) -> Making:
        """Return what is known of the build."""
        return Making(
            build=self.record.value,
            recipe=self.task.recipe,
            installation=self.task.owner.installation,
            trees=self.task.policy.copied,
            wanted=wanted(self.store, self.record.value),
        )
