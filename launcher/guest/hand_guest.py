"""The hand that lets somebody onto a running machine."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from launcher.guest.actions import FetchKeys, LetIn, SetKeys
from launcher.guest.events import GuestTried, KeysFetched, KeysSet
from launcher.guest.orders import LET_IN_S
from launcher.node.hand_visiting import Visited, run_visit
from remuda.model.publickey import PublicKey
from remuda.runtime.clock import Clock
from remuda.ssh.api import ProofSpec, Prover
from remuda.ssh.certificates import authority_line, sign, trust_line
from remuda.ssh.errors import KeyFileError, KeySourceError
from remuda.ssh.keyurl import fetch_keys


@dataclass(slots=True)
class GuestHands:
    """What is done for guests over SSH.

    Attributes:
        fetcher: Returns the keys that a URL has, or raises KeySourceError.
        authority: File of the key that signs certificates; None: none are made.
    """

    prover: Prover
    stopped: Callable[[], bool]
    clock: Clock
    fetcher: Callable[[str, Clock], tuple[PublicKey, ...]] = fetch_keys
    authority: str | None = None

    def let_in(self, action: LetIn, order: ProofSpec | str) -> GuestTried:
        """Put a guest key onto a machine, or say why that cannot be."""
        visited = self._visit(order)
        return GuestTried(node=action.node, key=action.key, why=visited.why, again=visited.again)

    def set_keys(self, action: SetKeys, order: ProofSpec | str) -> KeysSet:
        """Put the keys of a wish onto a machine or take them off, or say why that cannot be."""
        certificate = None
        if action.certify_until_s is not None and not isinstance(order, str):
            try:
                certificate, order = self._certified(action, action.certify_until_s, order)
            except (KeyFileError, KeySourceError) as error:
                order = str(error)
        visited = self._visit(order)
        return KeysSet(
            node=action.node,
            token=action.token,
            account=action.account,
            keys=action.keys,
            name=action.name,
            why=visited.why,
            again=visited.again,
            certificate=None if visited.why is not None else certificate,
        )

    def _certified(
        self, action: SetKeys, until_s: float, order: ProofSpec
    ) -> tuple[str, ProofSpec]:
        """Return a certificate for a key, and what makes a machine trust it that may not yet.

        Raises:
            KeyFileError: The authority cannot be used.
            KeySourceError: No certificate is made for such a key.
        """
        (key,), path = action.keys[:1], self.authority
        if path is None or order.setup is None:
            raise KeyFileError("no authority is configured any more")
        certificate = sign(
            path,
            key,
            action.node,
            key_id=f"{action.name} on {action.node}",
            from_s=self.clock.now_s(),
            until_s=until_s,
        )
        line = trust_line(authority_line(path), action.node)
        trusted = replace(order.setup, arguments=(line, *order.setup.arguments[1:]))
        return certificate, replace(order, setup=trusted)

    def fetch(self, action: FetchKeys) -> KeysFetched:
        """Fetch the keys of a developer, or say why there are none."""
        found: tuple[PublicKey, ...] | str
        try:
            found = self.fetcher(action.url, self.clock)
        except KeySourceError as error:
            found = str(error)
        return KeysFetched(node=action.node, url=action.url, found=found)

    def _visit(self, order: ProofSpec | str) -> Visited:
        return run_visit(self.prover, order, self.clock, limit_s=LET_IN_S, stopped=self.stopped)
