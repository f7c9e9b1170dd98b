"""What machines of a sky do about their host keys when they are told, and what must hold then."""

import base64
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from launcher.hostkey.orders import MAKE, SWITCH
from remuda.model import tags
from remuda.model.ids import ServerId
from remuda.model.launch import Launch
from remuda.ssh.api import Proof, Script
from tests.fakes.prover import Exit

if TYPE_CHECKING:
    from tests.simulation.sky import Sky

#: How often the connection breaks once a script has done its work.
CUT: Final = 0.2
_HEAD: Final = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"


@dataclass(slots=True)
class MadeKeys:
    """The host keys that machines have made.

    Attributes:
        beside: Of each machine the one that it has made and does not show.
        shown: Machines that show one that they have made.
        given: What these had shown at first.
    """

    sky: "Sky"
    rng: random.Random
    beside: dict[ServerId, str] = field(default_factory=dict)
    shown: set[ServerId] = field(default_factory=set)
    given: dict[ServerId, str] = field(default_factory=dict)

    def told(self, server: ServerId, script: Script | None) -> str | None:
        """Prepare how a script ends; return the key that it makes or shows, or None."""
        if script is None or script.name not in {MAKE, SWITCH}:
            return None
        exit_ = Exit()
        if script.name == MAKE:
            blob = base64.b64encode(_HEAD + self.rng.randbytes(32)).decode()
            key = f"ssh-ed25519 {blob}"
            exit_ = Exit(output=f"remuda-made {key}")
        else:
            key = script.arguments[1]
            if key not in {self.beside.get(server), self.sky.keys[server]}:
                exit_ = Exit(code=1, output="it is not there any more")
        self.sky.prover.change(self.sky.address(server), exits={script.name: exit_})
        return key

    def did(self, server: ServerId, script: Script | None, key: str | None, proof: Proof) -> Proof:
        """Do what a script does that ran; its end may not be heard."""
        if script is None or key is None or not proof.ok:
            return proof
        if script.name == MAKE:
            self.beside[server] = key
        else:
            self._show(server, key)
        return Proof(ok=False, too_early=True) if self.rng.random() < CUT else proof

    def starts_anew(self, server: ServerId) -> None:
        """Show the key of its user data, as a machine that was made quiet does when it starts."""
        self.beside.pop(server, None)
        if server in self.given:
            self._show(server, self.given[server])

    def _show(self, server: ServerId, key: str) -> None:
        sky = self.sky
        self.given.setdefault(server, sky.keys[server])
        sky.keys[server] = key
        self.shown.add(server)
        sky.prover.change(sky.address(server), host_key=key)
        mark = tags.read(sky.cloud.orders[server].tags)
        launch = None if mark is None else sky.oracle.launch(sky.provider, mark.node)
        if launch is not None:
            self.judge(launch)

    def judge(self, launch: Launch) -> None:
        """See that whoever reads the launch record gets in."""
        real = None if launch.server is None else self.sky.keys.get(launch.server)
        begun = launch.hold is not None and launch.hold.begun and launch.host_key is not None
        told = begun and real is not None and launch.server not in self.sky.sick
        if told and real not in launch.believed_keys:
            self.sky.oracle.history.fail(f"hold: nobody gets in to {launch.id} any more")
