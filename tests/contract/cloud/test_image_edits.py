"""Images that are changed, hidden, guarded, deactivated, counted; and who they are shared with."""

from pathlib import Path

import pytest

from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    DamagedError,
    GoneError,
    ImageWanted,
    NoRoomError,
    UnknownOutcomeError,
)
from remuda.cloud.image_store import ImageEdit, ImageStatus, Membership, Visibility
from remuda.cloud.inherited import inherited
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.sizes import FlavorWanted
from tests.contract.cloud.bench import Bench, Fault
from tests.contract.cloud.image_means import ABSENT, gone, neighbour, ordered, ready, running


def test_an_image_is_changed_at_once(bench: Bench, source: Path) -> None:
    """Name, minimums and properties; twice without harm; what is not named stays."""
    image = bench.images.upload(
        ordered(bench, properties={"old": "1", "os_kept": "2", "a/b~c": "3"}), source
    )
    edit = ImageEdit(
        name=f"{image.name}-renamed",
        min_disk_gib=1,
        min_ram_mib=64,
        properties={"new": "4", "os_kept": "5", "d/e~f": "6"},
        removed=("old", "a/b~c", "absent"),
    )

    first = bench.images.edit_image(image.id, edit)
    again = bench.images.edit_image(image.id, edit)

    assert (first.name, first.min_disk_gib, first.min_ram_mib) == (edit.name, 1, 64)
    assert dict(edit.properties).items() <= dict(first.properties).items()
    assert not {"old", "a/b~c"} & set(first.properties)
    assert (first.hash_value, first.visibility) == (image.hash_value, image.visibility)
    assert first.updated_s >= image.updated_s > 0
    assert (again.name, again.properties.keys()) == (first.name, first.properties.keys())
    assert bench.images.get_image(image.id).name == edit.name


def test_a_snapshot_is_hidden_while_it_is_pending_and_stays_so(bench: Bench) -> None:
    """From its first moment on; the cloud's own work on it shows it to nobody."""
    server = running(bench)
    image_id = bench.images.snapshot(server, *bench.image_name_and_tags())

    born = bench.images.edit_image(image_id, ImageEdit(hidden=True))
    made = ready(bench, image_id)

    assert born.hidden
    assert made.hidden
    assert made.size_bytes


def test_what_an_image_inherits_is_taken_away(bench: Bench, source: Path) -> None:
    """But what Nova heeds, and our own tags; the image still boots."""
    base = {"owner_specified.openstack.md5": "x", "site_lock": "1", "os_distro": "debian"}
    base |= {"hw_rng_model": "virtio", "architecture": "x86_64"}
    image = bench.images.upload(ordered(bench, properties=base), source)
    name, ours = bench.image_name_and_tags()
    made = ready(bench, bench.images.snapshot(running(bench, image=image), name, ours))

    surplus = inherited(made, ours)
    after = bench.images.edit_image(made.id, ImageEdit(removed=surplus))
    clone = bench.find(running(bench, image=after))

    assert {"owner_specified.openstack.md5", "site_lock", "instance_uuid"} <= set(surplus)
    assert not set(surplus) & set(after.properties)
    kept = {**ours, "os_distro": "debian", "hw_rng_model": "virtio", "architecture": "x86_64"}
    assert kept.items() <= dict(after.properties).items()
    assert inherited(after, ours) == ()
    assert clone is not None


def test_an_image_of_a_large_machine_boots_on_a_small_one_once_it_may(bench: Bench) -> None:
    """A snapshot wants its machine's disk; whoever knows better can say so."""
    small = bench.cloud.find_flavor(FlavorWanted())
    large = bench.cloud.find_flavor(FlavorWanted(disk_gib=small.disk_gib + 1))
    server = running(bench, flavor=large)
    made = ready(bench, bench.images.snapshot(server, *bench.image_name_and_tags()))

    with pytest.raises(BadOrderError):
        bench.cloud.create_server(bench.order(image=made, flavor=small))
    edited = bench.images.edit_image(made.id, ImageEdit(min_disk_gib=small.disk_gib))

    assert made.min_disk_gib == large.disk_gib
    assert edited.min_disk_gib == small.disk_gib
    assert running(bench, image=edited, flavor=small)


