"""Questions that change nothing: all are asked, whatever the others say."""

import re
from collections.abc import Callable

import pytest

from launcher.checking.examining import examine
from launcher.checking.findings import Findings, State
from launcher.checking.showing import FACTS, report_data, report_sheet
from remuda.cli.output import plain
from remuda.cloud.api import Image, Quota, TryLaterError, UnauthorizedError
from remuda.cloud.inspection import (
    AccountIdentity,
    CloudRight,
    FloatingRoom,
    Permission,
    SecurityGroup,
    SeenNetwork,
    Told,
)
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName
from tests.fakes.inspection import ADA
from tests.support.processes import ROOT
from tests.unit.checking.conftest import Bench

Pick = Callable[[Findings], dict[str, str]]


def looked(bench: Bench) -> Findings:
    """Check without booting."""
    out = Findings()
    examine(bench.means(), out, boot=False)
    return out


def mark(installation: str, node: str = "3000000001") -> dict[str, str]:
    """Return the tags of a server of provider east."""
    owner = tags.Owner(installation=installation, provider=ProviderName("east"))
    ours = tags.ServerTags(owner=owner, node=NodeId(node), pool=PoolName("main"), label="small")
    return tags.make(ours)


def test_a_good_cloud_has_no_problems(bench: Bench, problems: Pick, warnings: Pick) -> None:
    """And nothing was made or changed."""
    out = looked(bench)

    assert problems(out) == {}
    assert warnings(out) == {}
    assert bench.cloud.orders == {}
    assert {one.subject for one in out.lines} >= {
        *("login", "clock", "servers", "create", "ssh-key-file", "quota", "list servers"),
        *("main/small image", "main/small flavor", "main/small networks", "main/small room"),
    }


def test_the_report_has_every_documented_key(bench: Bench) -> None:
    """Programs rely on them, also when nothing could be found out."""
    data = report_data(looked(bench), {"provider": "east"})
    bench.cloud.fail("identity", UnauthorizedError("fake: 401"))
    empty = report_data(looked(bench), {"provider": "east"})

    assert set(data) == set(empty) == {"provider", "ok", "problems", "warnings", "findings", *FACTS}
    assert data["ok"]
    assert data["identity"]["user"] == "ada"
    assert data["servers"] == {"ours": 0, "others": 0, "of_checks": 0}
    assert data["rights"] == {
        "create": "yes",
        "delete": "untold",
        "snapshot": "untold",
        "tag": "yes",
    }
    assert data["latencies"][-1]["calls"] == 3
    assert set(data["findings"][0]) == {"state", "area", "subject", "text", "advice"}


def test_every_key_of_the_report_is_documented(bench: Bench) -> None:
    """Also the keys of what stands in lists."""
    text = (ROOT / "docs" / "cloud-check.md").read_text()
    bench.pool["floating-ips"] = True
    out = Findings()
    examine(bench.means(), out, boot=True)

    data = report_data(out, {})
    inner = {
        key
        for value in data.values()
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, dict)
        for key in one
    }
    words = set(re.findall(r"[a-z_]+", text))

    assert {*data, *inner} - words == set()


def test_everything_wrong_is_said_at_once(bench: Bench, problems: Pick, warnings: Pick) -> None:
    """Image, flavor, network, group, key pair, zone, quota, our key: one run shows all."""
    bench.cloud.limits = Quota(instances_max=2, cores_max=3, ram_mib_max=100_000)
    bench.pool.update(
        {
            "networks": ["privat"],
            "security-groups": ["nobody"],
            "key-name": "op",
            "availability-zones": ["az9"],
            "labels": {
                "small": {"image": "debian-21", "flavor": "smal"},
                "tested": {"image": "debian-12", "flavor": "large"},
            },
        }
    )
    (bench.folder / "node-key").write_text("no key")

    out = looked(bench)

    assert "near are debian-12" in problems(out)["main/small image"]
    assert "near are small" in problems(out)["main/small flavor"]
    assert "near are private" in problems(out)["main/tested networks"]
    assert "'nobody'" in problems(out)["main/small security groups"]
    assert "near are ops" in problems(out)["main/small key pair"]
    assert "there are az1, az2" in problems(out)["main/small availability zones"]
    assert "not an ed25519" in problems(out)["ssh-key-file"]
    assert problems(out)["main/tested room"] == "not a single node fits (quota of cores)"
    assert "the quota allows 2 instances" in warnings(out)["max-servers"]
    assert all(one.advice for one in out.lines if one.state in {State.PROBLEM, State.WARNING})


