"""The hand of a build: from the request for a machine to a whole snapshot on record.

See :mod:`builder.build.hand_attempt`: whoever is taken over gives the machine back.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from builder.build import writes
from builder.build.events import MakingEnded
from builder.build.hand_attempt import Attempt, asked_by_s
from builder.build.hand_inventory import keep_inventory
from builder.build.hand_quiet import Quieting
from builder.build.hand_secrets import SECRETS_STEP, read_secrets
from builder.build.hand_snapshot import ASK_S, Snapshots
from builder.build.hand_statement import Stating, parent_statement, wanted
from builder.build.outcome import Quieted
from builder.build.release import Release
from builder.build.stating import Making
from builder.hands import blame
from builder.hands.held_record import hold_build
from builder.log.progress import ProgressLog, say
from builder.machine.hand_begin import InCloud, MachineHand
from builder.machine.hand_borrow import MachineWanted
from builder.machine.hand_enter import JobMachine
from builder.machine.held import HeldMachine
from builder.place.sites import call_fence
from builder.quiet.scripts import Traces
from builder.upload.outcome import WholeImage
from remuda.cloud.api import GoneError
from remuda.cloud.image_store import hash_of
from remuda.images.inventory import Inventory
from remuda.model import tags
from remuda.model.build import Base, Blame, Build
from remuda.model.ids import RequestId
from remuda.model.image import UploadId
from remuda.model.imageask import ImageUse
from remuda.ssh.checks import make_checks
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.session import SshSession
from remuda.steps.runner import StepContext, StepFailedError, StepRunner
from remuda.store.api import Stored
from remuda.visible import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeInCloud(InCloud):
    """A :class:`builder.build.tasks.MakeTask`, with the cloud in which it is carried out.

    Attributes:
        build: As it was judged: building, and ours.
        parent: Id in the cloud of the upload that it starts from; None: it starts from a base.
        also: Other places that are to have it.
        places: Where its providers' images lie, as far as that is known.
        key_file: The provider's own login key, of which nothing may be left in the image.
        job: The job's machine that it is made of; None: one is asked for.
        signing_key_file: Signs what is stated of the build; None: nothing is signed.
    """

    build: Stored[Build]
    parent: str | None = None
    also: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    key_file: str | None = None
    job: JobMachine | None = None
    signing_key_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakingHand(MachineHand):
    """Makes builds."""

    def make(
        self, task: MakeInCloud, log: ProgressLog, stopped: Callable[[], bool] = lambda: False
    ) -> MakingEnded:
        """Make it; return when the record says what came of it, or is not ours any more.

        Args:
            task: What to make.
            log: Is told everything, and closed in the end.
            stopped: Asked about twice a second: True gives up at once.
        """
        waiting = self.waiting(stopped)
        record = hold_build(self.machines.store, waiting, task.build)
        work = _Making(
            hand=self,
            task=task,
            store=self.machines.store,
            clock=self.clock,
            record=record,
            waiting=waiting,
            log=log,
        )
        return MakingEnded(id=task.build.value.id, why=work.run(work.make))


def known_keys(key_file: str | None) -> tuple[str, ...]:
    """Return the public line of the key that launchers put into every machine, if any."""
    return () if key_file is None else (KeyRing().public_line(key_file),)


@dataclass(slots=True, kw_only=True)
class _Making(Attempt):
    """One build under way.

    Attributes:
        inventory: What is in it, once that is known.
        release: Which system it is, once that is known.
    """

    hand: MakingHand
    task: MakeInCloud
    inventory: Inventory | None = None
    release: Release = field(default_factory=Release)

    @property
    def order(self) -> MakeInCloud:
        """What it was told."""
        return self.task

    # -- the way -----------------------------------------------------------------------------

    def _make(self) -> None:
        self._begin(SECRETS_STEP)
        self.secrets = read_secrets(self.task.recipe, self.hand.environ)
        stating = self._stating()
        keys = known_keys(self.task.key_file)
        self._begin("machine")
        with self._machine() as machine:
            self.record.write(lambda build: replace(build, node=machine.node))
            self._look_at_base(machine)
            self._begin("login")
            with self.hand.machines.connect(machine, self.waiting) as session:
                quieting = self._fill(session)
                if self._is_same(self.inventory):
                    return
                identity = self._quiet(quieting, machine, keys)
            snapshots = self._snapshots(machine)
            image = self._take(snapshots, stating, identity)
            self._begin("keep")
            now_s = self.hand.clock.now_s()
            stated = stating.complete(*writes.whole(self.record.value, image, now_s=now_s))
            if stated is not None:
                snapshots.mark(image.cloud_image, {tags.STATEMENT: stated.digest})
            self.record.commit(lambda stored: self._kept(stored, image, stated, now_s))

    def _machine(self) -> AbstractContextManager[HeldMachine]:
        """Return the machine that it is made of: one that is lent to us, or a job's."""
        machines, job = self.hand.machines, self.task.job
        if job is None:
            return machines.borrowed(self._wanted(), self.waiting, self.log, self._note_request)
        say(self.log, f"captured of {visible(job.captured.said)}")
        return machines.entered(job, self.waiting, self._note_key)

    def _note_key(self, login_key: str) -> None:
        self.record.write(lambda build: replace(build, login_key=login_key))

    def _wanted(self) -> MachineWanted:
        build = self.record.value
        upload = None
        if build.parent is not None:
            upload = UploadId(build.parent, build.place or "")
        return self.task.machine(
            ImageUse.MAKE,
            build.provider or "",
            upload=upload,
            boots=self.task.parent,
            secret=bool(self.secrets),
        )

    def _note_request(self, request: RequestId) -> None:
        self.record.write(lambda build: replace(build, request=request))

    def _look_at_base(self, machine: HeldMachine) -> None:
        """Record what the machine really boots: launchers find bases by name."""
        self._begin("base")
        boots = self.task.cloud.get_server(machine.server).image_id
        parent = self.record.value.parent
        if parent is not None:
            if boots != self.task.parent:
                message = f"node {machine.node} boots image {boots}, not that of {parent}"
                raise blame.fail("base", Blame.BUILDER, message)
            return
        if boots is None:
            message = "the machine boots from a volume, which has no snapshot with data"
            raise blame.fail("base", Blame.RECIPE, message)
        base = self._base(boots)
        say(self.log, f"base: {visible(base.name)} {base.id}")
        self.record.write(lambda build: replace(build, base=base))

    def _base(self, image_id: str) -> Base:
        try:
            image = self.task.images.get_image(image_id)
        except GoneError:  # withdrawn since; what boots has been copied
            decided = self.record.value.base
            same = decided is not None and decided.id == image_id
            return decided if decided and same else Base(id=image_id)
        return Base(id=image.id, name=image.name, hash=hash_of(image))

    def _fill(self, session: SshSession) -> Quieting:
        """Run everything that may come to an image, and find out what that is."""
        recipe, build = self.task.recipe, self.record.value
        whose = Blame.RECIPE if self.task.job is None else Blame.JOB
        quieting = Quieting(session=session, waiting=self.waiting, log=self.log, whose=whose)
        self._begin("prepare")
        quieting.prepare()
        context = StepContext(
            build=build.id,
            provider=build.provider or "",
            recipe=recipe,
            secrets=self.secrets,
            copied=self.task.policy.copied,
        )
        self._run_steps(session, context)
        self.phase = "checks-before"
        quieting.check(make_checks(recipe.checks_before))
        self._begin("inventory")
        packages, contents = quieting.packages(), quieting.contents(recipe)
        store = self.hand.machines.store
        self.inventory = keep_inventory(store, build.id, packages, contents, self.log)
        self.release = quieting.release()
        return quieting

    def _run_steps(self, session: SshSession, context: StepContext) -> None:
        self.phase = "steps"
        runner = StepRunner(session=session, context=context, waiting=self.waiting, log=self.log)
        try:
            runner.run_all()
        except StepFailedError as exc:
            raise blame.fail(exc.step, exc.blame, exc.why) from exc

    def _quiet(
        self, quieting: Quieting, machine: HeldMachine, keys: tuple[str, ...]
    ) -> Mapping[str, str]:
        """Take from the machine what is its own; return what tells it from others."""
        self._begin("quiet")
        machine.check()
        self._note_quieting()
        identity = quieting.identity(machine.login_key)
        private = quieting.host_keys()
        values = tuple("".join(one) for one in self.secrets.values())
        quieting.quiet(
            Traces(
                host_keys=(quieting.session.host_key,),
                login_keys=(machine.login_key, *keys),
                secrets=(*values, *private),
            )
        )
        return identity

    def _note_quieting(self) -> None:
        """Write that a job's machine is not what its job made of it any more, before it is so."""
        if self.task.job is not None:
            now_s = self.hand.clock.now_s()
            self.record.write(lambda build: replace(build, quieted_s=now_s))

    def _snapshots(self, machine: HeldMachine) -> Snapshots:
        return Snapshots(
            cloud=self.task.cloud,
            images=self.task.images,
            server=machine.server,
            waiting=self.waiting,
            log=self.log,
            check=machine.check,
            fence=lambda: call_fence(self.hand.machines.store, self.hand.clock),
        )

    def _take(
        self, snapshots: Snapshots, stating: Stating, identity: Mapping[str, str]
    ) -> WholeImage:
        """Stop the machine and take its snapshot; the record comes before the call."""
        self._begin("stop")
        snapshots.stop()
        self._begin("snapshot")
        last_s = self.hand.clock.now_s() + ASK_S
        ours, until_s = self._tags(), asked_by_s(last_s)
        quieted = Quieted(
            cloud_name=ours.name,
            asked_by_s=until_s,
            inventory=None if self.inventory is None else self.inventory.digest,
            identity=identity,
        )
        self._announce(quieted, stating, self._made())
        self.image_id = snapshots.ask(ours, asked_by_s=until_s, last_s=last_s)
        snapshots.hide(self.image_id)
        return snapshots.finish(self.image_id, limit_s=self.task.policy.snapshot_s_max)

    def _made(self) -> Making:
        """Return what is known of the build."""
        build, store = self.record.value, self.hand.machines.store
        return Making(
            build=build,
            recipe=self.task.recipe,
            installation=self.task.owner.installation,
            trees=self.task.policy.copied,
            wanted=wanted(store, build),
            parent=parent_statement(store, build),
            release=self.release,
            inventory=None if self.inventory is None else self.inventory.digest,
        )
