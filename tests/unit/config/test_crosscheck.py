"""What no single value shows."""

from collections.abc import Callable

import pytest

from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName

Lines = Callable[..., list[str]]


def test_a_label_that_no_pool_serves(says: Lines, good: str) -> None:
    """Requests for it would wait for ever."""
    assert says(good.replace("labels:\n", "labels:\n  big:\n", 1)) == [
        (
            "2:3: labels.big: no pool serves this label; "
            "name it under the labels of a pool, or remove it"
        )
    ]


def test_an_undeclared_label_of_a_pool_names_the_nearest(says: Lines, good: str) -> None:
    """And if none is near, all of them."""
    extra = good + "          smoll: {image: a, flavor: b}\n          zzz: {image: a, flavor: b}\n"

    assert says(extra) == [
        "14:11: providers.osic.pools.main.labels.smoll: no such label; did you mean 'small'?",
        "15:11: providers.osic.pools.main.labels.zzz: no such label; known here: small",
    ]


@pytest.mark.parametrize(
    ("limit", "flavor", "reason"),
    [
        ("max-cores: 4", "{cores: 8}", "it needs 8 cores, osic.main has max-cores 4"),
        ("max-ram: 8GiB", "{ram: 16GiB}", "it needs 16GiB of memory, osic.main has max-ram 8GiB"),
        (
            "max-volumes: 0",
            "a\n            boot-from-volume: true",
            "it boots from a volume, osic.main has max-volumes 0",
        ),
        (
            "max-volume-size: 40GiB",
            "a\n            boot-from-volume: yes",
            "it needs a volume of 50GiB, osic.main allows 40GiB",
        ),
        (
            "max-volume-size: 40GiB",
            "a\n            boot-from-volume: {size: 41GiB}",
            "it needs a volume of 41GiB, osic.main allows 40GiB",
        ),
    ],
)
def test_a_label_that_no_pool_could_ever_hold(
    says: Lines, good: str, limit: str, flavor: str, reason: str
) -> None:
    """The number that decided it is named."""
    text = good.replace("max-servers: 10", limit).replace("m1.small", flavor)

    assert says(text) == [
        (
            f"2:3: labels.small: no pool can ever hold a node of this label: {reason}; "
            "raise the limit or lower the minimum"
        )
    ]


def test_a_label_that_fits_exactly(says: Lines, good: str) -> None:
    """Limits are inclusive."""
    text = good.replace("max-servers: 10", "max-cores: 4\n        max-ram: 8GiB")

    assert says(text.replace("m1.small", "{cores: 4, ram: 8192}")) == []


def test_one_pool_with_room_is_enough(says: Lines, good: str) -> None:
    """Another one may be too small."""
    text = good.replace("max-servers: 10", "max-cores: 4").replace("m1.small", "{cores: 8}")
    text += "      other: {labels: {small: {image: a, flavor: b}}}\n"

    assert says(text) == []


@pytest.mark.parametrize(
    "close",
    [
        ("max-servers: 10", "max-servers: 0"),
        ("cloud: osic", "cloud: osic\n    max-concurrency: 0"),
    ],
)
def test_closed_pools_are_only_warned_of(
    says: Lines, warns: Lines, good: str, close: tuple[str, str]
) -> None:
    """Closing the last pool for a while needs no other change, not even of min-ready."""
    text = good.replace(*close)

    assert says(text) == []
    assert warns(text) == ["2:3: labels.small: all pools that serve this label are closed"]


def test_more_ready_nodes_than_the_pools_can_hold(says: Lines, good: str) -> None:
    """All pools that serve the label count together; equal is fine."""
    other = "      other: {max-servers: 5, labels: {small: {image: a, flavor: b}}}\n"

    assert says(good.replace("min-ready: 1", "min-ready: 16") + other) == [
        (
            "3:16: labels.small.min-ready: is 16, but its pools hold at most 15 servers together; "
            "lower it or raise max-servers"
        )
    ]
    assert says(good.replace("min-ready: 1", "min-ready: 15") + other) == []
    assert says(good.replace("min-ready: 1", "min-ready: 16") + other.replace("5", "null")) == []


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        ("{}", "image: needs exactly one of id, name, match, built"),
        ("{properties: {a: b}}", "image: needs exactly one of id, name, match, built"),
        ("{id: a, name: b}", "image: has id and name, which exclude each other: keep one"),
        (
            "{id: a, properties: {a: b}}",
            "image: has id and properties, which exclude each other: keep one",
        ),
    ],
)
def test_an_image_is_found_in_one_way(says: Lines, good: str, image: str, complaint: str) -> None:
    """By id, name or match."""
    (line,) = says(good.replace("image: ubuntu", f"image: {image}"))

    assert line == f"12:20: providers.osic.pools.main.labels.small.{complaint}"


