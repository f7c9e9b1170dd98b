"""One machine, made as the launcher makes it, step by step with times; and its removal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from launcher.checking.means import Means
from launcher.policy import Key
from launcher.provider.cloud import Recipe
from launcher.server.specs import ServerSpecs
from remuda.cloud.api import (
    CloudError,
    GoneError,
    Server,
    ServerOrder,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.model import tags
from remuda.model.ids import NodeId, ReplicaId, ServerId
from remuda.model.launch import Launch, Step
from remuda.redaction import redact_end
from remuda.ssh.api import Proof, ProofStep, StepTaken
from remuda.ssh.errors import KeyFileError
from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.userdata import UserDataError

#: Between two looks; short, so that Ctrl-C is noticed.
PERIOD_S_MAX: Final = 2.0
#: Deleting is tried for so long; then a person must look.
REMOVE_S_MAX: Final = 300.0
#: A server that was listed and is missing so often in a row is lost.
MISSED_MAX: Final = 3
CONSOLE_LINES_MAX: Final = 60
CONSOLE_CHARS_MAX: Final = 32 * 1024
STOPPED: Final = "stopped by you"


class FailedError(Exception):
    """A step has failed, and why: no other follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One step that ended.

    Attributes:
        kind: What the launcher calls it: ``create``, ``check`` …
        name: The check's name, else the same as *kind*.
        output: The end of what a script printed.
    """

    kind: str
    name: str
    seconds: float
    ok: bool
    why: str = ""
    output: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return it by the documented keys."""
        return {
            "step": self.kind,
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "ok": self.ok,
            "why": self.why,
            "output": self.output,
        }


