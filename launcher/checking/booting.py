"""One machine, made and removed as a launcher does it: its steps, with times, for a person."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from launcher.actions import Action
from launcher.checking.means import Means
from launcher.checking.onenode import OneNode
from launcher.checking.timed import PERIOD_S_MAX, STOPPED, Timed
from launcher.events import Event
from launcher.node.actions import Advance, Condemn
from launcher.node.events import Proved
from launcher.policy import Key
from launcher.provider.cloud import Recipe
from launcher.server.addressing import wants_ip
from launcher.server.events import Addressed, Created, Deleted, Listed
from remuda.cloud.api import CloudError, Server
from remuda.model.ids import ServerId
from remuda.model.launch import Step
from remuda.ssh.api import Proof, ProofStep
from remuda.ssh.errors import KeyFileError

#: Deleting is tried for so long; then a person must look.
REMOVE_S_MAX: Final = 300.0


@dataclass(slots=True, kw_only=True)
class Boot:
    """One trial of one label.

    Attributes:
        tagged: Whether the listing showed all tags of the order.
        left: What the cloud said last of a machine that is to be gone.
    """

    means: Means
    recipe: Recipe
    key: Key
    number: int
    steps: list[Timed] = field(default_factory=list)
    tagged: bool | None = None
    left: str = "the cloud did not say whether it made a server"
    node: OneNode = field(init=False)
    _step: str = "create"
    _since_s: float = field(init=False)
    _proofs_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Plan the node."""
        self.node = OneNode(
            means=self.means,
            recipe=self.recipe,
            key=self.key,
            number=self.number,
            heard=self._heard,
        )
        self._since_s = self.means.clock.monotonic_s()

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

    @property
    def server(self) -> ServerId | None:
        """The cloud's id of the machine."""
        return self.node.view.server.id

    def run(self) -> None:
        """Let it live until it is ready or a step fails; it is to be removed in any case."""
        while self.failed is None and not self._is_ready():
            if self.means.stopped():
                self._fail(STOPPED)
                break
            try:
                self._turn()
            except KeyFileError as exc:
                self._step = ProofStep.LOGIN
                self._fail(str(exc))

    def remove(self) -> Timed | None:
        """Have it deleted until nothing is left; None if there was nothing to delete.

        Goes on when the user wants us to end: that is what the end waits for.
        """
        if self.node.view.server.unasked:
            return None
        clock, launch = self.means.clock, self.node.view.launch
        begun_s = clock.monotonic_s()
        ends_s = begun_s + REMOVE_S_MAX
        if self.server is None and launch is not None:
            self._tell("waiting until it is certain whether the cloud made a machine")
            ends_s += max(0.0, launch.asked_by_s - clock.now_s())
        self.node.condemn("the check is over")
        while not self.node.gone and clock.monotonic_s() < ends_s:
            self._turn()
        seconds, gone = clock.monotonic_s() - begun_s, self.node.gone
        why = "" if gone else self.left
        return Timed(kind="delete", name="delete", seconds=seconds, ok=gone, why=why)

    def _turn(self) -> None:
        pause_s = self.node.turn()
        if pause_s:
            self.means.pause(min(PERIOD_S_MAX, pause_s))

    def _is_ready(self) -> bool:
        launch = self.node.view.launch
        return launch is not None and launch.step is Step.DONE

    def _heard(self, action: Action, event: Event | None, begun_s: float) -> None:
        """Tell which step is over, by what has been done."""
        match event:
            case Created(result=CloudError() as error):
                self._fail(str(error))
            case Created():
                self._end("active")
            case Listed(result=tuple() as servers):
                self._look(servers)
            case Listed(result=CloudError() as error) | Deleted(error=CloudError() as error):
                self.left = str(error)
                self._tell(f"the cloud says: {error}")
            case Addressed() if self.node.view.address.floating_ip is not None:
                self._end(ProofStep.CONNECT)
            case Proved(proof=proof):
                self._proofs_s.append(begun_s)
                if proof.ok:
                    self._end_proof(proof)
            case _:
                self._decided(action)

    def _decided(self, action: Action) -> None:
        match action:
            case Advance() if action.launch.step is Step.PROVING:
                lacks_ip = wants_ip(self.node.world, self.node.view)
                self._end("floating-ip" if lacks_ip else ProofStep.CONNECT)
            case Condemn(cause=cause) if self.failed is None:
                self._fail(cause)
            case _:
                pass

    def _look(self, servers: Iterable[Server]) -> None:
        """Note how the listing shows the machine."""
        launch, image = self.node.view.launch, self.recipe.image
        seen = next((one for one in servers if one.id == self.server), None)
        if seen is None or launch is None or image is None:
            return
        self.left = "the cloud still lists it"
        wanted = self.node.specs.server_tags(launch, image)
        self.tagged = wanted.items() <= seen.tags.items()

    def _end(self, following: str) -> None:
        """Note that the present step went well, and which one follows."""
        now_s = self.means.clock.monotonic_s()
        self._note(Timed(kind=self._step, name=self._step, seconds=now_s - self._since_s, ok=True))
        self._step, self._since_s = following, now_s

    def _fail(self, why: str) -> None:
        """Note that a step failed: that of the last proof if there was one, else this one."""
        proof = self.node.view.proof.last
        if proof is not None and not proof.ok:
            self._end_proof(proof, STOPPED if why == STOPPED else "")
            return
        seconds = self.means.clock.monotonic_s() - self._since_s
        self._note(Timed(kind=self._step, name=self._step, seconds=seconds, ok=False, why=why))

    def _end_proof(self, proof: Proof, stopped: str = "") -> None:
        """Note every step of the last attempt, and how long it was too early for that."""
        seconds = self._proofs_s[-1] - self._proofs_s[0]
        if seconds > 0:
            self._note(Timed(kind="ssh-wait", name="ssh-wait", seconds=seconds, ok=True))
        for one in proof.steps:
            self._note(Timed.of_proof(one, why=one.why if one.ok else stopped or one.why))
        self._step, self._since_s = "active", self.means.clock.monotonic_s()

    def _note(self, step: Timed) -> None:
        self.steps.append(step)
        mark = "" if step.ok else f" FAILED: {step.why}"
        self._tell(f"{step.name} {step.seconds:.1f} s{mark}")

    def _tell(self, text: str) -> None:
        self.means.tell(f"{self.key[0]}/{self.key[1]}: {text}")
