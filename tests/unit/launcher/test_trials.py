"""Servers of ``remuda cloud check --boot``: left alone while they may be tried, then swept."""

import pytest

from launcher.server.left_by_checks import FORGOTTEN_S, is_forgotten, is_forgotten_image
from launcher.server.listing import take_listing
from launcher.server.strays import Stray
from remuda.cloud.api import Server, ServerStatus
from remuda.cloud.image_store import ImageStatus, StoredImage
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ServerId
from tests.unit.launcher.worlds import NOW, world

HERE = ProviderName("here")


def server(owner: tags.Owner, *, age_s: float) -> Server:
    """Return a server of *owner*."""
    ours = tags.ServerTags(
        owner=owner, node=NodeId("check-r1-1"), pool=PoolName("main"), label="small"
    )
    return Server(
        id=ServerId("s1"),
        name="remuda-check-r1-1",
        status=ServerStatus.ACTIVE,
        tags=tags.make(ours),
        created_s=NOW.wall_s - age_s,
    )


def image(owner: tags.Owner, *, age_s: float, name: str = "trial") -> StoredImage:
    """Return an image that was made as *owner*'s ``trial``."""
    ours = tags.ImageTags(owner=owner, image="check", build="r1", name="trial")
    return StoredImage(
        id="i1",
        name=name,
        status=ImageStatus.ACTIVE,
        properties=tags.make_image(ours),
        created_s=NOW.wall_s - age_s,
    )


def forgotten_image(image: StoredImage) -> bool:
    """Ask at the usual time."""
    return is_forgotten_image(image, HERE, launch_timeout_s=900.0, now_s=NOW.wall_s)


CASES = pytest.mark.parametrize(
    ("owner", "age_s", "forgotten"),
    [
        (tags.trial_owner(HERE), FORGOTTEN_S + 901.0, True),
        (tags.trial_owner(HERE), FORGOTTEN_S + 899.0, False),
        (tags.trial_owner(ProviderName("there")), 1e6, False),
        (tags.Owner(installation="another", provider=HERE), 1e6, False),
    ],
    ids=["old", "young", "another provider's", "another installation's node"],
)


@CASES
def test_only_old_trials_of_this_provider_are_forgotten(
    owner: tags.Owner, *, age_s: float, forgotten: bool
) -> None:
    """Older than any boot may take, by an hour."""
    found = is_forgotten(server(owner, age_s=age_s), HERE, launch_timeout_s=900.0, now_s=NOW.wall_s)

    assert found is forgotten


@CASES
def test_only_old_images_of_this_providers_trials_are_forgotten(
    owner: tags.Owner, *, age_s: float, forgotten: bool
) -> None:
    """By the same rule."""
    assert forgotten_image(image(owner, age_s=age_s)) is forgotten


def test_an_image_that_inherited_our_keys_is_nobodys() -> None:
    """Its name is another."""
    assert not forgotten_image(image(tags.trial_owner(HERE), age_s=1e6, name="by hand"))


def test_a_launcher_counts_forgotten_trials_as_leaks() -> None:
    """Two sightings and the brake hold for them, too; a trial under way is somebody else's."""
    made = world()
    owner = tags.Owner(installation="us", provider=HERE)
    old = server(tags.trial_owner(HERE), age_s=1e6)
    young = server(tags.trial_owner(HERE), age_s=1.0)

    take_listing(made, 6, [young], owner, NOW)
    before = dict(made.cloud.strays)
    take_listing(made, 7, [old], owner, NOW)
    take_listing(made, 8, [old], owner, NOW)

    assert before == {}
    assert made.cloud.strays == {
        ServerId("s1"): Stray(server=old, node=None, sightings=2, since_s=NOW.mono_s)
    }
