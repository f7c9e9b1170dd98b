"""The hand that gathers what is known of a machine, while it can still be asked."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from launcher.capsule.actions import TellCapsule
from launcher.capsule.describing import redacted
from launcher.capsule.events import CapsuleTold
from launcher.capsule.gathering import (
    LOGIN_S,
    RECORD_CHARS_MAX,
    VISIT_S,
    logs_of,
    missing_of,
    order_until,
)
from launcher.node.actions import CollectEvidence
from launcher.node.events import EvidenceCollected
from launcher.server.hand_cloud import CloudHands
from remuda.cloud.api import CloudError
from remuda.model.capsule import Capsule
from remuda.model.ids import ServerId
from remuda.redaction import redact_end, redact_text
from remuda.ssh.api import ProofSpec, Prover
from remuda.ssh.errors import KeyFileError

#: Of the console: in a whole capsule, and in the record.
WHOLE_CHARS_MAX: Final = 128 * 1024
CONSOLE_CHARS_MAX: Final = 32 * 1024


def new_mark() -> str:
    """Return by what a machine is to part its logs: it cannot have printed that before."""
    return f"=== {secrets.token_hex(16)}"


@dataclass(slots=True)
class GatherHands:
    """What is done to gather capsules; every method returns the event of one action."""

    cloud: CloudHands
    prover: Prover
    stopped: Callable[[], bool]

    def collect(
        self,
        action: CollectEvidence,
        capsule: Capsule,
        order: ProofSpec | str,
        *,
        console: bool,
        whole: bool,
    ) -> EvidenceCollected:
        """Keep the evidence of a failed launch or job; what cannot be had is left out.

        Args:
            action: What is asked.
            capsule: What is known of it.
            order: How the machine is asked for its logs, or why it is not.
            console: Its console may be asked for.
            whole: It is to be stored besides.
        """
        full = replace(
            capsule,
            **redacted(capsule),
            console=self._console(capsule.server, action.until_s) if console else "",
            **self._logs(order, action.until_s),
        )
        self.cloud.records.keep(in_record(full))
        return EvidenceCollected(node=action.node, capsule=full if whole else None)

    def tell(self, action: TellCapsule, capsule: Capsule, *, console: bool) -> CapsuleTold:
        """Write down what is known of a machine that lives; nobody logs in to it."""
        until_s = self.cloud.clock.monotonic_s() + VISIT_S
        told = replace(
            capsule,
            **redacted(capsule),
            console=self._console(capsule.server, until_s) if console else "",
            token=action.token,
            untold="it lives: nobody logs in for this",
        )
        self.cloud.records.keep(in_record(told))
        return CapsuleTold(node=action.node, token=action.token)

    def _console(self, server: str | None, until_s: float) -> str:
        if server is None:
            return ""
        if self.cloud.clock.monotonic_s() >= until_s:
            # Nobody waits for us any more; those that come after us would, for the thread.
            return "(no console log: those before it took too long)"
        try:
            return redact_end(self.cloud.cloud.console_log(ServerId(server)), WHOLE_CHARS_MAX)
        except CloudError as exc:
            return f"(no console log: {exc})"

    def _logs(self, order: ProofSpec | str, until_s: float) -> dict[str, Any]:
        """Return the machine's logs, or why there are none; it answers soon, or goes without."""
        if isinstance(order, str):
            return {"untold": order}
        now_s = self.cloud.clock.monotonic_s()
        ends_s = min(until_s, now_s + VISIT_S)
        if ends_s - now_s < 1.0:
            return {"untold": "no time was left for its logs"}
        try:
            proof = self.prover.prove(
                order_until(order, ends_s - now_s),
                stopped=self.stopped,
                deadline_s=ends_s,
                login_by_s=min(ends_s, now_s + LOGIN_S),
            )
        except KeyFileError as exc:
            return {"untold": redact_text(str(exc))}
        script = order.setup
        mark = "" if script is None else script.arguments[0]
        said = next((one.output for one in proof.steps if one.output and one.name == "logs"), "")
        logs = {name: redact_text(text) for name, text in logs_of(said, mark).items()}
        if not proof.ok:
            # Where it broke off nobody knows what would have come.
            return {"logs": logs, "untold": redact_text(proof.why)}
        return {"logs": logs, "missing": missing_of(said, mark)}


def in_record(capsule: Capsule) -> Capsule:
    """Return what of a capsule lies in ZooKeeper: the ends of its texts."""
    return replace(
        capsule,
        console=capsule.console[-CONSOLE_CHARS_MAX:],
        logs={name: text[-RECORD_CHARS_MAX:] for name, text in capsule.logs.items()},
    )
