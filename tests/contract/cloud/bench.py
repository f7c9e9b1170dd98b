"""What the contract suite needs of a cloud under test, whichever it is."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeVar

import pytest
import requests

from remuda.cloud.api import Cloud, ImageWanted, Server, ServerSpec, ServerStatus, TryLaterError
from remuda.cloud.image_store import ImageEdit, ImageStore, StoredImage
from remuda.cloud.objects import ObjectStore
from remuda.cloud.sizes import FlavorWanted
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ServerId

T = TypeVar("T")

OWNER: Final = tags.Owner(installation="contract-suite", provider=ProviderName("bench"))


class Fault(StrEnum):
    """What a bench may be asked to let go wrong, once, with the next call of its kind."""

    CREATE_QUOTA = "create: quota exceeded"
    CREATE_LOST_REPLY = "create: done, but the connection is dropped"
    CREATE_LOST_CALL = "create: not done, and the connection is dropped"
    CREATE_THROTTLED = "create: 429 with Retry-After 7"
    CREATE_BROKEN = "create: 500"
    LIST_BROKEN = "list: 500"
    LIST_DROPPED = "list: the connection is dropped"
    LIST_THROTTLED = "list: 503 with Retry-After 7"
    BOOT_ERROR = "boot: ends in ERROR"
    BOOT_NO_HOST = "boot: no valid host"
    BOOT_HANGS = "boot: never ends"
    DELETE_BROKEN = "delete: 500"
    DELETE_FAILS = "delete: accepted, but not done"
    SERVER_DIES = "boot: the machine ends soon after it"
    SNAPSHOT_LOST_REPLY = "snapshot: done, but the connection is dropped"
    SNAPSHOT_LOST_CALL = "snapshot: not done, and the connection is dropped"
    SNAPSHOT_FAILS = "boot: the server's snapshots fail"
    SNAPSHOT_HANGS = "boot: the server's snapshots never end"
    SNAPSHOT_QUIESCE = "snapshot: 409, the guest agent does not answer"
    SNAPSHOT_VANISHES = "snapshot: the image is gone when its server is"
    SNAPSHOT_UNHASHED = "snapshot: the image has no hash"
    IMAGES_BROKEN = "list of images: 500"
    IMAGE_IN_USE = "delete of an image: 409, it is in use"
    UPLOAD_LOST_REPLY = "upload: the data has come, but the connection is dropped"
    UPLOAD_LOST_CALL = "upload: the connection is dropped"
    UPLOAD_GARBLED = "upload: one byte arrives as another"
    DOWNLOAD_CUT = "download: the connection ends in the middle"
    DOWNLOAD_GARBLED = "download: one byte arrives as another"
    OBJECT_LOST_REPLY = "put of an object: done, but the connection is dropped"
    OBJECT_LOST_CALL = "put of an object: not done, and the connection is dropped"
    OBJECT_GARBLED = "put of an object: one byte arrives as another"
    OBJECT_QUOTA = "put of an object: 413, quota"
    OBJECT_FULL = "put of an object: 507, no room on the disks"
    OBJECT_BROKEN = "look at an object: 503"
    OBJECT_CUT = "get of an object: the connection ends in the middle"
    OBJECT_SPOILT = "get of an object: one byte arrives as another"


#: Larger objects go in segments; the least that a real Swift takes is a byte.
SEGMENT_BYTES: Final = 1 << 20
#: Images of ours begin so.
NAMES: Final = "contract-"
RETRY_AFTER_S: Final = 7.0
#: The one keypair that is there.
KEYPAIR: Final = "contract-suite"
#: An account as clouds.yaml writes it, and what makes another of it.
Entry = dict[str, Any]
Change = Callable[[Entry], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A result and what it cost in API calls."""

    calls: int
    value: object = None


