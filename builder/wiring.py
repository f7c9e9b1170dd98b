"""Wiring: the hands that a builder works with, and what they need."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from builder.build import hand_adopt, hand_make
from builder.build.wiring import Adopting, Logs, Making
from builder.hands.api import Hands
from builder.hands.means import LOG_FILES_MAX, LOGS, HandMeans
from builder.log.log_file import prune
from builder.machine.hand_borrow import Machines
from builder.machine.hand_login_keys import remove_left_keys
from builder.place import hand_look, hand_sweep
from builder.place.sites import Sites
from builder.place.wiring import Looking, Sweeping
from builder.upload import hand_copy, hand_retire, hand_validate
from builder.upload.wiring import Copying, Retiring, Validating
from remuda.ssh.prover import ParamikoProver
from requestor.client import Client

#: Folder of a builder's own.
KEYS: Final = "keys"

#: Makes the hands of a builder.
WireHands = Callable[[HandMeans], Hands]


def tidy(work_dir: Path) -> int:
    """Remove what builders of this host have left: keys of dead ones, and logs beyond the newest.

    Returns:
        How many keys there were.
    """
    prune(work_dir / LOGS, LOG_FILES_MAX)
    return remove_left_keys(work_dir / KEYS)


def wire(means: HandMeans) -> Hands:
    """Return the real hands."""
    store, clock, installation = means.store, means.clock, means.installation
    client = Client(store, requestor="builder", clock=clock)
    machines = Machines(client, clock, means.work_dir / KEYS)
    sites = Sites(means.images)
    return Hands(
        making=Making(means, hand_make.MakingHand(machines=machines, clock=clock)),
        adopting=Adopting(means, sites, hand_adopt.AdoptingHand(store, clock, installation)),
        validating=Validating(
            means,
            hand_validate.ValidatingHand(
                machines=machines, prover=ParamikoProver(clock), clock=clock
            ),
        ),
        copying=Copying(
            means,
            sites,
            hand_copy.CopyingHand(
                store=store,
                clock=clock,
                installation=installation,
                folder=means.work_dir / "carried",
                new_token=lambda: uuid.uuid4().hex[:12],
                log=means.log,
            ),
        ),
        retiring=Retiring(
            means.clouds, hand_retire.RetiringHand(store, clock, installation, sites)
        ),
        sweeping=Sweeping(means.clouds, hand_sweep.SweepingHand(store, clock, installation, sites)),
        looking=Looking(means, sites, hand_look.LookingHand(clock, installation)),
        logs=Logs(store),
    )
