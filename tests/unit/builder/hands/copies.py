"""One copy of a build, with all that it needs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from builder.policy import ImagePolicy
from builder.upload.events import CopyEnded
from builder.upload.hand_copy import CopyBetweenSites, CopyingHand
from remuda.cloud.image_store import Membership, StoredImage, Visibility
from remuda.model.upload import Method, Upload, UploadState
from remuda.store.api import Stored
from tests.unit.builder.hands.clouds import INSTALLATION, ME, Setting

POLICY = ImagePolicy(image="debian", fingerprint="f", groups=(("pa", "pb", "pc"),))
TARGETS = {Method.SHARE: "pb", Method.CARRY: "pc"}
BOTH = pytest.mark.parametrize("method", TARGETS)


@dataclass
class Copy:
    """One copy of a build from pa, by a method."""

    setting: Setting
    method: Method
    image: StoredImage
    free: int = 1 << 40
    stopped: bool = False
    log: Any = None
    carried_sha512: str | None = None
    tokens: list[str] = field(default_factory=lambda: ["one", "two", "three"])

    @property
    def target(self) -> str:
        """Where it goes."""
        return TARGETS[self.method]

    @property
    def folder(self) -> Path:
        """Where files are on their way."""
        return self.setting.scratch / "work" / "copies"

    def hand(self) -> CopyingHand:
        """Return the hand."""
        return CopyingHand(
            store=self.setting.store,
            clock=self.setting.clock,
            installation=INSTALLATION,
            folder=self.folder,
            new_token=lambda: self.tokens.pop(0),
            free=lambda _folder: self.free,
            log=self.log,
        )

    def order(self, upload: Stored[Upload] | None = None) -> CopyBetweenSites:
        """Return what is judged: ours, and being made."""
        setting = self.setting
        return CopyBetweenSites(
            upload=upload or setting.stored(setting.id(self.target)),
            source=setting.stored(setting.id("pa")),
            here=setting.sites[self.target],
            there=setting.sites["pa"],
            policy=POLICY,
            stopped=lambda: self.stopped,
            carried_sha512=self.carried_sha512,
        )

    def take(self, **more: Any) -> Stored[Upload]:
        """Write that we make it."""
        given: dict[str, Any] = {
            "state": UploadState.MAKING,
            "method": self.method,
            "source": self.setting.place("pa"),
            "owner": ME,
        }
        return self.setting.upload(self.target, **(given | more))

    def run(self) -> CopyEnded:
        """Take it, and copy."""
        return self.hand().copy(self.order(self.take()))

    def now(self) -> Upload:
        """Return the record."""
        return self.setting.now(self.target)

    def made(self) -> list[StoredImage]:
        """Return what the target's project has, and the source's images that it is offered."""
        return list(self.setting.images[self.target].list_images())

    def members(self) -> dict[str, Membership]:
        """Return whom the source is shared with."""
        images = self.setting.images["pa"]
        if images.get_image(self.image.id).visibility is not Visibility.SHARED:
            return {}
        return dict(images.members(self.image.id))

    def files(self) -> list[str]:
        """Return what lies in the folder."""
        return sorted(one.name for one in self.folder.iterdir()) if self.folder.exists() else []


Make = Callable[..., Copy]


def copies(tmp_path: Path) -> Make:
    """Return a maker of copies, each in clouds of its own."""
    count = [0]

    def one(method: Method = Method.CARRY, **more: Any) -> Copy:
        count[0] += 1
        scratch = tmp_path / str(count[0])
        scratch.mkdir()
        setting = Setting(scratch)
        image = setting.image("pa", **more)
        setting.upload(
            "pa",
            cloud_image=image.id,
            method=Method.NATIVE,
            os_hash=f"sha512:{image.hash_value}",
            sha256="a" * 64,
        )
        return Copy(setting, method, image)

    return one
