"""What a build and a trial begin with alike: what they are told, and the machine they ask for."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from builder.log.progress import ProgressLog
from builder.machine.hand_borrow import Machines, MachineWanted
from builder.policy import ImagePolicy
from remuda.cloud.api import Cloud
from remuda.cloud.image_store import ImageStore
from remuda.config.recipes import ImageRecipe
from remuda.model.image import UploadId
from remuda.model.imageask import ImageUse
from remuda.model.tags import Owner
from remuda.runtime.clock import Clock
from remuda.runtime.waiting import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class InCloud:
    """A task by a recipe, with the cloud in which it is carried out.

    Attributes:
        policy: Of the same configuration as the recipe.
        owner: Who makes machines and images there: the installation, and the provider.
        room_s: How long it may wait for a machine.
    """

    recipe: ImageRecipe
    policy: ImagePolicy
    owner: Owner
    cloud: Cloud
    images: ImageStore
    room_s: float = 24 * 3600.0

    def machine(
        self,
        use: ImageUse,
        provider: str,
        *,
        upload: UploadId | None,
        boots: str | None,
        secret: bool,
    ) -> MachineWanted:
        """Return the machine to ask for; *upload*, *boots* and *secret* as it says of them."""
        return MachineWanted(
            image=self.recipe.name,
            use=use,
            provider=provider,
            user=self.recipe.makings[provider].username,
            port=self.recipe.connection_port,
            upload=upload,
            cloud=self.cloud,
            owner=self.owner,
            boots=boots,
            secret=secret,
            room_s=self.room_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineHand:
    """A hand that works on machines; may be used by many threads at once.

    Attributes:
        environ: Where secrets may be.
        wait: How it waits; None: by the operating system.
    """

    machines: Machines
    clock: Clock
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    wait: Callable[[float], object] | None = None

    def waiting(self, stopped: Callable[[], bool]) -> Waiting:
        """Return what waits for one task."""
        return Waiting(self.clock, stopped, self.wait)


@dataclass(slots=True, kw_only=True)
class InPhases:
    """Work under way.

    Attributes:
        phase: What is being done, for the mishap of an error that says no more.
    """

    waiting: Waiting
    log: ProgressLog
    phase: str = "begin"

    def run(self, work: Callable[[], str | None]) -> str | None:
        """Do *work*, which returns why it came to nothing, or None; close the log in the end."""
        ok: bool | None = None
        try:
            why = work()
            ok = why is None
        finally:
            self.log.close(ok=ok)
        return why

    def _begin(self, phase: str) -> None:
        self.waiting.check()
        self.phase = phase
        self.log.step(phase)
