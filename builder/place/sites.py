"""The clouds in which hands work: by which provider, with what marks, behind which fences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from remuda.cloud.api import CloudConfigError, CloudError, Fence, Image
from remuda.cloud.image_store import ImageStore
from remuda.frame.fence import Deadline, SessionFence
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.model.image import BuildId, parse_build
from remuda.runtime.clock import Clock
from remuda.store.api import Session, Store

#: So long after it was decided a call may still be sent: it waits for our own rate limit.
FENCE_S: Final = 60.0
#: So long after that it may still arrive at the cloud.
ARRIVAL_S: Final = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A provider by which the images of a place can be reached."""

    provider: str
    images: ImageStore

    def elsewhere(self, place: str) -> str | None:
        """Return why nothing may be done there in the name of *place*, or None.

        The account behind a provider may have become another one since it was decided.

        Raises:
            CloudError: It cannot be asked.
        """
        if self.images.location().place == place:
            return None
        return f"the images of {self.provider} lie in another place now"

    def lies_in(self, place: str) -> bool:
        """Whether that is its place for sure."""
        try:
            return self.elsewhere(place) is None
        except CloudError:
            return False


@dataclass(frozen=True, slots=True)
class Sites:
    """The providers of the present configuration.

    Attributes:
        known: Their images, by provider.
    """

    known: Callable[[], Mapping[str, ImageStore]]

    def of(self, provider: str) -> Site:
        """Return a provider.

        Raises:
            CloudConfigError: There is none of this name any more.
        """
        images = self.known().get(provider)
        if images is None:
            raise CloudConfigError(f"{provider} is not in the configuration any more")
        return Site(provider=provider, images=images)

    def at(self, place: str) -> tuple[Site, ...]:
        """Return the providers of a place; those whose cloud cannot tell are in none."""
        sites = [Site(provider=name, images=one) for name, one in sorted(self.known().items())]
        return tuple(one for one in sites if one.lies_in(place))


def named(site: Site, exc: CloudError) -> str:
    """Return an error of a cloud as a sentence that says which one."""
    return f"{site.provider}: {exc}"


def image_tags(
    installation: str, provider: str, build_id: BuildId, name: str, *, copy_of: str | None = None
) -> Mapping[str, str]:
    """Return what marks an image in a cloud as that of a build; the pair of :func:`build_of`."""
    return tags.make_image(
        tags.ImageTags(
            owner=tags.Owner(installation=installation, provider=ProviderName(provider)),
            image=build_id.image,
            build=str(build_id.number),
            name=name,
            copy_of=copy_of,
        )
    )


def build_of(image: Image, installation: str) -> BuildId | None:
    """Return the build that an image is of; None: it is not ours, or nobody can tell.

    What carries our tags under another name was made of one of our machines by somebody else.
    """
    found = tags.read_image(image.name, image.properties)
    if found is None or found.owner.installation != installation:
        return None
    build = parse_build(f"{found.image}/{found.build}")
    return build if build is not None and found.build == str(build.number) else None


def call_fence(store: Store, clock: Clock) -> SessionFence:
    """Return what holds back a call decided now: not after a minute, only in this session."""
    until = Deadline(wall_s=clock.now_s() + FENCE_S, mono_s=clock.monotonic_s() + FENCE_S)
    return SessionFence(store=store, clock=clock, session_id=store.session_id, until=until)


def transfer_fence(
    store: Store, clock: Clock, stopped: Callable[[], bool], seconds: float
) -> Fence:
    """Return what ends a transfer: it lasts too long, we end, or our session is over.

    A connection that is away for a moment ends none: what it is for is asked again afterwards.
    """
    until = Deadline(wall_s=clock.now_s() + seconds, mono_s=clock.monotonic_s() + seconds)
    session_id = store.session_id

    def why() -> str | None:
        if stopped():
            return "we are told to end"
        if until.passed(clock):
            return "it takes too long"
        away = store.session is not Session.CONNECTED
        if store.session is Session.LOST or not (away or store.session_id == session_id):
            return "the session with ZooKeeper in which it was begun is over"
        return None

    return why
