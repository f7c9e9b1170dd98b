"""A machine from launchers: asked for as users do, logged in to, and given back in every end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.hands import blame
from builder.log.progress import ProgressLog, say
from builder.machine.hand_enter import Entered
from builder.machine.hand_evidence import tell_launches
from builder.machine.hand_login_keys import LoginKey, short_lived_key
from builder.machine.hand_vouch import Asked, vouch
from builder.machine.held import HeldMachine
from remuda.cloud.api import Cloud, CloudError
from remuda.model.build import Blame
from remuda.model.ids import RequestId
from remuda.model.image import UploadId
from remuda.model.imageask import IMAGE_PRIORITY, ImageAsk, ImageUse, image_label
from remuda.model.tags import Owner
from remuda.runtime.clock import Clock
from remuda.runtime.waiting import Waiting
from remuda.ssh.api import Login
from remuda.ssh.errors import SshError
from remuda.ssh.session import SshSession, open_session
from remuda.store.api import Session, Store, StoreAwayError
from remuda.visible import visible
from requestor.client import Client
from requestor.errors import RequestFailedError, RequestGoneError, RequestorError
from requestor.pending import PendingRequest

#: How often it is asked, and told if it has changed, why a request waits.
EXPLAIN_S: Final = 30.0
#: The launcher has logged in a moment ago: it is no longer booting.
LOGIN_S: Final = 60.0
_LOGIN_AGAIN_S: Final = 2.0

LogIn = Callable[[Login], SshSession]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineWanted:
    """What to ask for.

    Attributes:
        upload: What it boots; None: what the recipe starts from.
        cloud, owner: Where it is made, and who makes it.
        boots: Id in that cloud of the image that it has to boot; None: its maker decides.
        secret: Whether it is told secrets: only one whose host key we know for sure is.
        user, port: How the image is logged in to.
        room_s: It may wait for room so long.
    """

    image: str
    use: ImageUse
    provider: str
    user: str
    port: int
    upload: UploadId | None = None
    cloud: Cloud
    owner: Owner
    boots: str | None = None
    secret: bool = False
    room_s: float = 24 * 3600.0

    @property
    def label(self) -> str:
        """The label that it is asked for by."""
        return image_label(self.image, self.use)


class Machines:
    """Borrows machines; may be used by many threads at once."""

    def __init__(
        self, client: Client, clock: Clock, folder: Path, connect: LogIn | None = None
    ) -> None:
        """Keep keys below *folder* while they are used."""
        self._client = client
        self._clock = clock
        self._folder = folder
        self._connect: LogIn = connect or (lambda login: open_session(login, clock=clock))

    @property
    def store(self) -> Store:
        """The session that it asks over."""
        return self._client.store

    @contextmanager
    def borrowed(
        self,
        wanted: MachineWanted,
        waiting: Waiting,
        log: ProgressLog,
        asked: Callable[[RequestId], None] = lambda _: None,
    ) -> Iterator[HeldMachine]:
        """Ask for a machine, and wait for it; it is given back when the block is left.

        Args:
            wanted: What to ask for.
            waiting: Ends the wait.
            log: Is told why it waits.
            asked: Called with the request once it is there; if it raises, nothing is asked for.

        Raises:
            MishapError: There is none to be had; it says whose failure that was.
            HandStoppedError: The hand has to stop.
            StoreError: ZooKeeper stays away, or refuses our session.
            OSError: The key cannot be written.
        """
        session_id = self.store.session_id
        with short_lived_key(self._folder) as key:
            pending = self._ask(wanted, key.public)
            try:
                asked(pending.id)
                try:
                    _wait(pending, wanted, waiting, log)
                except RequestFailedError as exc:
                    why = blame.of_request(self.store, wanted.provider, pending.id, str(exc))
                    tell_launches(self.store, wanted.provider, pending.id, log)
                    raise blame.MishapError(why) from exc
                except RequestGoneError as exc:
                    same = self.store.session_id == session_id
                    whose = Blame.CLOUD if same else Blame.BUILDER
                    raise blame.fail("machine", whose, str(exc)) from exc
                machine = self._accept(pending, wanted, waiting, key)
                try:
                    yield machine
                except (blame.MishapError, SshError) as exc:
                    self._raise_if_lost(session_id, exc)
                    raise
            finally:
                pending.abandon()

    @contextmanager
    def entered(
        self, job: Entered, waiting: Waiting, tell_key: Callable[[str], None]
    ) -> Iterator[HeldMachine]:
        """Have its launcher let us onto somebody's machine, which stays theirs.

        Args:
            job: Which.
            waiting: Ends the wait.
            tell_key: Writes the public line of our key where the launcher looks for it.

        Raises:
            MishapError: It is not what was asked for, or not to be had any more.
            OverdueError: Its launcher does nothing.
            HandStoppedError: The hand has to stop.
            StoreError: ZooKeeper stays away, or refuses our session.
            CloudError: The cloud does not show it.
            OSError: The key cannot be written.
        """
        with short_lived_key(self._folder) as key:
            machine = job.let_in(self.store, key, waiting, tell_key)
            try:
                yield machine
            except (blame.MishapError, SshError, CloudError):
                machine.check()  # what broke may be that its job has let it go
                raise

    def connect(self, machine: HeldMachine, waiting: Waiting) -> SshSession:
        """Log in, with the host key that the launcher has met.

        Raises:
            SshError: It cannot be done.
            HandStoppedError: The hand has to stop.
        """
        ends_s = self._clock.monotonic_s() + LOGIN_S
        while True:
            try:
                return self._connect(machine.login)
            except SshError as exc:
                if not exc.too_early or self._clock.monotonic_s() >= ends_s:
                    raise
            waiting.pause(_LOGIN_AGAIN_S)

    def _raise_if_lost(self, session_id: int, exc: Exception) -> None:
        """Take the blame for what broke while our session was gone: launchers delete it then."""
        same = self.store.session_id == session_id
        if not same or self.store.session is not Session.CONNECTED:
            message = f"the session with ZooKeeper was lost ({exc})"
            raise blame.fail("machine", Blame.BUILDER, message) from exc

    def _ask(self, wanted: MachineWanted, login_key: str) -> PendingRequest:
        return self._client.request(
            wanted.label,
            priority=int(IMAGE_PRIORITY),
            provider=wanted.provider,
            reuse=False,
            requestor=f"builder/{wanted.image}",
            image=ImageAsk(use=wanted.use, upload=wanted.upload, login_key=login_key),
            ephemeral=True,
        )

    def _accept(
        self, pending: PendingRequest, wanted: MachineWanted, waiting: Waiting, key: LoginKey
    ) -> HeldMachine:
        try:
            nodes = pending.accept()
        except RequestorError as exc:
            raise blame.MishapError(blame.of_error("machine", exc)) from exc
        if len(nodes) != 1:
            message = f"{len(nodes)} nodes were given for one"
            raise blame.fail("machine", Blame.BUILDER, message)
        ours_s = self._clock.now_s()
        found = vouch(self.store, _asked(pending.id, wanted, key.public), nodes[0].facts, waiting)
        login = Login(
            address=found.address,
            port=wanted.port,
            user=wanted.user,
            key_file=str(key.file),
            host_keys=found.host_keys,
        )
        return HeldMachine(
            node=nodes[0].id,
            server=found.server,
            host=found.host,
            login=login,
            login_key=key.public,
            check=nodes.check,
            boot_s=None if found.active_s is None else max(0.0, ours_s - found.active_s),
        )


def _asked(request: RequestId, wanted: MachineWanted, login_key: str) -> Asked:
    return Asked(
        request=request,
        label=wanted.label,
        upload=wanted.upload,
        cloud=wanted.cloud,
        owner=wanted.owner,
        boots=wanted.boots,
        secret=wanted.secret,
        login_key=login_key,
    )


def _wait(
    pending: PendingRequest,
    wanted: MachineWanted,
    waiting: Waiting,
    log: ProgressLog,
) -> None:
    """Wait until the request is served; tell why it is not."""
    clock = waiting.clock
    ends_s = clock.monotonic_s() + wanted.room_s
    explain_s, said = clock.monotonic_s() + EXPLAIN_S, ""
    pending.on_news(waiting.wake)
    while not pending.check_calmly():
        now_s = clock.monotonic_s()
        if now_s >= ends_s:
            why = _why(pending) or said or "nobody says why"
            raise blame.fail("machine", Blame.CLOUD, f"no machine after {wanted.room_s:g} s: {why}")
        if now_s >= explain_s:
            explain_s = now_s + EXPLAIN_S
            why = _why(pending)
            if why and why != said:
                said = why
                say(log, f"waiting for a machine: {visible(why)}")
        waiting.nap(ends_s - now_s)


def _why(pending: PendingRequest) -> str:
    try:
        return pending.explain().sentence
    except StoreAwayError:
        return ""
