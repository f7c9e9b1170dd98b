"""Images, flavors and networks: which one is meant."""

from typing import Any

import pytest

from remuda.cloud.api import BadOrderError, Flavor, ImageWanted, TryLaterError
from remuda.cloud.flavors import choose
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.sizes import FlavorWanted, ImageNeeds
from tests.fakes.clock import ManualClock
from tests.unit.cloud.scripted_api import Reply, ScriptedApi

IMAGES = "/image/v2/images"
FLAVORS = "/compute/v2.1/flavors/detail"
NETWORKS = "/network/v2.0/networks"
TINY = Flavor(id="1", name="m1.tiny", cores=1, ram_mib=512, disk_gib=1)
WIDE = Flavor(id="2", name="c1.wide", cores=8, ram_mib=4096, disk_gib=1)
DEEP = Flavor(id="3", name="m1.deep", cores=2, ram_mib=4096, disk_gib=80)
ALL = (DEEP, WIDE, TINY)


def _image(image_id: str, name: str, day: int, **properties: str) -> dict[str, Any]:
    created = f"2026-01-{day:02d}T00:00:00Z"
    return {"id": image_id, "name": name, "status": "active", "created_at": created, **properties}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (FlavorWanted(), TINY),
        (FlavorWanted(name="c1.wide"), WIDE),
        (FlavorWanted(name="3"), DEEP),
        (FlavorWanted(ram_mib=1024), DEEP),
        (FlavorWanted(ram_mib=1024, cores=4), WIDE),
        (FlavorWanted(name="m1", ram_mib=1), TINY),
        (FlavorWanted(name="m1", disk_gib=2), DEEP),
    ],
)
def test_smallest_flavor_that_fits(wanted: FlavorWanted, expected: Flavor) -> None:
    """Least memory first, then cores, then disk."""
    assert choose(ALL, wanted) == expected


@pytest.mark.parametrize(
    "wanted",
    [FlavorWanted(name="m1"), FlavorWanted(cores=99), FlavorWanted(name="c1", disk_gib=2)],
)
def test_flavor_that_is_not_there(wanted: FlavorWanted) -> None:
    """The message says what there is."""
    with pytest.raises(BadOrderError, match=r"c1\.wide|m1\.deep"):
        choose(ALL, wanted)


def test_flavors_are_listed_once_and_without_disabled_ones(
    api: ScriptedApi, cloud: OpenStackCloud, clock: ManualClock
) -> None:
    """Until their time is over."""
    flavors = [
        {"id": "0", "name": "off", "vcpus": 1, "ram": 1, "disk": 0,
         "OS-FLV-DISABLED:disabled": True},
        {"id": "1", "name": "m1.tiny", "vcpus": 1, "ram": 512, "disk": 1},
    ]  # fmt: skip
    api.on("GET", FLAVORS, Reply(body={"flavors": flavors}))

    assert cloud.find_flavor(FlavorWanted()) == TINY
    assert cloud.find_flavor(FlavorWanted(cores=1)) == TINY
    assert len(api.seen) == 1
    clock.advance(301.0)
    cloud.find_flavor(FlavorWanted())
    assert len(api.seen) == 2