def test_without_a_login_nothing_else_is_asked(bench: Bench, problems: Pick) -> None:
    """One wrong password must not be tried thirty times."""
    bench.cloud.fail("identity", UnauthorizedError("fake: 401: wrong password"))

    out = looked(bench)

    assert problems(out) == {"login": "fake: 401: wrong password"}
    assert bench.cloud.calls == {"identity": 1}


def test_a_service_that_does_not_answer_hides_no_other(bench: Bench, problems: Pick) -> None:
    """The listing and the quota fail; images and flavors are looked up all the same."""
    for operation in ("list_servers", "quota", "networks"):
        bench.cloud.fail(operation, TryLaterError("fake: HTTP 503"))

    out = looked(bench)

    assert set(problems(out)) == {"list servers", "quota", "networks"}
    assert out.facts["labels"][0]["ok"]


def test_a_service_that_the_catalogue_lacks_is_a_problem(bench: Bench, problems: Pick) -> None:
    """Wrong region or interface, usually."""
    endpoints = {one: url for one, url in ADA.endpoints.items() if one != "network"}
    bench.inspector.who = AccountIdentity(
        user="ada", project="ci", project_id="p1", auth_url="https://x", endpoints=endpoints
    )

    assert set(problems(looked(bench))) == {"network endpoint"}


@pytest.mark.parametrize(
    ("skew_s", "state"),
    [
        (0.0, State.OK),
        (30.0, State.WARNING),
        (-30.0, State.WARNING),
        (600.0, State.PROBLEM),
        (None, State.UNTESTED),
    ],
)
def test_clocks_are_compared(bench: Bench, skew_s: float | None, state: State) -> None:
    """In both directions; a cloud that does not tell is no problem."""
    bench.inspector.skew_s = skew_s

    out = looked(bench)

    (clock,) = [one for one in out.lines if one.subject == "clock"]
    assert clock.state is state
    if skew_s is not None:
        assert abs(out.facts["time_skew_s"] - skew_s) <= 1.0


def test_servers_are_told_apart(bench: Bench, warnings: Pick) -> None:
    """Ours, others', those of checks; two installations in one account are worth a warning."""
    bench.cloud.add_stranger("theirs")
    bench.cloud.add_stranger("ours", mark("one"))
    bench.cloud.add_stranger("ours", mark("two"))
    bench.cloud.add_stranger("check", mark(tags.TRIALS))

    out = looked(bench)

    assert out.facts["servers"] == {"ours": 2, "others": 1, "of_checks": 1}
    assert "2 installations" in warnings(out)["servers"]
    assert "earlier checks" in warnings(out)


def test_the_quota_counts_others_but_not_ours(bench: Bench) -> None:
    """Our nodes make room for each other, somebody else's servers do not."""
    bench.cloud.limits = Quota(instances_max=4)
    bench.cloud.add_stranger("theirs")
    bench.cloud.add_stranger("theirs")
    bench.cloud.add_stranger("ours", mark("one"))

    pools = {one["label"]: one for one in looked(bench).facts["pools"]}

    assert pools["small"]["nodes_max"] == 2
    assert pools["small"]["limit"] == "quota of instances"


def test_a_pool_that_ignores_the_quota_is_not_measured_by_it(
    bench: Bench, problems: Pick, warnings: Pick
) -> None:
    """Its own limits still count."""
    bench.cloud.limits = Quota(instances_max=0)
    bench.pool["ignore-provider-quota"] = True

    out = looked(bench)

    assert problems(out) == warnings(out) == {}
    assert {one["limit"] for one in out.facts["pools"]} == {"max-servers"}


