"""What an order carries, and what it is made of: would the cloud take it?"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from launcher.checking.examining import examine
from launcher.checking.findings import Findings
from remuda.cloud.api import Flavor, Quota
from tests.fakes.cloud import DEBIAN
from tests.unit.checking.conftest import Bench

Pick = Callable[[Findings], dict[str, str]]
DISKLESS = Flavor(id="9", name="thin", cores=1, ram_mib=1024)


def looked(bench: Bench) -> Findings:
    """Check without booting."""
    out = Findings()
    examine(bench.means(), out, boot=False)
    return out


def label(bench: Bench) -> dict[str, object]:
    """Return how the pool makes its label small, to be changed."""
    found: dict[str, object] = bench.pool["labels"]["small"]  # type: ignore[index]
    return found


def test_more_metadata_than_the_cloud_takes_is_a_problem(bench: Bench, problems: Pick) -> None:
    """Its limits tell; ours count as well."""
    label(bench)["instance-properties"] = {"a": "b", "c": "d", "groups": "ours"}
    bench.cloud.limits = Quota(metadata_items_max=10)
    ten = problems(looked(bench))
    bench.cloud.limits = Quota(metadata_items_max=11)
    eleven = problems(looked(bench))
    bench.cloud.limits = Quota()

    assert ten == {
        "main/small metadata": "11 items of metadata, ours included; the quota allows 10"
        " for a server"
    }
    assert eleven == problems(looked(bench)) == {}


def test_user_data_that_cannot_be_joined_with_ours_is_a_problem(
    bench: Bench, problems: Pick
) -> None:
    """How long it becomes depends on the key that is really there."""
    means, key = bench.means(), ("main", "small")
    long = means.policy.making[key].model_copy(update={"user_data": f"#!/bin/sh\n{'#' * 49_000}"})
    out = Findings()

    making = {**means.policy.making, key: long}
    examine(replace(means, policy=replace(means.policy, making=making)), out, boot=False)

    assert list(problems(out)) == ["main/small user data"]
    assert "clouds take 65535" in problems(out)["main/small user data"]


@pytest.mark.parametrize(
    ("flavor", "image", "said"),
    [
        ("small", {"min_disk_gib": 11}, "on flavor 'small': it needs 11 GiB of disk"),
        (
            "small",
            {"virtual_bytes": 12 << 30},
            "12 GiB of disk, and small has 10 GiB",
        ),
        ({"cores": 1}, {"min_ram_mib": 9000}, "9000 MiB of memory, and large has 8192 MiB"),
    ],
)
def test_a_flavor_that_is_too_small_for_its_image(
    bench: Bench, problems: Pick, flavor: object, image: dict[str, int], said: str
) -> None:
    """Every launch would be refused, so it is said beforehand."""
    bench.cloud.images = [replace(DEBIAN, **image)]  # type: ignore[arg-type]
    label(bench)["flavor"] = flavor
    del bench.pool["labels"]["tested"], bench.doc["labels"]["tested"]  # type: ignore[attr-defined]

    found = problems(looked(bench))

    assert list(found) == ["main/small flavor"]
    assert said in found["main/small flavor"]


def test_a_volume_that_is_too_small_for_its_image(bench: Bench, problems: Pick) -> None:
    """Its size is configured; that of the flavor's disk does not matter then."""
    bench.cloud.images = [replace(DEBIAN, min_disk_gib=60)]
    labels: dict[str, dict[str, object]] = bench.pool["labels"]  # type: ignore[assignment]
    labels["small"]["boot-from-volume"] = True
    labels["tested"]["boot-from-volume"] = {"size": "60GiB"}

    found = problems(looked(bench))

    assert found == {
        "main/small volume": "the image needs a disk of 60 GiB, and boot-from-volume makes a volume"
        " of 50 GiB"
    }


def test_a_flavor_without_a_disk_is_warned_of(bench: Bench, warnings: Pick) -> None:
    """Nova leaves it to administrators; a volume is all that is needed."""
    bench.cloud.flavors.append(DISKLESS)
    label(bench)["flavor"] = "thin"
    without = warnings(looked(bench))
    label(bench)["boot-from-volume"] = True

    assert list(without) == ["main/small flavor"]
    assert "most clouds refuse to boot an image from it" in without["main/small flavor"]
    assert warnings(looked(bench)) == {}
