"""The places for whole capsules, as a configuration names them."""

from pathlib import Path
from typing import Final

from launcher.capsule.hand_places import CapsuleStore, FolderStore, SwiftStore
from remuda.cloud.account import AccountSettings
from remuda.cloud.objects import ObjectStore
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.config.capsules import CapsuleSwift
from remuda.config.model import Config
from remuda.model import tags
from remuda.runtime.clock import Clock

_MIB: Final = 1024 * 1024


def stores_of(config: Config, owner: tags.Owner, clock: Clock) -> tuple[CapsuleStore, ...]:
    """Return them; nothing is opened before there is something to store."""
    wanted, found = config.capsules, list[CapsuleStore]()
    if wanted.folder is not None:
        folder = wanted.folder
        found.append(
            FolderStore(
                folder=Path(folder.path), bytes_max=folder.max_size * _MIB, keep_s=folder.keep
            )
        )
    if wanted.swift is not None:
        found.append(_swift(config, wanted.swift, owner, clock))
    return tuple(found)


def _swift(config: Config, swift: CapsuleSwift, owner: tags.Owner, clock: Clock) -> SwiftStore:
    account = AccountSettings(
        cloud=swift.cloud,
        region=swift.region,
        clouds_file=config.clouds_file,
        api_timeout_s=config.providers[owner.provider].api_timeout,
    )

    def opened() -> ObjectStore:
        # By its own connections: what hangs there keeps no call for machines waiting.
        return OpenStackCloud(
            CloudSettings(account=account, owner=owner), clock=clock
        ).object_store()

    return SwiftStore(
        where=f"{swift.cloud}:{swift.container}",
        container=swift.container,
        prefix=swift.prefix,
        region=swift.region,
        keep_s=swift.keep,
        open_store=opened,
        clock=clock,
    )