def test_a_protected_image_stays(bench: Bench, source: Path) -> None:
    """Until that is taken back."""
    image = bench.images.upload(ordered(bench), source)
    guarded = bench.images.edit_image(image.id, ImageEdit(protected=True))

    with pytest.raises(BadOrderError):
        bench.images.delete_image(image.id)
    free = bench.images.edit_image(image.id, ImageEdit(protected=False))
    bench.images.delete_image(image.id)

    assert (image.protected, guarded.protected, free.protected) == (False, True, False)
    bench.until(lambda: gone(bench, image.id), "the image to go")


def test_a_deactivated_image_boots_nothing_until_it_is_reactivated(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    """Not even by its id; it is still listed and can be changed; each twice without harm."""
    image = bench.images.upload(ordered(bench), source)

    bench.images.deactivate(image.id)
    bench.images.deactivate(image.id)
    off = bench.images.edit_image(image.id, ImageEdit(properties={"k": "v"}))
    with pytest.raises(BadOrderError):
        bench.cloud.find_image(ImageWanted(id=image.id))
    with pytest.raises(BadOrderError):
        bench.cloud.create_server(bench.order(image=image))
    with pytest.raises(BadOrderError):
        bench.images.download(image.id, tmp_path / "target.img")
    bench.images.reactivate(image.id)
    bench.images.reactivate(image.id)

    assert off.status is ImageStatus.DEACTIVATED
    assert bench.images.get_image(image.id).status is ImageStatus.ACTIVE
    assert running(bench, image=image)


def test_what_was_never_active_cannot_be_deactivated(bench: Bench) -> None:
    """Nor what is not there."""
    bench.fault(Fault.SNAPSHOT_HANGS)
    pending = bench.images.snapshot(running(bench), *bench.image_name_and_tags())

    with pytest.raises(BadOrderError):
        bench.images.deactivate(pending)
    with pytest.raises(BadOrderError):
        bench.images.reactivate(pending)
    with pytest.raises(GoneError):
        bench.images.deactivate(ABSENT)
    with pytest.raises(GoneError):
        bench.images.edit_image(ABSENT, ImageEdit(hidden=True))

    assert bench.images.get_image(pending).status is ImageStatus.PENDING


@pytest.mark.parametrize(
    "edit",
    [
        ImageEdit(properties={f"k{number}": "v" for number in range(129)}),
        ImageEdit(properties={"k" * 256: "v"}),
        ImageEdit(min_disk_gib=-1),
        ImageEdit(visibility=Visibility.PUBLIC),
    ],
    ids=["too many", "too long", "negative", "public"],
)
def test_a_change_that_the_cloud_refuses_is_a_bad_order(
    bench: Bench, source: Path, edit: ImageEdit
) -> None:
    """Nothing of it is done."""
    image = bench.images.upload(ordered(bench), source)

    with pytest.raises(BadOrderError):
        bench.images.edit_image(image.id, edit)

    assert bench.images.get_image(image.id).properties.keys() == image.properties.keys()


def test_other_peoples_images_cannot_be_edited(bench: Bench, source: Path) -> None:
    """Nor deactivated, nor taken from those who have them."""
    _, images = neighbour(bench)
    image = bench.images.upload(ordered(bench, visibility=Visibility.COMMUNITY), source)

    with pytest.raises(BadOrderError):
        images.edit_image(image.id, ImageEdit(hidden=True))
    with pytest.raises(BadOrderError):
        images.deactivate(image.id)
    bench.images.set_visibility(image.id, Visibility.SHARED)
    bench.images.share(image.id, images.project())
    with pytest.raises(BadOrderError):
        images.unshare(image.id, images.project())

    assert bench.images.get_image(image.id).status is ImageStatus.ACTIVE
    assert not bench.images.get_image(image.id).hidden


def test_members_come_accept_and_go(bench: Bench, source: Path) -> None:
    """Each seen by the owner and by themselves; taken back twice without harm."""
    _, images = neighbour(bench)
    image = bench.images.upload(ordered(bench, visibility=Visibility.SHARED), source)
    project = images.project()

    none = bench.images.members(image.id)
    bench.images.share(image.id, project)
    offered = bench.images.members(image.id)
    images.accept(image.id)
    accepted, theirs = bench.images.members(image.id), images.members(image.id)
    bench.images.unshare(image.id, project)
    bench.images.unshare(image.id, project)
    bench.images.unshare(ABSENT, project)

    assert none == {}
    assert offered == {project: Membership.PENDING}
    assert accepted == theirs == {project: Membership.ACCEPTED}
    assert bench.images.members(image.id) == {}
    with pytest.raises(GoneError):
        images.get_image(image.id)
    with pytest.raises(GoneError):
        bench.images.members(ABSENT)


def test_only_shared_images_have_members(bench: Bench, source: Path) -> None:
    """It is said as an order that cannot be, not as a lack of rights."""
    image = bench.images.upload(ordered(bench), source)

    with pytest.raises(BadOrderError):
        bench.images.members(image.id)


def test_listing_of_hidden_images_comes_in_pages_too(bench: Bench, source: Path) -> None:
    """Each image once, be it hidden or not."""
    paged = bench.with_small_pages()
    if not isinstance(paged, OpenStackCloud):
        pytest.skip("this cloud has no pages")
    made = [
        bench.images.upload(ordered(bench, hidden=bool(number % 2)), source) for number in range(6)
    ]

    listed = [each.id for each in paged.image_store().list_images()]

    assert [each.hidden for each in made] == [False, True] * 3
    assert {each.id for each in made} <= set(listed)
    assert len(listed) == len(set(listed))


def test_no_room_for_another_image(bench: Bench, source: Path) -> None:
    """It is counted before; nothing is left of what was refused."""
    server = running(bench)
    image = bench.images.upload(ordered(bench), source)
    with bench.full("images") as possible:
        if not possible:
            pytest.skip("this cloud's room for images cannot be taken")
        usage = bench.images.usage()
        with pytest.raises(NoRoomError):
            bench.images.upload(ordered(bench), source)
        # Nova makes a 500 of Glance's refusal, so that only the listing tells.
        with pytest.raises((NoRoomError, UnknownOutcomeError)):
            bench.images.snapshot(server, *bench.image_name_and_tags())

    assert usage is not None
    assert usage.images_used == usage.images_max
    assert usage.images_used >= 1
    assert [each.id for each in bench.our_images()] == [image.id]


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"sha512": "0" * 128}, DamagedError), ({"disk_format": "qcow2"}, BadOrderError)],
    ids=["hash", "format"],
)
def test_a_file_that_is_not_what_the_order_says_leaves_nothing_behind(
    bench: Bench, source: Path, changes: dict[str, object], error: type[CloudError]
) -> None:
    """Neither another file than was meant, nor another format than was declared."""
    with pytest.raises(error):
        bench.images.upload(ordered(bench, **changes), source)

    assert bench.our_images() == []


