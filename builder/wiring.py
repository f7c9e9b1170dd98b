"""Wiring: the hands that a builder works with, and what they need."""

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from builder.build import hand_adopt, hand_file, hand_make
from builder.build.hand_command import HostCommands, end_left_commands
from builder.build.wiring import Adopting, Logs, Making
from builder.hands.api import Hands
from builder.hands.means import LOG_FILES_MAX, LOGS, HandMeans
from builder.log.log_file import prune
from builder.machine.hand_borrow import Machines
from builder.machine.hand_login_keys import remove_left_keys
from builder.place import hand_look, hand_sweep
from builder.place.sites import Sites
from builder.place.wiring import Looking, Sweeping
from builder.takehome.hand_end import EndingHand
from builder.takehome.hand_keep import KeepingHand
from builder.takehome.hand_make import TakingHand
from builder.takehome.wiring import TakingHome
from builder.upload import hand_copy, hand_retire, hand_validate
from builder.upload.wiring import Copying, Retiring, Validating
from remuda.ssh.prover import ParamikoProver
from requestor.client import Client

#: Folders of a builder's own.
KEYS: Final = "keys"
COMMANDS: Final = "commands"

#: Makes the hands of a builder.
WireHands = Callable[[HandMeans], Hands]


def tidy(work_dir: Path) -> Mapping[str, int]:
    """Remove what builders of this host have left: keys and commands of dead ones, old logs.

    Returns:
        How many keys and commands there were.
    """
    prune(work_dir / LOGS, LOG_FILES_MAX)
    return {
        "keys": remove_left_keys(work_dir / KEYS),
        "commands": end_left_commands(work_dir / COMMANDS),
    }


def wire(means: HandMeans) -> Hands:
    """Return the real hands."""
    store, clock, installation = means.store, means.clock, means.installation
    client = Client(store, requestor="builder", clock=clock)
    machines = Machines(client, clock, means.work_dir / KEYS)
    sites = Sites(means.images)
    return Hands(
        making=Making(
            means,
            hand_make.MakingHand(machines=machines, clock=clock),
            hand_file.FileHand(
                store=store, clock=clock, commands=HostCommands(folder=means.work_dir / COMMANDS)
            ),
        ),
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
        taking_home=TakingHome(
            means,
            TakingHand(machines=machines, clock=clock),
            EndingHand(store, clock, installation, sites),
            KeepingHand(store, clock, installation, sites),
        ),
    )
