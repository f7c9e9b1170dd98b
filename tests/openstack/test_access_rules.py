"""Installations whose credentials are good for deploy/openstack/access-rules.json and no more.

Keystone keeps the rules, and the services' own middleware holds every call against them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import openstack
import pytest

from remuda.cloud.account import AccountSettings
from remuda.cloud.objects import ObjectOrder
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.clock import SystemClock
from requestor import Client, connect
from sandbox.config import AccessRule
from sandbox.web.access_rules import allowed
from tests.openstack.bounded import RULES, bounded
from tests.openstack.imagestages import (
    BUILD_S,
    CHECK,
    IMAGE,
    await_current,
    builder,
    proof,
    recipe,
    uploads,
)
from tests.openstack.lab.control import Asked, running_lab, slowly
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage
from tests.support.stage import Doc

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(300)]

#: As processes of ours name themselves; tests look and clean up as somebody else.
_OURS: Final = "remuda"
_KINDS: Final = {
    "nova": "compute",
    "glance": "image",
    "neutron": "network",
    "swift": "object-store",
}
#: What the catalogue's addresses lack.
_VERSIONS: Final = {"image": "/v2", "network": "/v2.0"}
#: Made in the first project, shared with the second, carried to what builders take for elsewhere.
_WHERE: Final = {"alpha": None, "beta": {"copy-from": "alpha"}, "gamma": {"copy-from": "alpha"}}
_BUILT: Final = {"image": {"built": IMAGE}, "flavor": "m1.tiny", "username": "debian"}
_BOX: Final = "access-rules"
_NOBODY: Final = "99999999-9999-4999-8999-999999999999"


@pytest.fixture(scope="module")
def mark() -> Mapping[str, int]:
    """Give the place in the lab's notes where those on this module begin."""
    return running_lab().mark()


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
    mark: Mapping[str, int],  # noqa: ARG001 - before the first call
) -> Iterator[LabStage]:
    """Give launchers with three credentials, and a builder that uses two of them."""
    with open_lab_stage(tmp_path_factory, "rules") as made, ExitStack() as credentials:
        for account in ("lab-fip", "lab-other"):
            made.account(account, credentials.enter_context(bounded(made.lab, account)))
        few = _without_builders_and_floating_ips(made.folder)
        made.account("lab", credentials.enter_context(bounded(made.lab, "lab", few)))
        made.label("small", min_ready=1)
        made.label("poor", checks=[{"name": "never", "script": {"inline": "exit 1"}}])
        made.label("ours", checks=[CHECK])
        pool = {"networks": ["private"], "floating_ips": True}
        made.provider("alpha", "lab-fip", labels={"small": {}, "ours": _BUILT}, pool=pool)
        made.provider("beta", "lab-other", labels={"ours": _BUILT})
        made.provider(
            *("gamma", "lab-other"),
            labels={"poor": {}, "ours": _BUILT},
            region="RegionTwo",
            launch_attempts=1,
        )
        made.provider("delta", "lab", labels=("plain",), port_cleanup_interval=2)
        recipe(made, proof("first"), providers=_WHERE)
        for provider in (*_WHERE, "delta"):
            made.launcher(provider, wait=False)
        for process in made.processes:
            made.at_work(process)
        builder(made)
        yield made


@pytest.fixture(scope="module")
def client(stage: LabStage) -> Iterator[Client]:
    """Give a requestor with a session of its own."""
    with connect(stage.server.hosts) as made:
        yield made


def test_nodes_come_and_go(stage: LabStage, client: Client) -> None:
    """With floating IPs, which a second launcher knows from the records; one failing, on record."""
    pending = client.request("poor")
    stage.ready_nodes("small", 1, BOOTED_S)
    stage.label("small", min_ready=0)
    stage.processes[0].stop()
    stage.launcher("alpha")
    with client.request("small", deadline_s=BOOTED_S) as nodes:
        address = nodes[0].address
    failed = stage.until(lambda: stage.failures("gamma"), "the evidence", BOOTED_S)
    pending.cancel()

    assert address.startswith("127.20.")
    assert [one["console"] for one in failed.values()] != [""]
    assert not any("no console log" in one["console"] for one in failed.values())


def test_images_are_built_and_copied(stage: LabStage) -> None:
    """Shared with a project, carried to another place, booted in all; a build that retires goes."""
    report = _check(stage, "alpha")
    await_current(stage, 1, *_WHERE, deadline_s=BUILD_S)
    found = {one["method"]: one["cloud_image"] for one in uploads(stage, 1).values()}
    # A builder does so five minutes after it has seen that nobody wants a build any more.
    with _account(stage, "lab-fip") as cloud:
        cloud.image_store().unshare(found["share"], _project(stage, "lab-other"))
        left = cloud.image_store().list_images()
        cloud.image_store().delete_image(found["native"])

    assert found.keys() == {"native", "share", "carry"}
    assert [one.id for one in left] == [found["native"]]
    assert _problems(report) == {}
    assert set(report["rights"].values()) == {"yes"}


def test_objects_come_and_go(stage: LabStage) -> None:
    """In a container, with a signed address, which needs a key on the container."""
    with _account(stage, "lab-fip") as cloud:
        store = cloud.object_store()
        store.make_container(_BOX)
        store.put(_BOX, ObjectOrder(name="log", bytes_max=10), [b"a line"])
        store.signed_url(_BOX, "log", for_s=60)
        with store.read(_BOX, store.get(_BOX, "log").name, bytes_max=10) as (_, pieces):
            data = b"".join(pieces)
        names = [one.name for one in store.list_objects(_BOX)]
        store.set_public(_BOX, public=False)
        store.delete(_BOX, "log")
        store.delete_container(_BOX)

    assert (data, names) == (b"a line", ["log"])


