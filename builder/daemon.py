"""One builder process: its role in the frame of every process."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from builder.actions import KINDS
from builder.assembly import Outside, assemble
from builder.lanes import LANE_SIZES
from builder.place.clouds import Clouds, MakeCloud, ProviderCloud, openstack
from builder.wiring import WireHands, tidy, wire
from builder.worker import BuilderWorker, check
from remuda.config.model import Config
from remuda.frame.process import Beginning, CannotRunError
from remuda.frame.workers import Workers
from remuda.membership.installation import find_installation
from remuda.metrics.factory import Instruments
from remuda.metrics.sink import Metrics
from remuda.runtime.clock import Clock, SystemClock

#: For what is large, and outlives a restart (FHS).
_LARGE: Final = "/var/tmp"  # noqa: S108 - the folder made in it is checked to be ours


def parent_folder(environ: Mapping[str, str]) -> Path:
    """Return where the work folder is made.

    The usual temporary folder is often in memory, and images are gigabytes.
    """
    return Path(environ.get("TMPDIR") or _LARGE)


def work_folder(parent: Path) -> Path:
    """Return a folder of ours alone below *parent*; the next builder of this user has it, too.

    Raises:
        CannotRunError: If it cannot be made, or is another user's.
    """
    folder = parent / f"remuda-builder-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat(follow_symlinks=False)
    except OSError as error:
        raise CannotRunError(f"the folder {folder} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise CannotRunError(f"{folder} must be a folder of this user alone: remove it")
    return folder


@dataclass(slots=True)
class BuilderRole:
    """What a builder needs before it has ZooKeeper.

    Attributes:
        wire: Makes its hands.
    """

    wire: WireHands = wire
    clock: Clock = field(default_factory=SystemClock)
    kind: str = "builder"
    name: str = "builder"
    title: str = "builder of images"
    provider: str | None = None

    def check(self, config: Config, instruments: Instruments) -> None:
        """Complain early of private keys and clouds.yaml.

        Raises:
            KeyFileError: If a private key cannot be used.
            CloudConfigError: If clouds.yaml cannot.
        """
        check(config, self._cloud_maker("", instruments.metrics))

    def begin(self, beginning: Beginning) -> "BuilderWorker":
        """Wire a builder together.

        Raises:
            StoreError: If ZooKeeper does not let us.
            InstallationError: If ZooKeeper seems to be another installation's.
        """
        config, ground = beginning.config, beginning.ground
        installation = find_installation(ground.store, config.installation)
        make_cloud = self._cloud_maker(installation, ground.metrics)
        work_dir = work_folder(parent_folder(os.environ))
        left = tidy(work_dir)
        if any(left.values()):
            ground.log.info("builder.tidied", **left)
        outside = Outside(
            config=config,
            ground=ground,
            installation=installation,
            clouds=Clouds(make=make_cloud),
            member=beginning.me,
            workers=Workers(ground.inbox, KINDS, LANE_SIZES),
            wire=self.wire,
            work_dir=work_dir,
        )
        worker = assemble(outside)
        ground.log.info("builder.started", replica=beginning.me.id, url=beginning.me.url)
        return worker

    def _cloud_maker(self, installation: str, metrics: Metrics) -> MakeCloud:
        def make(config: Config, provider: str) -> ProviderCloud:
            return openstack(
                config, provider, installation=installation, metrics=metrics, clock=self.clock
            )

        return make