def test_min_ready_that_never_fits_is_a_warning(bench: Bench, warnings: Pick) -> None:
    """Another provider may hold the rest."""
    bench.cloud.limits = Quota(instances_max=1)
    bench.doc["labels"]["small"] = {"min-ready": 2}

    assert warnings(looked(bench))["small min-ready"] == "min-ready is 2, here at most 1 fit"


@pytest.mark.parametrize(
    ("told", "roles", "state"),
    [
        (Told.YES, ("member",), State.OK),
        (Told.NO, ("member",), State.PROBLEM),
        (Told.UNTOLD, ("member",), State.UNTESTED),
        (Told.UNTOLD, ("reader",), State.WARNING),
    ],
)
def test_rights_are_judged_by_what_the_cloud_tells(
    bench: Bench, told: Told, roles: tuple[str, ...], state: State
) -> None:
    """Who may only read is warned although nothing was refused."""
    bench.inspector.told[CloudRight.DELETE] = Permission(told=told, why="Policy doesn't allow it")
    bench.inspector.who = AccountIdentity(
        user="ada",
        project="ci",
        project_id="p1",
        auth_url="https://x",
        roles=roles,
        endpoints=ADA.endpoints,
    )

    (found,) = [one for one in looked(bench).lines if one.subject == "delete"]

    assert found.state is state


def test_networks_that_are_not_clear_are_said(bench: Bench, problems: Pick, warnings: Pick) -> None:
    """None named among several; one name of two; an id is always clear."""
    bench.pool["networks"] = []
    bench.cloud.networks = ("one", "two")
    assert "2 to choose from: one, two" in warnings(looked(bench))["main/small networks"]

    bench.pool["networks"] = ["private"]
    bench.inspector.external = [SeenNetwork(id=f"x{n}", name="private") for n in (1, 2)]
    assert "use an id, x1, x2" in problems(looked(bench))["main/small networks"]

    bench.pool["networks"] = ["x1"]
    assert problems(looked(bench)) == {}


def test_the_only_network_needs_no_name(bench: Bench, problems: Pick) -> None:
    """As Nova does it; groups and zones are fine, too."""
    bench.pool.update({"networks": [], "security-groups": ["web"], "availability-zones": ["az1"]})
    bench.inspector.groups.append(SecurityGroup(id="g2", name="web"))

    assert problems(looked(bench)) == {}


def test_floating_ips_need_a_network_and_room(bench: Bench, problems: Pick) -> None:
    """Only looked at if a pool wants them."""
    bench.inspector.external = []
    bench.inspector.room = FloatingRoom(limit=2, used=2)
    assert problems(looked(bench)) == {}

    bench.pool["floating-ips"] = True
    found = problems(looked(bench))

    assert "none is left" in found["quota"]
    assert "sees none" in found["external network"]


def test_the_age_of_an_image_is_shown(bench: Bench) -> None:
    """The newest of a name, with the id."""
    made_s = bench.clock.now_s() - 3 * 86_400
    bench.cloud.images.append(Image(id="new", name="debian-12", created_s=made_s))

    (image,) = [one for one in looked(bench).lines if one.subject == "main/small image"]

    assert image.text == "debian-12 (new, 3d old)"


def test_the_table_has_each_advice_below_its_finding(bench: Bench) -> None:
    """And ends with the sum."""
    bench.pool["key-name"] = "op"

    lines = plain(report_sheet(looked(bench))).splitlines()

    assert lines[0].split() == ["RESULT", "ABOUT", "WHAT", "FOUND"]
    (at,) = [n for n, line in enumerate(lines) if "main/small key pair" in line]
    assert lines[at].startswith("problem")
    assert lines[at + 1].strip().startswith("→ import it")
    assert lines[-1] == "2 problems, no warnings, 2 not tested"
