"""The whole product on a real OpenStack: two accounts, three launchers, machines and troubles."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName
from remuda.store import paths
from requestor import Client, connect
from tests.openstack.lab.control import slowly
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage
from tests.support.operator import permit_sweep

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(300)]

#: Each is struck once (a failed boot twice: Nova tries again by itself), then all goes well.
TROUBLES = {
    "fails": ({"spawn": "fail"}, 2, "error.status"),
    "hangs": ({"spawn": "hang"}, 1, "error.servercreatetimeout"),
    "refuses": ({"ssh": "refuse"}, 1, "error.network"),
    "swallows": ({"ssh": "blackhole"}, 1, "error.network"),
    "mumbles": ({"ssh": "mute"}, 1, None),
    "keyless": ({"ssh": "nokey"}, 1, "error.ssh"),
}
_CHECKS = [
    {"disk": {"free": "1MiB"}},
    {"script": {"inline": "test -s /prepared"}, "name": "prepared"},
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give two providers: another account and region each, and the first has two replicas."""
    with open_lab_stage(tmp_path_factory, "nodes") as made:
        made.account("lab")
        made.account("lab-other")
        setup = {"inline": "set -e\necho prepared by $REMUDA_NODE > /prepared\n"}
        made.label("small", min_ready=2, setup=setup, checks=_CHECKS)
        limits = {"launch_timeout": 40, "boot_timeout": 20, "launch_attempts": 3}
        labels = ("small", "mortal", "stormy", *TROUBLES)
        made.provider("alpha", "lab", labels=labels, **limits)
        more = {"region": "RegionTwo", **limits}
        made.provider("beta", "lab-other", labels=("small", "modest"), **more)
        for provider in ("alpha", "alpha", "beta"):
            made.launcher(provider, wait=False)
        for process in made.processes:
            made.at_work(process)
        yield made


@pytest.fixture(scope="module")
def client(stage: LabStage) -> Iterator[Client]:
    """Give a requestor with a session of its own."""
    with connect(stage.server.hosts) as made:
        yield made


@pytest.fixture(autouse=True)
def healed(stage: LabStage) -> Iterator[None]:
    """Take all faults away after each test."""
    yield
    stage.lab.heal()


