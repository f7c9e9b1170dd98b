"""The hand that brings a held machine to an image somebody else may boot.

The way is that of a capture: its launcher lets us in, the same *quiet*, the same stop and snapshot.
What the machine shows of its failure stays. The record is written before each step that cannot be
taken back, so that whoever takes over knows where it is: a machine that is quiet is not entered
again, and a snapshot that was asked for is looked for by its name. What comes to nothing once the
machine was changed has it started anew first: by its user data it becomes who it was.
"""

import secrets as chance
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from builder.build.hand_make import known_keys
from builder.build.hand_quiet import Quieting
from builder.build.hand_secrets import SECRETS_STEP, SecretError, read_secret
from builder.build.hand_snapshot import ASK_S, Snapshots
from builder.hands import blame
from builder.hands.held_record import HeldRecord, TakenOverError, hold_take_home
from builder.log.progress import say
from builder.machine.hand_begin import InPhases, MachineHand
from builder.place.hand_look import no_room
from builder.place.sites import ARRIVAL_S, FENCE_S, Site, call_fence
from builder.quiet.kinds import EVIDENCE
from builder.quiet.scripts import Traces
from builder.takehome.events import TakeHomeEnded
from builder.takehome.hand_enter import HoldMachine
from builder.takehome.hand_offer import Offering
from builder.takehome.marks import find, tags_of
from builder.upload.outcome import WholeImage
from remuda.cloud.api import BadOrderError, Cloud, CloudError, GoneError, NoRoomError
from remuda.cloud.image_store import ImageStore
from remuda.config.images import SecretFrom
from remuda.model.build import Blame, Mishap
from remuda.model.ids import ReplicaId, ServerId
from remuda.model.tags import Owner
from remuda.model.takehome import ATTEMPTS_MAX, TakeHome, TakeHomeEvent, TakeHomeState
from remuda.runtime.waiting import HandStoppedError, OverdueError
from remuda.secret import Secret
from remuda.store.api import Stored, StoreError
from remuda.visible import visible

#: A snapshot may take so long, as that of a build by default.
SNAPSHOT_S_MAX: Final = 3600.0
_NOTHING_MADE: Final = (BadOrderError, GoneError, NoRoomError)
HALF_QUIET: Final = "the builder ended while it took the machine's identity off"
#: Of a record whose machine may not be as its holder left it.
NOT_STARTED: Final = "its machine was stopped, and does not run again"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeHomeInCloud:
    """A :class:`builder.takehome.tasks.TakeHomeTask`, with the cloud of its machine.

    Attributes:
        user, port: How machines of its label are logged in to.
        flavor, cloud_name, region: As the configuration calls them.
        secrets: Values that no such image may hold, and where each is found.
        refusal: The rule that it breaks by our own configuration, or None.
    """

    record: Stored[TakeHome]
    me: ReplicaId
    owner: Owner
    cloud: Cloud
    images: ImageStore
    user: str
    port: int
    flavor: str = ""
    cloud_name: str = ""
    region: str = ""
    key_file: str | None = None
    secrets: Mapping[str, SecretFrom] = field(default_factory=dict)
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakingHand(MachineHand):
    """Makes take-home images."""

    def take(self, work: "Taking") -> TakeHomeEnded:
        """Make one; return when the record says what came of it, or is not ours any more."""
        return TakeHomeEnded(id=work.task.record.value.node, why=work.run(work.make))

    def work(self, task: TakeHomeInCloud, parts: InPhases) -> "Taking":
        """Return the work on one, with the record held."""
        store = self.machines.store
        record = hold_take_home(store, parts.waiting, task.record)
        return Taking(waiting=parts.waiting, log=parts.log, hand=self, task=task, record=record)