def test_an_image_without_a_hash_is_hashed_by_us(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    """As on Ceph: nothing to compare with, so that we say what came; a copy must be that."""
    bench.fault(Fault.SNAPSHOT_UNHASHED)
    made = ready(bench, bench.images.snapshot(running(bench), *bench.image_name_and_tags()))

    got = bench.images.download(made.id, tmp_path / "target.img")
    copy = bench.images.upload(ordered(bench, sha512=got.sha512), tmp_path / "target.img")

    assert (made.md5, made.hash_value) == (None, None)
    assert got.verified_by is None
    assert got.size_bytes == (tmp_path / "target.img").stat().st_size == made.size_bytes
    assert copy.hash_value == got.sha512
    with pytest.raises(DamagedError):
        bench.images.upload(ordered(bench, sha512=got.sha512), source)


def test_an_image_may_vanish_after_it_was_active(bench: Bench) -> None:
    """So it is looked at once more when its server is gone."""
    bench.fault(Fault.SNAPSHOT_VANISHES)
    server = running(bench)
    image_id = bench.images.snapshot(server, *bench.image_name_and_tags())
    ready(bench, image_id)

    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")

    bench.until(lambda: gone(bench, image_id), "the image to go")


def test_a_guest_agent_that_does_not_answer_is_not_waited_for(bench: Bench) -> None:
    """It would be for ever; the server has to be stopped first."""
    server = running(bench)
    bench.fault(Fault.SNAPSHOT_QUIESCE)

    with pytest.raises(BadOrderError, match="quiesce"):
        bench.images.snapshot(server, *bench.image_name_and_tags())

    assert bench.our_images() == []