class Bench(ABC):
    """A cloud under test, and power over it.

    Attributes:
        cloud: The adapter.
        images: What goes with it.
        objects: Likewise; with segments of :data:`SEGMENT_BYTES` and pages of two objects.
        image_name: Name of an image that is there.
        networks: What orders name.
        inside: Network for servers that get a floating IP; None: no floating IPs here.
        diskless: Name of a flavor whose disk is 0; None: there is none.
    """

    cloud: Cloud
    images: ImageStore
    objects: ObjectStore
    image_name: str
    networks: tuple[str, ...] = ()
    inside: str | None = None
    diskless: str | None = None

    def __init__(self) -> None:
        self._nodes = 0

    def neighbour(self) -> tuple[Cloud, ImageStore] | None:
        """Return another project of the same cloud, or None if there is none."""
        return None

    def other_objects(self) -> ObjectStore | None:
        """Return the object store of another project, or None if there is none."""
        return None

    def fetch(self, url: str) -> tuple[int, bytes]:
        """Return what anybody gets by a URL: the status, and the body."""
        answer = requests.get(url, timeout=30.0, headers={"Accept-Encoding": "identity"})
        return answer.status_code, answer.content

    def tokens(self) -> int | None:
        """Return how many tokens the cloud has given us so far, or None if it has none."""
        return None

    def fresh(self) -> tuple[Cloud, ImageStore]:
        """Return another connection, without a token; skip the test where there are none."""
        pytest.skip("this cloud has no connections")

    def revoke_token(self, cloud: Cloud) -> None:
        """Let Keystone refuse a connection's token from now on.

        Services may go on to accept what they have accepted before: they remember it.
        """
        raise NotImplementedError

    @contextmanager
    def token_life(self, seconds: int) -> Iterator[None]:  # noqa: ARG002 - for others
        """Let tokens live for so long meanwhile, or skip the test here."""
        pytest.skip("this cloud's tokens cannot be made to live for seconds")
        yield

    @contextmanager
    def skew(self, seconds: float) -> Iterator[None]:  # noqa: ARG002 - for others
        """Let the cloud's clock be ahead of ours meanwhile, or skip the test here."""
        pytest.skip("this cloud's clock cannot be turned")
        yield

    def image_name_and_tags(self) -> tuple[str, dict[str, str]]:
        """Return a name that nobody has used, and what marks an image of that name as ours."""
        self._nodes += 1
        name = f"{NAMES}{time.time_ns()}-{self._nodes}"
        ours = tags.ImageTags(owner=OWNER, image="contract", build=str(self._nodes), name=name)
        return name, tags.make_image(ours)

    def our_images(self) -> list[StoredImage]:
        """Look for what we made in the listing, tagged or only named as ours."""
        return [each for each in self.images.list_images() if _is_ours(each)]

    def order(self, **changes: object) -> ServerSpec:
        """Return an order that this cloud can fulfil, for a node of its own."""
        self._nodes += 1
        node = NodeId(f"{self._nodes:010d}")
        ours = tags.ServerTags(owner=OWNER, node=node, pool=PoolName("p"), label="small")
        order = ServerSpec(
            name=tags.server_name(node),
            image=self.cloud.find_image(ImageWanted(name=self.image_name)),
            flavor=self.cloud.find_flavor(FlavorWanted()),
            tags=tags.make(ours, image=self.image_name, extra={"mine": "yes"}),
            networks=self.networks,
        )
        return replace(order, **changes)  # type: ignore[arg-type]

    def find(self, server: ServerId) -> Server | None:
        """Look the server up in the listing."""
        return next((each for each in self.cloud.list_servers() if each.id == server), None)

    def active(self, server: ServerId) -> Server:
        """Wait until the server is active."""

        def look() -> Server | None:
            seen = self.find(server)
            return seen if seen is not None and seen.status is ServerStatus.ACTIVE else None

        found = self.until(look, "server active")
        assert found is not None
        return found

    def delete_all(self) -> None:
        """Remove all of ours and wait until the cloud agrees."""

        def none_left() -> bool:
            mine = [s for s in self.cloud.list_servers() if tags.owned_node(s.tags, OWNER)]
            for each in mine:
                if each.status is not ServerStatus.DELETING:
                    # Nova answers 500 where it is just ending the server: the next look decides.
                    with suppress(TryLaterError):
                        self.cloud.delete_server(each.id)
            return not mine

        self.until(none_left, "all servers deleted")
        self.delete_images()

    def delete_images(self) -> None:
        """Remove all images of ours and wait until the cloud agrees."""

        def none_left() -> bool:
            mine = self.our_images()
            for each in mine:
                if each.protected:
                    self.images.edit_image(each.id, ImageEdit(protected=False))
                self.images.delete_image(each.id)
            return not mine

        self.until(none_left, "all images deleted")

    def counted(self, call: Callable[[], T]) -> Counted:
        """Make a call and count what it cost."""
        before = self.calls()
        value = call()
        return Counted(calls=self.calls() - before, value=value)

    def fault(self, fault: Fault) -> None:
        """Ask for a fault, or skip the test here."""
        if not self.arm(fault):
            pytest.skip(f"this cloud cannot be asked for: {fault}")

    @abstractmethod
    def arm(self, fault: Fault) -> bool:
        """Let *fault* happen next; False if this cloud cannot."""

    @abstractmethod
    def until(self, look: Callable[[], T], what: str) -> T:
        """Let time pass until *look* returns something true, within a deadline."""

    @abstractmethod
    def calls(self) -> int:
        """Return how many API calls the adapter has made so far."""

    @abstractmethod
    def with_small_pages(self) -> Cloud | None:
        """Return an adapter that reads two servers per page, or None if there are no pages."""

    @abstractmethod
    def with_wrong_password(self) -> Cloud | None:
        """Return an adapter whose credentials are refused, or None if there are none."""

    def with_account(self, change: Change) -> Cloud | None:  # noqa: ARG002 - for others
        """Return an adapter for a changed account, or None if there are no accounts."""
        return None

    def credential(self) -> Entry | None:
        """Make an application credential and return it; None if there are none."""
        return None

    def revoke(self, credential: Entry) -> None:
        """Take an application credential back."""
        raise NotImplementedError

    def idle_port(self, server: ServerId) -> str | None:  # noqa: ARG002 - for others
        """Leave a port behind that was made for *server*; None if there are no ports."""
        return None

    @abstractmethod
    def full(self, resource: str = "instances") -> AbstractContextManager[bool]:
        """Leave no room for another server meanwhile; gives False if that is not possible.

        Args:
            resource: ``instances``, ``cores``, ``ram``, ``floatingips`` or ``images``.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop everything."""


def _is_ours(image: StoredImage) -> bool:
    return image.name.startswith(NAMES)