@dataclass(slots=True, kw_only=True)
class Boot:
    """One trial of one label.

    Attributes:
        seen: The server when it was last listed.
        tagged: Whether the listing showed all tags of the order.
        certain_s: Monotonic; a create call of unknown outcome may make a server until then.
    """

    means: Means
    recipe: Recipe
    key: Key
    number: int
    steps: list[Timed] = field(default_factory=list)
    server: ServerId | None = None
    seen: Server | None = None
    missed: int = 0
    tagged: bool | None = None
    console: str = ""
    certain_s: float | None = None
    launch: Launch = field(init=False)

    def __post_init__(self) -> None:
        """Plan the launch as the launcher would, but under a name of ours."""
        policy, clock = self.means.policy, self.means.clock
        zones = policy.pools[self.key[0]].config.availability_zones
        self.launch = Launch(
            id=NodeId(f"check-{self.means.run}-{self.number}"),
            pool=self.key[0],
            label=self.key[1],
            step=Step.PLANNED,
            owner=ReplicaId(f"check-{self.means.run}"),
            planned_s=clock.now_s(),
            asked_by_s=clock.now_s() + policy.config.api_timeout,
            az=zones[0] if zones else None,
        )

    @property
    def ok(self) -> bool:
        """Whether every step went well."""
        return bool(self.steps) and all(one.ok for one in self.steps)

    @property
    def failed(self) -> Timed | None:
        """The step that failed."""
        return next((one for one in self.steps if not one.ok), None)

    @property
    def seconds(self) -> float:
        """How long all steps took together."""
        return sum(one.seconds for one in self.steps)

    def run(self) -> None:
        """Take all steps until one fails; remove the machine afterwards in any case."""
        limit_s = self.means.clock.monotonic_s() + self.means.policy.config.launch_timeout
        orders = ServerSpecs(policy=self.means.policy, owner=self.means.owner)
        try:
            order = self._create(orders)
            self._wait_active(order)
            address = self._address(limit_s)
            self._prove(orders, address, limit_s)
        except FailedError:
            self._read_console()

    def remove(self) -> Timed | None:
        """Delete the machine and whatever carries its tag; None if there was nothing to delete.

        Goes on when the user wants us to end: that is what the end waits for.
        """
        if self.server is None and self.certain_s is None:
            return None
        clock = self.means.clock
        begun_s = clock.monotonic_s()
        why = ""
        while clock.monotonic_s() - begun_s < REMOVE_S_MAX:
            try:
                if self._removed():
                    return self._timed("delete", begun_s)
                why = "the cloud still lists it"
            except CloudError as exc:
                why = str(exc)
            self._pause()
        seconds = clock.monotonic_s() - begun_s
        return Timed(kind="delete", name="delete", seconds=seconds, ok=False, why=why)

    def _removed(self) -> bool:
        """Make one round: True if nothing of ours is listed, nor can appear any more."""
        cloud = self.means.cloud
        found = [one for one in cloud.list_servers() if self._is_ours(one)]
        for one in found:
            if self.means.policy.pools[self.key[0]].config.floating_ips:
                cloud.remove_floating_ips(one.id)
            cloud.delete_server(one.id)
        return not found and self.means.clock.monotonic_s() >= (self.certain_s or 0.0)

    def _is_ours(self, server: Server) -> bool:
        node = tags.owned_node(server.tags, self.means.owner)
        return server.id == self.server or node == self.launch.id

    def order(self, orders: ServerSpecs) -> ServerOrder:
        """Return its create call, under a name of ours.

        Raises:
            UserDataError, KeyFileError: As of :meth:`launcher.server.specs.ServerOrders.server`.
        """
        making = self.means.policy.making[self.key]
        host_key = make_host_key() if making.host_keys == "inject" else None
        if host_key is not None:
            self.launch = replace(self.launch, host_key=host_key.public)
        order = orders.server(self.launch, self.recipe, host_key)
        return replace(order, name=f"remuda-{self.launch.id}")

    def _create(self, orders: ServerSpecs) -> ServerOrder:
        with self._step("create"):
            order = self.order(orders)
            try:
                self.server = self.means.cloud.create_server(order)
            except UnknownOutcomeError:
                self.certain_s = self.means.clock.monotonic_s() + order.timeout_s
                raise
        return order

    def _wait_active(self, order: ServerOrder) -> None:
        limit_s = self.means.clock.monotonic_s() + self.means.policy.config.boot_timeout
        with self._step("active"):
            while (seen := self._look()) is None or not _usable(seen):
                if seen is not None and seen.status is ServerStatus.ERROR:
                    raise FailedError(f"the cloud says: {seen.fault or 'ERROR'}")
                self._go_on(limit_s, "not active within boot-timeout")
        self.tagged = order.tags.items() <= seen.tags.items()

    def _look(self) -> Server | None:
        """List all servers, as the launcher does, and return ours."""
        try:
            listed = self.means.cloud.list_servers()
        except TryLaterError:
            return self.seen
        found = next((one for one in listed if one.id == self.server), None)
        if found is None and self.seen is not None:
            self.missed += 1
            if self.missed >= MISSED_MAX:
                raise FailedError("the cloud lost the server")
            return None
        self.missed, self.seen = 0, found
        return found

    def _address(self, limit_s: float) -> str:
        seen, server = self.seen, self.server
        assert seen is not None  # noqa: S101 - it is active
        assert server is not None  # noqa: S101
        if not self.means.policy.pools[self.key[0]].config.floating_ips:
            return seen.public_ipv4 or seen.private_ipv4 or seen.public_ipv6 or ""
        with self._step("floating-ip"):
            while True:
                try:
                    port = self.means.cloud.find_ports([server]).get(server)
                    if port is not None:
                        return self.means.cloud.add_floating_ip(port).address
                    why = "the server has no port with a private IPv4 address yet"
                except (TryLaterError, GoneError) as exc:
                    why = str(exc)
                self._go_on(limit_s, f"no floating IP: {why}")
        raise AssertionError("the step returns or raises")

    def _prove(self, orders: ServerSpecs, address: str, limit_s: float) -> None:
        """Try again while it is too early, then note every step of the last attempt."""
        clock = self.means.clock
        begun_s = clock.monotonic_s()
        in_s = min(limit_s, begun_s + self.means.policy.config.login_timeout)
        order = orders.proof(self.launch, address)
        last_s = begun_s
        proof: Proof | None = None
        while True:
            try:
                proof = self.means.prover.prove(
                    order, stopped=self.means.stopped, deadline_s=limit_s, login_by_s=in_s
                ).or_earlier(proof)
            except KeyFileError as exc:
                with self._step("login"):
                    raise FailedError(str(exc)) from exc
            # Whoever was in has the whole time: the machine may reboot while it is checked.
            if any(one.step is ProofStep.LOGIN and one.ok for one in proof.steps):
                in_s = limit_s
            if not proof.too_early or self.means.stopped() or clock.monotonic_s() >= in_s:
                break
            self._pause()
            last_s = clock.monotonic_s()
        if last_s > begun_s:
            seconds = last_s - begun_s
            self._note(Timed(kind="ssh-wait", name="ssh-wait", seconds=seconds, ok=True))
        self._note_proof(proof)

    def _note_proof(self, proof: Proof) -> None:
        stopped = proof.stopped or (proof.too_early and self.means.stopped())
        for one in proof.steps:
            step = _proof_step(one)
            self._note(replace(step, why=STOPPED) if stopped and not step.ok else step)
        if not proof.ok:
            raise FailedError(STOPPED if stopped else proof.why)

    def _read_console(self) -> None:
        if self.server is None or not self.means.policy.making[self.key].console_log:
            return
        try:
            text = self.means.cloud.console_log(self.server, lines_max=CONSOLE_LINES_MAX)
            self.console = redact_end(text, CONSOLE_CHARS_MAX)
        except CloudError as exc:
            self.console = f"(no console log: {exc})"

    @contextmanager
    def _step(self, kind: str) -> Iterator[None]:
        """Time what happens inside, and note how it ended."""
        begun_s = self.means.clock.monotonic_s()
        try:
            yield
        except (CloudError, UserDataError, KeyFileError, FailedError) as exc:
            seconds = self.means.clock.monotonic_s() - begun_s
            self._note(Timed(kind=kind, name=kind, seconds=seconds, ok=False, why=str(exc)))
            raise FailedError(str(exc)) from exc
        self._note(self._timed(kind, begun_s))

    def _timed(self, kind: str, begun_s: float) -> Timed:
        seconds = self.means.clock.monotonic_s() - begun_s
        return Timed(kind=kind, name=kind, seconds=seconds, ok=True)

    def _note(self, step: Timed) -> None:
        self.steps.append(step)
        mark = "" if step.ok else f" FAILED: {step.why}"
        self.means.tell(f"{self.key[0]}/{self.key[1]}: {step.name} {step.seconds:.1f} s{mark}")

    def _go_on(self, limit_s: float, why: str) -> None:
        """Wait for the next look.

        Raises:
            FailedError: With *why* after *limit_s*, or because the user wants us to end.
        """
        if self.means.stopped():
            raise FailedError(STOPPED)
        if self.means.clock.monotonic_s() >= limit_s:
            raise FailedError(why)
        self._pause()

    def _pause(self) -> None:
        self.means.pause(min(PERIOD_S_MAX, self.means.policy.config.list_period))


def _usable(server: Server) -> bool:
    address = server.public_ipv4 or server.private_ipv4 or server.public_ipv6
    return server.status is ServerStatus.ACTIVE and address is not None


def _proof_step(taken: StepTaken) -> Timed:
    return Timed(
        kind=str(taken.step),
        name=taken.name,
        seconds=taken.seconds,
        ok=taken.ok,
        why=taken.why,
        output=taken.output,
    )