@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        ("{}", "checks[0]: needs exactly one of disk, dns, network, clock, script"),
        ("{timeout: 5s}", "checks[0]: needs exactly one of disk, dns, network, clock, script"),
        ("", "checks[0]: needs exactly one of disk, dns, network, clock, script"),
        (
            "{disk: {}, clock: {}}",
            "checks[0]: has disk and clock, which exclude each other: keep one",
        ),
        ("{script: {}}", "checks[0].script: needs exactly one of file, inline"),
        (
            "{script: {timeout: 8x, inline: a, file: b}}",
            "checks[0].script: has file and inline, which exclude each other: keep one",
        ),
    ],
)
def test_a_check_is_of_one_kind(says: Lines, good: str, check: str, complaint: str) -> None:
    """Also when other values of it are wrong."""
    text = good.replace("min-ready: 1", f"checks:\n      - {check}")

    assert f"labels.small.{complaint}" in [line.split(": ", 1)[1] for line in says(text)]


def test_a_flavor_needs_a_name_or_a_minimum(says: Lines, good: str) -> None:
    """An empty one would be any flavor."""
    assert says(good.replace("m1.small", "{}")) == [
        (
            "13:21: providers.osic.pools.main.labels.small.flavor: "
            "needs at least one of name, ram, cores, disk"
        )
    ]


def test_two_providers_of_one_region_are_warned_of(warns: Lines, good: str) -> None:
    """Unless the regions differ."""
    provider = good.split("providers:\n")[1]
    twin = provider.replace("osic:\n    cloud", "twin:\n    cloud")

    assert warns(good + twin) == [
        (
            "14:3: providers.twin: has the same cloud and region as provider 'osic'; "
            "their limits do not know of each other; pools of one provider would"
        )
    ]
    assert warns(good + twin.replace("cloud: osic", "cloud: osic\n    region: b")) == []


def test_times_that_make_no_sense_together_are_warned_of(warns: Lines, good: str) -> None:
    """Defaults count as well."""
    text = good.replace("cloud: osic", "cloud: osic\n    boot-timeout: 1h\n    list-period: 2m")

    assert warns(text) == [
        (
            "7:19: providers.osic.boot-timeout: is longer than launch-timeout: "
            "launch-timeout ends the launch first"
        ),
        (
            "8:18: providers.osic.list-period: is longer than idle-list-period: "
            "listings would be rarer when needed"
        ),
    ]


def test_a_text_that_is_twice_in_a_list_is_warned_of(warns: Lines, good: str) -> None:
    """At its second place."""
    text = good.replace("max-servers: 10", "networks: [a, b, a]")

    assert warns(text) == ["9:26: providers.osic.pools.main.networks[2]: 'a' is in the list twice"]


def test_checks_that_nobody_could_run(says: Lines, good: str, keyed: str) -> None:
    """A node would be handed out as good without them."""
    of_label = ("min-ready: 1", "checks: [{clock: {}}]")
    of_pool = ("image: ubuntu", "image: ubuntu\n            setup: {inline: a}")

    assert says(keyed.replace(*of_label).replace(*of_pool)) == []
    assert says(good.replace(*of_label).replace(*of_pool)) == [
        (
            "11:11: providers.osic.pools.main.labels.small: has setup and checks, "
            "but its provider has no key to log in with; add ssh-key-file to providers.osic"
        )
    ]


def test_checks_of_machines_without_ssh(says: Lines, keyed: str) -> None:
    """Said at the label of the pool, where the connection type is."""
    text = keyed.replace("min-ready: 1", "checks: [{clock: {}}]")

    assert says(
        text.replace("image: ubuntu", "image: a\n            connection-type: network_cli")
    ) == [
        (
            "12:11: providers.osic.pools.main.labels.small: has checks, which run over ssh only, "
            "not network_cli; have connection-type ssh, or a label without them"
        )
    ]
    assert (
        says(keyed.replace("image: ubuntu", "image: a\n            connection-type: network_cli"))
        == []
    )


def test_more_metadata_than_clouds_take_by_default(warns: Lines, good: str) -> None:
    """Ours count as well; only the cloud knows its quota, so it is a warning."""

    def told(number: int) -> list[str]:
        fixed = ", ".join(f"k{n}: v" for n in range(number))
        pairs = f"instance-properties: {{{fixed}}}\n            "
        made = "dynamic-instance-properties: {k0: a, d: b}"
        return warns(good.replace("image: ubuntu", f"image: a\n            {pairs}{made}"))

    assert told(117) == []
    (line,) = told(118)
    assert line.startswith(
        "11:11: providers.osic.pools.main.labels.small: has 119 properties; with"
    )
    assert line.endswith("keep 118; remuda cloud check compares with the cloud's own limit")


def test_ours_are_counted_as_they_are() -> None:
    """The most of them, on a server that boots an image of ours."""
    owner = tags.Owner(installation="i", provider=ProviderName("p"))
    ours = tags.ServerTags(
        owner=owner, node=NodeId("1"), pool=PoolName("p"), label="l", build="b/1"
    )

    assert len(tags.make(ours)) == tags.OURS_MAX