def ssh(stage: LabStage, doc: dict[str, Any], command: str) -> str:
    """Log in with the host key that the record shows, and no other."""
    known = stage.folder / "known_hosts"
    known.write_text("".join(f"{doc['interface_ip']} {key}\n" for key in doc["host_keys"]))
    done = subprocess.run(
        [
            *("ssh", f"-oUserKnownHostsFile={known}", "-oStrictHostKeyChecking=yes"),
            *(f"-oIdentityFile={stage.key}", "-oIdentitiesOnly=yes", "-oBatchMode=yes"),
            *("-p", str(doc["connection_port"]), f"{doc['username']}@{doc['interface_ip']}"),
            command,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_min_ready_is_filled_with_proven_machines(stage: LabStage) -> None:
    """Set up, checked, reachable with the host key that we gave; and Nova knows whose they are."""
    found = stage.ready_nodes("small", 2, BOOTED_S)

    for name, doc in found.items():
        assert f"prepared by {name}\n" == ssh(stage, doc, "cat /prepared")
    servers = [each for cloud in stage.clouds.values() for each in cloud.details()]
    assert {tags.server_name(NodeId(name)) for name in found} == {each.name for each in servers}


def test_a_command_runs_on_a_fresh_machine(stage: LabStage) -> None:
    """`remuda run`: output, exit code, and the machine is replaced."""
    before = set(stage.ready_nodes("small", 2, BOOTED_S))

    done = stage.remuda("run", "small", "--", "cat /prepared; id -un; exit 7")

    assert done.returncode == 7, done.stderr
    words = done.stdout.split()
    assert words[:2] == ["prepared", "by"]
    assert words[2] in before
    assert words[3] == "root"
    assert words[2] not in stage.ready_nodes("small", 2, BOOTED_S)


def test_failing_boots_are_replaced_and_leave_evidence(stage: LabStage, client: Client) -> None:
    """Nova's faults and broken networks: each request is served by the second machine."""
    rules = {
        label: stage.lab.rule(boot=knobs, metadata={"remuda_label": label}, times=times)
        for label, (knobs, times, _) in TROUBLES.items()
    }
    pending = {label: client.request(label) for label in TROUBLES}
    for one in pending.values():
        one.wait(240)
        with one.accept() as nodes:
            assert all(node.address for node in nodes)
    reports = {one["label"]: one for one in stage.failures("alpha").values()}

    assert {label: times for label, (_, times, _) in TROUBLES.items()} == {
        label: stage.lab.hits(rule) for label, rule in rules.items()
    }
    for label, (_, _, result) in TROUBLES.items():
        assert result in (None, reports[label]["result"]), reports[label]
    assert reports["fails"]["fault"]
    assert reports["refuses"]["console"]


def test_a_ready_machine_that_dies_is_replaced(stage: LabStage) -> None:
    """Nova notices within its own period; a look at the machine confirms."""
    stage.lab.rule(boot={"life": "8"}, metadata={"remuda_label": "mortal"}, times=1)
    stage.label("mortal", min_ready=1)
    stage.write()
    (first,) = stage.ready_nodes("mortal", 1, BOOTED_S)

    def replaced() -> bool:
        return bool(stage.free("mortal").keys() - {first})

    stage.until(replaced, "another machine", BOOTED_S)
    stage.until(lambda: first not in stage.nodes(), "the dead one to go", BOOTED_S)
    stage.label("mortal", min_ready=0)
    stage.write()


def test_faults_of_the_api_cost_time_and_no_machines(stage: LabStage, client: Client) -> None:
    """Lost replies, 500s, throttling and dropped listings: each node has one server at the end."""
    create = {"service": "nova", "method": "POST", "path": r"/servers[?]", "times": 1}
    listing = {"service": "nova", "method": "GET", "path": "/servers/detail"}
    rules = [
        stage.lab.rule(**create, drop=True, late=True),
        stage.lab.rule(**create, status=503, headers={"Retry-After": "2"}),
        stage.lab.rule(**listing, drop=True, times=2),
        stage.lab.rule(**listing, status=500, times=1),
        stage.lab.rule(service="keystone", status=500, times=1),
    ]
    with client.request({"stormy": 3}, deadline_s=200) as nodes:
        names = [tags.server_name(NodeId(node.id)) for node in nodes]
        servers = [each.name for each in stage.clouds["lab"].details()]
        hits = [stage.lab.hits(rule) for rule in rules[:3]]

        assert all(servers.count(name) == 1 for name in names)
        assert hits == [1, 1, 2]
    stage.until(
        slowly(
            lambda: stage.clouds["lab"].servers() == len(stage.records(paths.launches("alpha")))
        ),
        "servers and records to agree",
        BOOTED_S,
    )


def test_a_full_account_waits_says_so_and_goes_on(stage: LabStage, client: Client) -> None:
    """Nova's own quota; nobody else offers the label, so the request waits with a verdict."""
    used = stage.clouds["lab-other"].servers()
    with stage.lab.quota("lab-other", instances=used):
        pending = client.request("modest")

        def said() -> str:
            doc = stage.verdict("beta", pending.id) or {}
            return str(doc.get("reason", ""))

        reason = stage.until(said, "a verdict", BOOTED_S)
        assert not pending.check()
    pending.wait(BOOTED_S)
    pending.cancel()

    assert reason
    assert stage.clouds["lab-other"].servers() <= used + 1


def test_leaked_servers_are_swept_and_strangers_stay(stage: LabStage) -> None:
    """Ours by the tags and without a record: deleted; not ours: none of our business (I3, I9)."""
    installation, _ = stage.zk.get(paths.INSTALLATION)
    owner = tags.Owner(installation=installation.decode(), provider=ProviderName("alpha"))
    node = NodeId("2999999999")
    ours = tags.make(tags.ServerTags(owner=owner, node=node, pool=PoolName("main"), label="small"))
    compute = stage.lab.account("lab").compute
    image = stage.lab.account("lab").image.find_image("debian-12").id
    network = stage.lab.account("lab").network.find_network("public").id
    stray, foreign = (
        compute.create_server(
            name=name, image_id=image, flavor_id="1", networks=[{"uuid": network}], metadata=pairs
        ).id
        for name, pairs in (("stray", ours), ("foreign", {"somebody": "else"}))
    )

    permit_sweep(stage, "alpha")
    stage.until(
        slowly(lambda: stray not in {one.id for one in compute.servers(details=False)}),
        "the stray server to go",
        BOOTED_S,
    )

    assert foreign in {one.id for one in compute.servers(details=False)}
    compute.delete_server(foreign)
