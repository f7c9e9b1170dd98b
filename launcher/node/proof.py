"""What the brain remembers of the attempts to prove a node's machine."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from remuda.ssh.api import Proof, ProofStep


class Access(StrEnum):
    """How far an attempt of ours got into a machine, at best."""

    NONE = "none"
    LOGGED_IN = "logged in"
    PROVEN = "proven"  # and all checks passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a machine in the making is waited for; see ``Launch.proof_step``.

    Attributes:
        since_s: Wall clock.
    """

    step: str
    words: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofView:
    """The attempts to prove a machine.

    Attributes:
        last: The last one, or one before it that came further.
        access: How far any of them got.
        host_keys: What the machine presented when it was proven.
        stage: What it is waited for, as far as we have seen; None: what its record says.
        noted_s: When that was last tried to be written down (monotonic).
        ended_s: When the attempt ended that is *last* (wall clock).
    """

    last: Proof | None = None
    access: Access = Access.NONE
    host_keys: tuple[str, ...] = ()
    stage: Stage | None = None
    noted_s: float = float("-inf")
    ended_s: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the machine is proven."""
        return self.access is Access.PROVEN

    @property
    def logged_in(self) -> bool:
        """Whether an attempt of ours got past the login once."""
        return self.access is not Access.NONE

    def let_in(self) -> "ProofView":
        """Return it with a login that succeeded."""
        return self if self.logged_in else replace(self, access=Access.LOGGED_IN)

    def tried(self, proof: Proof, wall_s: float | None = None) -> "ProofView":
        """Return it after another attempt, which ended just now."""
        last = proof.or_earlier(self.last)
        after = replace(self, last=last, ended_s=wall_s if last is proof else self.ended_s)
        if proof.ok:
            return replace(after, access=Access.PROVEN, host_keys=proof.host_keys)
        logins = (one.ok for one in proof.steps if one.step is ProofStep.LOGIN)
        return after.let_in() if any(logins) else after


#: Of most nodes: no attempt of ours has ended.
UNTRIED: Final = ProofView()
