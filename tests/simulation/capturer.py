"""The builder of images that are made of jobs' machines: real judgements, writes and vouching.

Each turn it judges what it knows, which may be old, and does what it has decided. What it does to
a machine is a chain of steps; it dies between any two of them, and another one comes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from builder.actions import JudgedAction
from builder.build import outcome, writes
from builder.build.actions import BeginBuild, KeepSnapshot, LoseBuild, Make, Supersede, TakeBuild
from builder.build.outcome import Quieted
from builder.decide import decide
from builder.hands.blame import MishapError
from builder.machine.hand_enter import JobMachine, let_in
from builder.machine.hand_login_keys import LoginKey
from builder.machine.held import HeldMachine
from builder.place.view import ImageListing, ListedImage, ProviderFacts
from builder.policy import ImagePolicy
from builder.recipe.compile import compile_images
from builder.upload.outcome import WholeImage
from builder.view import WorldView
from builder.writes import write
from remuda.cloud.api import CloudError, Image
from remuda.images import library
from remuda.images.library import Library
from remuda.model import tags
from remuda.model.build import UNDER_WAY, Blame, Build, Mishap
from remuda.model.ids import ProviderName, ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import Method, UploadEvent, UploadState
from remuda.runtime.waiting import Waiting
from remuda.store.api import RejectedError, StoreAwayError, Stored
from tests.simulation.imagesetting import CAPTURED
from tests.simulation.setting import INSTALLATION, config_of

if TYPE_CHECKING:
    from tests.simulation.librarian import Librarian

#: What of its decisions it carries out: the rest is the librarian's.
_MINE: Final = (BeginBuild, Supersede, TakeBuild, Make, LoseBuild, KeepSnapshot)
#: Between two steps of what is done to a machine.
STEP_S_MAX: Final = 3.0
#: So often it looks whether a launcher has let it in.
LOOKS_MAX: Final = 60


class _LaterError(Exception):
    """What is waited for is not there yet."""


class DeadError(Exception):
    """It is killed right after what it did last."""


def _later(_seconds: float) -> None:
    raise _LaterError


@dataclass(slots=True)
class Capturer:
    """One builder at a time.

    Attributes:
        incarnation: Which one it is.
        actions: So many it has done, all of them together.
        crash_at: Dies right after so many of them.
        images: What clouds show of its snapshots, by place.
    """

    librarian: "Librarian"
    incarnation: int = 1
    actions: int = 0
    crash_at: int | None = None
    images: dict[str, dict[str, ListedImage]] = field(default_factory=dict)
    _hands: dict[BuildId, str] = field(default_factory=dict)
    _made: int = 0
    _compiled: tuple[dict[str, Any], ImagePolicy] | None = None

    @property
    def me(self) -> ReplicaId:
        """Its name; whoever comes after it has another one."""
        return ReplicaId(f"capturer.{self.incarnation}")

    # Turns.

    def turn(self) -> None:
        """Judge what is known, and do what comes of it; some of it may have become impossible."""
        view = self._view(self.librarian.look())
        for action in decide(view).actions:
            if isinstance(action, _MINE) and action.id.image == CAPTURED:
                self._attempt(lambda action=action: self._do(view, action))
        self._attempt(self._carry)

    def _view(self, seen: Library) -> WorldView:
        places = self.librarian.images.places
        now_s = self.librarian.now_s()
        return WorldView(
            now_s=now_s,
            me=self.me,
            builders=frozenset({self.me}),
            mine=lambda _thing: True,
            library=seen,
            policies={CAPTURED: self._policy()},
            providers={name: ProviderFacts(name=name, place=one) for name, one in places.items()},
            listings={
                place: ImageListing(
                    begun_s=now_s, before_s=now_s - 0.1, images=dict(some), images_before=dict(some)
                )
                for place, some in ((one, self._shown(one)) for one in set(places.values()))
            },
            busy=frozenset(map(str, self._hands)),
        )

    def _shown(self, place: str) -> Mapping[str, ListedImage]:
        gone = self.librarian.rules.erased
        return {key: one for key, one in self.images.get(place, {}).items() if key not in gone}

    def _do(self, view: WorldView, action: JudgedAction) -> None:
        if isinstance(action, Make):
            self._hands[action.id] = f"ssh-ed25519 {self._number():A>68}"
            self._then(action.id, lambda: self._enter(action.id, LOOKS_MAX))
        elif isinstance(action, KeepSnapshot):
            stored = view.library.builds[action.id]
            self._finish(stored, action.snapshot, action.also)
        else:
            self.librarian.store.commit(write(view, action))
            self._did(action, action.id)

    def _number(self) -> int:
        self._made += 1
        return self._made

    def _carry(self) -> None:
        """Bring an image to where it is not yet."""
        for stored in self.librarian.fresh().uploads.values():
            upload = stored.value
            if upload.id.build.image != CAPTURED or upload.state is not UploadState.PENDING:
                continue
            now_s, image_id = self.librarian.now_s(), self._image(upload.id)
            making = upload.after(UploadEvent.TAKEN, now_s=now_s, owner=self.me)
            carried = making.after(
                UploadEvent.STORED,
                now_s=now_s,
                owner=None,
                method=Method.CARRY,
                cloud_image=image_id,
            )
            self.librarian.write(stored, carried)
            self._did("carried", upload.id.build)

    def _image(self, upload_id: UploadId) -> str:
        """Put an image into the clouds of a place; nobody has proven it yet."""
        librarian = self.librarian
        image_id = f"30000000-0000-4000-8000-{self._number():012d}"
        librarian.rules.keep(image_id, upload_id)
        for provider in librarian.images.providers_of(upload_id.place):
            cloud = librarian.simulation.skies[provider].cloud
            cloud.images.append(Image(id=image_id, name=f"capture of {upload_id.build}"))
        return image_id

    # How it lives and dies.

    def _attempt(self, work: Callable[[], None]) -> None:
        me = self.me
        try:
            self.librarian.attempt(work)
        except DeadError:
            assert me != self.me

    def _did(self, what: object, build_id: BuildId) -> None:
        """Count one thing that was done; it may have been the last one."""
        self.actions += 1
        self.librarian.note("of captures", f"{type(what).__name__}: {what} {build_id}"[:80])
        by_chance = not self.librarian.simulation.calm and self.librarian.rng.random() < 0.05
        if by_chance or (self.crash_at is not None and self.actions == self.crash_at):
            self.incarnation += 1
            self._hands.clear()
            raise DeadError

    def _then(self, build_id: BuildId, work: Callable[[], None]) -> None:
        """Take the next step of a hand some time later, if that hand still lives then."""
        me, rng = self.me, self.librarian.rng

        def step() -> None:
            if me == self.me:
                self._attempt(lambda: self._step(build_id, work))

        self.librarian.simulation.timetable.after(rng.uniform(0.0, STEP_S_MAX), step)

    def _step(self, build_id: BuildId, work: Callable[[], None]) -> None:
        """Take a step; whatever hinders it ends the hand, and is on record if it is the build's."""
        try:
            work()
        except MishapError as exc:
            self._unmade(build_id, exc.mishap)
        except (RejectedError, StoreAwayError, CloudError, KeyError):
            self._hands.pop(build_id, None)

    def _unmade(self, build_id: BuildId, mishap: Mishap) -> None:
        stored = self._mine(build_id)
        self._hands.pop(build_id, None)
        now_s = self.librarian.now_s()
        after = outcome.unmade(stored.value, mishap, self._policy(), now_s=now_s)
        self._write(stored, after, "unmade")

    # What it does to a machine.

    def _mine(self, build_id: BuildId) -> Stored[Build]:
        """Return a build that is ours to work on.

        Raises:
            KeyError: It is not any more.
        """
        stored = library.read(self.librarian.store, only=[CAPTURED], launched=False).builds[
            build_id
        ]
        if stored.value.owner != self.me or build_id not in self._hands:
            raise KeyError(build_id)
        return stored

    def _write(self, stored: Stored[Build], after: Build, what: str) -> None:
        self.librarian.store.commit([writes.write_build(stored, after)])
        self._did(what, after.id)

    def _policy(self) -> ImagePolicy:
        document = self.librarian.simulation.document
        if self._compiled is None or self._compiled[0] is not document:
            made = compile_images(config_of(document), _no_files).policies[CAPTURED]
            self._compiled = (document, made)
        return self._compiled[1]

    def _enter(self, build_id: BuildId, looks: int) -> None:
        """Have the launcher let us in, and look again as long as it has not."""
        stored = self._mine(build_id)
        try:
            machine = self._let_in(stored.value)
        except _LaterError:
            if looks == 0:
                late = Mishap(step="machine", blame=Blame.BUILDER, message="nobody lets us in")
                self._unmade(build_id, late)
            else:
                self._then(build_id, lambda: self._enter(build_id, looks - 1))
            return
        self._did("in", build_id)
        self._then(build_id, lambda: self._quiet(build_id, machine))

    def _let_in(self, build: Build) -> HeldMachine:
        captured, simulation = build.captured, self.librarian.simulation
        assert captured is not None
        owner = tags.Owner(installation=INSTALLATION, provider=ProviderName(captured.provider))
        job = JobMachine(
            build=build.id,
            captured=captured,
            cloud=cast("Any", simulation.skies[captured.provider].cloud),
            owner=owner,
            user="zuul",
            port=22,
        )
        key = LoginKey(file=Path("/nowhere"), public=self._hands[build.id])
        waiting = Waiting(simulation.timetable.clock, lambda: False, _later)
        return let_in(self.librarian.store, job, key, waiting, lambda line: self._tell(build, line))

    def _tell(self, build: Build, line: str) -> None:
        stored = self._mine(build.id)
        if stored.value.login_key != line:
            self._write(stored, replace(stored.value, login_key=line), "key")

    def _quiet(self, build_id: BuildId, machine: HeldMachine) -> None:
        """Make the machine quiet, which is on record first, and stop it."""
        machine.check()
        stored, now_s = self._mine(build_id), self.librarian.now_s()
        self._write(stored, replace(stored.value, quieted_s=now_s), "quieting")
        machine.check()
        after = self._mine(build_id).value
        self.librarian.rules.captures.quiets(after)
        assert after.captured is not None
        self.librarian.simulation.skies[after.captured.provider].cloud.stop_server(machine.server)
        self._did("quiet", build_id)
        self._then(build_id, lambda: self._snapshot(build_id, machine))

    def _snapshot(self, build_id: BuildId, machine: HeldMachine) -> None:
        """Say that there may be a snapshot, and ask for it."""
        machine.check()
        stored, now_s = self._mine(build_id), self.librarian.now_s()
        quieted = Quieted(cloud_name=f"of {build_id} {self._number()}", asked_by_s=now_s + 5.0)
        after = outcome.quieted(stored.value, quieted, now_s=now_s)
        self._write(stored, after, "asks")
        image_id = self._image(UploadId(build_id, after.place or ""))
        shown = ListedImage(id=image_id, name=quieted.cloud_name, build=build_id, active=True)
        self.images.setdefault(after.place or "", {})[image_id] = shown
        self.librarian.rules.captures.pictured(after, image_id)
        self._did("snapshot", build_id)
        self._then(build_id, lambda: self._kept(build_id, image_id))

    def _kept(self, build_id: BuildId, image_id: str) -> None:
        stored = self._mine(build_id)
        places = {self.librarian.images.places[one] for one in stored.value.group}
        self._finish(stored, image_id, tuple(sorted(places - {stored.value.place})))

    def _finish(self, stored: Stored[Build], image_id: str, also: tuple[str, ...]) -> None:
        now_s = self.librarian.now_s()
        whole = WholeImage(cloud_image=image_id)
        self.librarian.store.commit(writes.finish(stored, whole, also, now_s=now_s))
        self._hands.pop(stored.value.id, None)
        self._did("kept", stored.value.id)

    def under_way(self) -> str | None:
        """Return which build has not come to an end, or None."""
        for build_id, stored in self.librarian.fresh().builds.items():
            if build_id.image == CAPTURED and stored.value.state in UNDER_WAY:
                return f"{build_id} is still {stored.value.state}"
        return None


def _no_files(_path: Path) -> Any:
    raise AssertionError("no recipe of a simulation copies files")