def test_fewer_rules_do_without_builders_and_floating_ips(stage: LabStage, client: Client) -> None:
    """As docs/operations.md says: nodes, the ports that Nova forgot, and the check with a boot."""
    account = stage.lab.account("lab")
    with client.request("plain", deadline_s=BOOTED_S) as nodes:
        server = account.compute.find_server(tags.server_name(nodes[0].id)).id
    network = account.network.find_network("public").id
    stage.until(slowly(lambda: not stage.nodes(label="plain")), "the node to go", BOOTED_S)
    port = account.network.create_port(
        network_id=network, device_id=server, device_owner="compute:nova"
    ).id
    report = _check(stage, "delta")

    assert _problems(report) == {}
    assert set(report["rights"].values()) == {"yes"}
    stage.until(slowly(lambda: not account.network.find_port(port)), "the port to go", BOOTED_S)


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [
        ("compute", "GET", "/os-hypervisors"),
        ("compute", "POST", "/os-keypairs"),
        ("compute", "DELETE", f"/servers/{_NOBODY}/metadata/key"),
        ("image", "GET", f"/images/{_NOBODY}/members"),
        ("image", "POST", f"/images/{_NOBODY}/actions/deactivate"),
        ("network", "DELETE", f"/networks/{_NOBODY}"),
        ("network", "POST", "/ports"),
        ("identity", "GET", f"/users/{_NOBODY}"),
    ],
)
def test_what_no_rule_names_is_refused(
    stage: LabStage, service: str, method: str, path: str
) -> None:
    """By this credential only: the account itself is let through, whatever then is answered."""
    refused = _status(stage.clouds["lab-fip"].entry, service, method, path)
    free = _status(stage.lab.entry("lab-fip"), service, method, path)

    assert refused == 401
    assert free != 401


def test_a_call_to_swift_that_no_rule_names_is_refused(stage: LabStage, tmp_path: Path) -> None:
    """Swift leaves the decision to a later filter, so that it might be let through there."""
    rules = [
        one
        for one in json.loads(RULES.read_text())
        if (one["service"], one["method"]) != ("object-store", "DELETE")
    ]
    file = tmp_path / "no-deletions.json"
    file.write_text(json.dumps(rules))
    with bounded(stage.lab, "lab-fip", file) as entry:
        refused = _status(entry, "object-store", "DELETE", "/nobody-has-this")
        named = _status(entry, "object-store", "HEAD", "/nobody-has-this")
    free = _status(stage.lab.entry("lab-fip"), "object-store", "DELETE", "/nobody-has-this")

    assert (refused, named, free) == (401, 404, 404)


def test_every_rule_is_used_and_none_is_missing(stage: LabStage, mark: Mapping[str, int]) -> None:
    """After all that was done above."""
    rules = [AccessRule(**one) for one in json.loads(RULES.read_text())]
    asked = {one for one in stage.lab.asked(mark, agent=_OURS) if one.service in _KINDS}
    used = {_rule(rules, one) for one in asked}

    assert [one for one in asked if one.status == "401"] == []
    assert None not in used
    assert [one for one in rules if one not in used] == []


def _without_builders_and_floating_ips(folder: Path) -> Path:
    """Write what docs/operations.md leaves of the rules for who has neither."""
    needed = {("GET", "/**/images"), ("GET", "/**/images/*"), ("DELETE", "/**/images/*")}
    rules = [
        one
        for one in json.loads(RULES.read_text())
        if "/floatingips" not in one["path"]
        and (one["service"] != "image" or (one["method"], one["path"]) in needed)
    ]
    file = folder / "fewer-rules.json"
    file.write_text(json.dumps(rules))
    return file


def _rule(rules: list[AccessRule], asked: Asked) -> AccessRule | None:
    """Return the rule that a call needs: of several the one that says most."""
    kind = _KINDS[asked.service]
    fitting = [one for one in rules if allowed([one], kind, asked.method, asked.path)]
    return min(fitting, key=lambda one: one.path.count("*"), default=None)


@contextmanager
def _account(stage: LabStage, name: str) -> Iterator[OpenStackCloud]:
    """Open an account as a launcher or a builder does."""
    account = AccountSettings(cloud=f"cloud-{name}", clouds_file=str(stage.folder / "clouds.yaml"))
    owner = tags.Owner(installation="nobody", provider=ProviderName("nobody"))
    cloud = OpenStackCloud(CloudSettings(account=account, owner=owner), clock=SystemClock())
    try:
        yield cloud
    finally:
        cloud.close()


def _project(stage: LabStage, name: str) -> str:
    return str(stage.lab.account(name).current_project_id)


def _check(stage: LabStage, provider: str) -> Doc:
    done = stage.remuda("cloud", "check", provider, "--boot", "--json")
    assert done.stdout.startswith("{"), done.stderr
    report: Doc = json.loads(done.stdout)
    return report


def _problems(report: Doc) -> dict[str, str]:
    return {one["subject"]: one["text"] for one in report["findings"] if one["state"] == "problem"}


def _status(entry: Mapping[str, Any], service: str, method: str, path: str) -> int:
    """Call a service as a user would, and return how it answers."""
    with openstack.connection.Connection(
        auth_type=entry.get("auth_type", "password"),
        auth=entry["auth"],
        region_name=entry["region_name"],
    ) as user:
        base = user.session.get_endpoint(service_type=service, interface="public")
        url = f"{base}{_VERSIONS.get(service, '')}{path}"
        body = {} if method == "POST" else None
        return int(user.session.request(url, method, json=body, raise_exc=False).status_code)