def test_newest_image_of_a_pattern_over_all_pages(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Glance's link to the next page is relative."""
    first = {"images": [_image("a", "deb-1", 1), _image("b", "deb-3", 9)],
             "next": "/v2/images?marker=b"}  # fmt: skip
    second = {"images": [_image("c", "deb-2", 20), _image("d", "debby-4", 30)]}
    api.on("GET", IMAGES, Reply(body=first), Reply(body=second))

    found = cloud.find_image(ImageWanted(pattern=r"deb-\d"))

    assert found.id == "c"
    assert [each.query.get("marker") for each in api.seen] == [None, ["b"]]


def test_image_by_name_costs_one_call_and_is_remembered(
    api: ScriptedApi, cloud: OpenStackCloud, clock: ManualClock
) -> None:
    """Glance does the filtering; a newer upload is noticed after a minute."""
    old, new = _image("a", "deb", 1), _image("b", "deb", 2)
    api.on("GET", IMAGES, Reply(body={"images": [old]}), Reply(body={"images": [old, new]}))

    assert cloud.find_image(ImageWanted(name="deb")).id == "a"
    assert cloud.find_image(ImageWanted(name="deb")).id == "a"
    clock.advance(61.0)
    assert cloud.find_image(ImageWanted(name="deb")).id == "b"
    assert [each.query["name"] for each in api.seen] == [["deb"], ["deb"]]


def test_image_that_is_not_active_is_no_image(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Not even by id."""
    api.on("GET", f"{IMAGES}/a", Reply(body={"id": "a", "name": "deb", "status": "saving"}))

    with pytest.raises(BadOrderError, match="saving"):
        cloud.find_image(ImageWanted(id="a"))


def test_unreadable_images_are_for_later(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """A cloud's nonsense must not end a thread."""
    api.on("GET", IMAGES, Reply(body={"images": [{"name": "deb"}]}))

    with pytest.raises(TryLaterError):
        cloud.find_image(ImageWanted(name="deb"))


def test_an_image_of_an_odd_date_is_the_oldest(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """It hides no other, and is not taken for new."""
    dates = {"a": "2026-01-01T00:00:00Z", "b": "yesterday", "c": 7}
    found = [{"id": one, "name": "deb", "created_at": date} for one, date in dates.items()]
    api.on("GET", IMAGES, Reply(body={"images": found}))

    assert cloud.find_image(ImageWanted(name="deb")).id == "a"


def test_networks_by_name_or_id(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Ids cost nothing; names cost one call for all of them."""
    known = "6f1b0b0e-5a39-4c0e-9a55-0d0f7e4d0001"
    body = {"networks": [{"id": "n1", "name": "a"}, {"id": "n2", "name": "b"}]}
    api.on("GET", NETWORKS, Reply(body=body))

    assert cloud._networks.ids((known,)) == (known,)
    assert api.seen == []
    assert cloud._networks.ids(("b", known, "a")) == ("n2", known, "n1")
    assert len(api.seen) == 1


def test_network_made_a_moment_ago_is_found(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """What was remembered is not the last word on what is missing."""
    first = {"networks": [{"id": "n1", "name": "a"}]}
    second = {"networks": [{"id": "n1", "name": "a"}, {"id": "n2", "name": "b"}]}
    api.on("GET", NETWORKS, Reply(body=first), Reply(body=second))

    assert cloud._networks.ids(("a",)) == ("n1",)
    assert cloud._networks.ids(("b",)) == ("n2",)


def test_ambiguous_network_is_a_bad_order(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """The message gives the ids to choose from."""
    body = {"networks": [{"id": "n1", "name": "a"}, {"id": "n2", "name": "a"}]}
    api.on("GET", NETWORKS, Reply(body=body))

    with pytest.raises(BadOrderError, match="n1, n2"):
        cloud._networks.ids(("a",))
    with pytest.raises(BadOrderError, match="no network 'c'"):
        cloud._networks.ids(("c",))


LACKING = Flavor(id="4", name="m0.volume", cores=1, ram_mib=256)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (FlavorWanted(), TINY),
        (FlavorWanted(local_disk=False), LACKING),
        (FlavorWanted(name="m0.volume"), LACKING),
        (FlavorWanted(name="m0", cores=1), LACKING),
        (FlavorWanted(needs=ImageNeeds(ram_mib=513)), DEEP),
        (FlavorWanted(cores=1, needs=ImageNeeds(disk_gib=2)), DEEP),
        (FlavorWanted(cores=4, needs=ImageNeeds(disk_gib=1)), WIDE),
        (FlavorWanted(needs=ImageNeeds(disk_gib=999), local_disk=False), LACKING),
        (FlavorWanted(name="m0.volume", needs=ImageNeeds(disk_gib=999)), LACKING),
    ],
)
def test_smallest_flavor_that_the_image_fits_on(wanted: FlavorWanted, expected: Flavor) -> None:
    """One without a disk only for volumes, or where nothing else is meant: the cloud tells."""
    assert choose((*ALL, LACKING), wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            FlavorWanted(name="m1.tiny", needs=ImageNeeds(disk_gib=3)),
            (
                "the image does not fit on flavor 'm1.tiny': it needs"
                " 3 GiB of disk, and m1.tiny has 1 GiB"
            ),
        ),
        (
            FlavorWanted(cores=4, needs=ImageNeeds(ram_mib=8192), local_disk=False),
            (
                "there is no flavor with 0 MiB, 4 cores, 0 GiB at least that the image fits on: it"
                " needs 8192 MiB of memory, and c1.wide has 4096 MiB"
            ),
        ),
        (FlavorWanted(needs=ImageNeeds(disk_gib=99)), "99 GiB of disk, and m1.deep has 80 GiB"),
    ],
)
def test_no_flavor_that_the_image_fits_on(wanted: FlavorWanted, said: str) -> None:
    """The message has the numbers: this is what a verdict and `remuda cloud check` say."""
    with pytest.raises(BadOrderError) as caught:
        choose((*ALL, LACKING), wanted)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ImageNeeds()),
        ({"min_disk": 3, "min_ram": 512}, ImageNeeds(ram_mib=512, disk_gib=3)),
        ({"size": (1 << 30) + 1}, ImageNeeds(disk_gib=2)),
        ({"size": 5, "virtual_size": 10 << 30, "min_disk": 3}, ImageNeeds(disk_gib=10)),
        ({"size": None, "virtual_size": None}, ImageNeeds()),
        ({"size": "x", "min_disk": -1, "min_ram": True, "virtual_size": 1e300}, ImageNeeds()),
    ],
)
def test_what_an_image_needs(
    api: ScriptedApi, cloud: OpenStackCloud, fields: dict[str, Any], expected: ImageNeeds
) -> None:
    """The largest of what is said of it; what is odd says nothing, and hides no other image."""
    api.on("GET", IMAGES, Reply(body={"images": [_image("a", "deb", 1) | fields]}))

    assert cloud.find_image(ImageWanted(name="deb")).needs == expected