@dataclass(slots=True, kw_only=True)
class Taking(InPhases):
    """One on its way.

    Attributes:
        image_id: Of what there is of it in the cloud, once that is known.
        answered: Whether the cloud has said that it makes nothing.
    """

    hand: TakingHand
    task: TakeHomeInCloud
    record: HeldRecord[TakeHome]
    image_id: str | None = None
    answered: bool = False

    def make(self) -> str | None:
        """Make it and write what came of it; return why there is no image, or None."""
        try:
            given_up = self._take_over()
            if given_up is None:
                self._make()
            return None if given_up is None else self._ended(given_up)
        except TakenOverError as exc:
            return str(exc)
        except blame.MishapError as exc:
            return self._failed(exc.mishap)
        except SecretError as exc:
            return self._failed(blame.mishap(self.phase, exc.blame, str(exc)))
        except HandStoppedError as exc:
            return str(exc)  # whoever comes next goes on where the record is
        except blame.ENDINGS as exc:
            return self._failed(blame.of_error(self.phase, exc))

    def _now_s(self) -> float:
        return self.hand.clock.now_s()

    def _take_over(self) -> str | None:
        """Take it; return why whoever had it before has found that there will be no image."""
        before = self.record.value
        self.record.write(
            lambda one: one.after(
                TakeHomeEvent.TAKEN,
                now_s=self._now_s(),
                owner=self.task.me,
                attempt=before.attempt + 1,
            )
        )
        if before.state is TakeHomeState.MAKING and before.failure is not None:
            return before.failure
        if before.attempt >= ATTEMPTS_MAX:
            message = f"it was begun {before.attempt} times, and came to no end"
            raise blame.fail("begin", Blame.BUILDER, message)
        if before.quieting_s is not None and not before.quiet:
            raise blame.fail("quiet", Blame.BUILDER, HALF_QUIET)
        return None

    def _make(self) -> None:
        if self.task.refusal is not None:
            raise blame.fail("begin", Blame.RECIPE, self.task.refusal)
        machine = self._machine()
        launch, _ = machine.read()
        server = launch.server
        if server is None:
            raise blame.fail("machine", Blame.CLOUD, f"node {launch.id} has no server")
        snapshots = self._snapshots(machine, server)
        if not self.record.value.quiet:
            self._check_room()
            self._begin("start")
            snapshots.wake()
            self._make_quiet(machine)
        image = self._snapshot(snapshots)
        offered = self._offer(image.cloud_image)
        flavor = self.task.flavor or self.task.cloud.get_server(server).flavor_id or ""
        self._begin("keep")
        self._keep(image, offered, flavor)

    def _machine(self) -> HoldMachine:
        return HoldMachine(
            store=self.hand.machines.store,
            taken=self.record.value,
            cloud=self.task.cloud,
            owner=self.task.owner,
            user=self.task.user,
            port=self.task.port,
        )

    def _snapshots(self, machine: HoldMachine, server: ServerId) -> Snapshots:
        return Snapshots(
            cloud=self.task.cloud,
            images=self.task.images,
            server=server,
            waiting=self.waiting,
            log=self.log,
            check=machine.check,
            fence=lambda: call_fence(self.hand.machines.store, self.hand.clock),
        )

    def _check_room(self) -> None:
        """Refuse what has no room before anything is taken off the machine."""
        self._begin("room")
        if (why := no_room(self.task.images.usage(), 0)) is not None:
            raise blame.fail("room", Blame.CLOUD, why)

    def _make_quiet(self, machine: HoldMachine) -> None:
        """Take off the machine what tells it from others, and lets us in; assert that it is so."""
        self._begin(SECRETS_STEP)
        values = self._secrets()
        self._begin("machine")
        keys = known_keys(self.task.key_file)
        with self.hand.machines.entered(machine, self.waiting, self._note_key) as held:
            self.record.write(lambda one: replace(one, server=held.server))
            self._begin("login")
            with self.hand.machines.connect(held, self.waiting) as session:
                quieting = Quieting(
                    session=session, waiting=self.waiting, log=self.log, whose=Blame.JOB
                )
                self._begin("quiet")
                private = quieting.host_keys()
                held.check()
                begun_s = round(self._now_s(), 3)
                self.record.write(lambda one: replace(one, quieting_s=begun_s))
                quieting.quiet(
                    Traces(
                        host_keys=(session.host_key,),
                        login_keys=(held.login_key, *keys),
                        secrets=(*("".join(one) for one in values), *private),
                        kept=EVIDENCE,
                    )
                )
        self.record.write(lambda one: replace(one, quiet=True))

    def _secrets(self) -> tuple[Secret, ...]:
        found = self.task.secrets.items()
        return tuple(
            read_secret("take-home images", name, source, self.hand.environ)
            for name, source in sorted(found)
        )

    def _note_key(self, login_key: str) -> None:
        self.record.write(lambda one: replace(one, login_key=login_key))

    def _snapshot(self, snapshots: Snapshots) -> WholeImage:
        """Stop the machine and take its snapshot; the record comes before the call."""
        self._stop(snapshots)
        self._begin("snapshot")
        self.image_id = self._found() or self._ask(snapshots)
        snapshots.hide(self.image_id)
        return snapshots.finish(self.image_id, limit_s=SNAPSHOT_S_MAX)

    def _stop(self, snapshots: Snapshots) -> None:
        self._begin("stop")
        try:
            snapshots.stop()
        except blame.MishapError as exc:
            # Without power it is stopped all the same: the disk of a machine that hangs is what
            # somebody wants to see.
            say(self.log, visible(exc.mishap.said))
            snapshots.stop()

    def _found(self) -> str | None:
        """Return the snapshot that an attempt before this one has asked for, if it is there."""
        one = self.record.value
        if one.cloud_name is None:
            return None
        ends_s = self.waiting.clock.monotonic_s() + max(0.0, one.asked_by_s - self._now_s())
        while True:
            found = find(self.task.images, one, self.task.owner.installation)
            if found is not None or self.waiting.clock.monotonic_s() >= ends_s:
                return None if found is None else found.id
            self.waiting.pause(min(10.0, max(0.1, ends_s - self.waiting.clock.monotonic_s())))

    def _ask(self, snapshots: Snapshots) -> str:
        last_s = self._now_s() + ASK_S
        until_s = last_s + FENCE_S + ARRIVAL_S
        site = Site(provider=self.task.owner.provider, images=self.task.images)
        place = site.images.location().place
        name = f"remuda-hold-{self.record.value.node}-{chance.token_hex(4)}"
        self.record.write(
            lambda one: replace(one, cloud_name=name, asked_by_s=round(until_s, 3), place=place)
        )
        ours = tags_of(self.record.value, self.task.owner)
        try:
            return snapshots.ask(ours, asked_by_s=until_s, last_s=last_s)
        except _NOTHING_MADE:
            self.answered = True
            raise

    def _offer(self, image_id: str) -> Offering:
        self._begin("share")
        offering = Offering(
            images=self.task.images,
            waiting=self.waiting,
            fence=lambda: call_fence(self.hand.machines.store, self.hand.clock),
        )
        one = self.record.value
        offering.show(image_id, self._now_s() + one.wish.for_s)
        offering.offer(image_id, one.wish)
        return offering

    def _keep(self, image: WholeImage, offered: Offering, flavor: str) -> None:
        now_s = self._now_s()
        self.record.write(
            lambda one: one.after(
                TakeHomeEvent.KEPT,
                now_s=now_s,
                cloud_image=image.cloud_image,
                size_bytes=image.size_bytes,
                min_disk_gib=image.min_disk_gib,
                flavor=flavor,
                cloud=self.task.cloud_name,
                region=self.task.region,
                username=self.task.user,
                shared=offered.shared,
                trouble=offered.trouble,
                ends_s=round(now_s + one.wish.for_s, 3),
            )
        )

    def _failed(self, mishap: Mishap) -> str:
        say(self.log, f"FAILED, {mishap.blame} to blame: {visible(mishap.said)}")
        return self._ended(mishap.said)

    def _ended(self, why: str) -> str:
        """Write that there is no image, once the machine runs again if it was changed."""
        # Once the cloud has answered no call of ours is on its way: nobody waits for one.
        known: dict[str, Any] = {}
        if self.answered or self.image_id is not None:
            known["asked_by_s"] = 0.0
        try:
            if self.record.value.quieting_s is not None:
                # Whoever goes on from here makes no image, and has the machine started.
                self.record.write(lambda one: replace(one, failure=why, **known))
                self._drop_image()
                known |= self._started_anew()
            self.record.write(
                lambda one: one.after(
                    TakeHomeEvent.BROKEN, now_s=self._now_s(), failure=why, **known
                )
            )
        except (TakenOverError, StoreError, HandStoppedError) as exc:
            return f"{why}; not written: {exc}"
        self._drop_image()
        return why

    def _drop_image(self) -> None:
        """Delete what there is of an image: by what is written it is nobody's."""
        left, self.image_id = self.image_id, None
        if left is None:
            return
        try:
            self.task.images.delete_image(left)
        except CloudError as exc:
            say(self.log, f"image {left} is left for its end: {visible(str(exc))}")

    def _started_anew(self) -> dict[str, Any]:
        """Have the machine start once more; return what is to be written of it.

        It takes its identity from its user data then, as at its first start. Another attempt
        begins from the beginning, whatever the cloud has made of our calls.
        """
        anew: dict[str, Any] = {"quiet": False, "quieting_s": None, "trouble": None}
        one = self.record.value
        try:
            if one.attempt > ATTEMPTS_MAX or one.server is None:
                return {**anew, "trouble": NOT_STARTED}
            snapshots = self._snapshots(self._machine(), one.server)
            self._stop(snapshots)
            self._begin("start")
            snapshots.start()
        except (blame.MishapError, CloudError, OverdueError) as exc:
            say(self.log, visible(f"{NOT_STARTED}: {exc}"))
            return {**anew, "trouble": f"{NOT_STARTED}: {exc}"}
        return anew
