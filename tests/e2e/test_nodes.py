"""What becomes of machines: ready, failed with evidence, replaced, aged, leaked, held, vanished."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from remuda.cloud.account import AccountSettings
from remuda.cloud.api import ImageWanted, ServerSpec
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.cloud.sizes import FlavorWanted
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from requestor import Client, RequestFailedError
from tests.support.operator import permit_sweep
from tests.support.stage import SERVED_S, SOON_S, Stage, open_stage

pytestmark = [
    *(pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk),
    pytest.mark.usefixtures("healed"),
]

#: Of a request: its machine may be the second one, and the host may be busy.
_SETUP = "set -e\necho prepared by $REMUDA_NODE > /prepared\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider with a label for each story."""
    with open_stage(tmp_path_factory, "nodes") as made:
        made.cloud("a", quota={"instances": 50, "cores": 100, "ram": 200000})
        made.label(
            "good",
            min_ready=2,
            setup={"inline": _SETUP},
            checks=[
                {"disk": {"free": "1MiB"}},
                {"clock": {}},
                {"script": {"inline": "test -s /prepared"}, "name": "prepared"},
            ],
        )
        made.label(
            "unfit",
            checks=[{"name": "oracle", "script": {"inline": "echo I see no oracle; exit 7"}}],
        )
        made.label("clumsy", setup={"inline": "echo about to stumble; exit 3"})
        made.label("aging", min_ready=1, max_ready_age=3)
        made.label("watched", recheck=2)
        made.label("guarded", recheck=None, max_check_age=1)
        labels = (
            *("good", "unfit", "clumsy", "aging", "watched", "guarded", "plain", "odd", "usurped"),
        )
        made.provider("alpha", "a", labels=labels, pool={"max_servers": 40}, launch_attempts=2,
                      api_timeout=3, launch_timeout=300, login_timeout=15)  # fmt: skip
        made.launcher("alpha")
        yield made


def only(label: str) -> dict[str, Any]:
    """Return the match of a fault that strikes machines of one label."""
    return {"metadata": {"remuda_label": label}}


def evidence(stage: Stage, label: str) -> list[dict[str, Any]]:
    """Return the reports of failed launches of a label."""
    return [one for one in stage.failures("alpha").values() if one["label"] == label]


def ssh(stage: Stage, doc: dict[str, Any], command: str) -> str:
    """Log in as its user would: with the host key that the record shows, and no other."""
    known = stage.folder / "known_hosts"
    known.write_text("".join(f"{doc['interface_ip']} {key}\n" for key in doc["host_keys"]))
    options = {
        "UserKnownHostsFile": known,
        "StrictHostKeyChecking": "yes",
        "IdentityFile": stage.key,
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
    }
    arguments = [f"-o{key}={value}" for key, value in options.items()]
    where = ["-p", str(doc["connection_port"]), f"{doc['username']}@{doc['interface_ip']}"]
    done = subprocess.run(
        ["ssh", *arguments, *where, command],
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=True,
    )
    return done.stdout


def test_min_ready_is_filled_with_machines_that_were_set_up(stage: Stage) -> None:
    """Anybody with the key can log in at once, and finds what the setup script made."""
    found = stage.ready_nodes("good", 2)

    for name, doc in found.items():
        assert f"prepared by {name}\n" == ssh(stage, doc, "cat /prepared")


def test_a_lent_machine_is_replaced_before_it_comes_back(stage: Stage, client: Client) -> None:
    """Min-ready counts what is free."""
    with client.request("good", deadline_s=SERVED_S) as nodes:
        assert stage.nodes()[nodes[0].id]["state"] == "in-use"
        stage.ready_nodes("good", 2)


@pytest.mark.parametrize(
    ("label", "step", "said"),
    [
        ("unfit", "check", "I see no oracle"),
        ("clumsy", "setup", "about to stumble"),
    ],
)
def test_a_machine_that_fails_its_script_is_never_ready(
    stage: Stage, client: Client, label: str, step: str, said: str
) -> None:
    """The request fails after the configured attempts, and the evidence stays (I4, I8)."""
    pending = client.request(label)
    with pytest.raises(RequestFailedError) as caught:
        pending.wait(SERVED_S)
    stage.until(lambda: len(evidence(stage, label)) == 2, "the evidence of both attempts")
    (launcher,) = stage.processes

    assert label not in {event["label"] for event in launcher.events("node.ready")}
    for report in evidence(stage, label):
        assert report["result"] == "error.ssh"
        last = report["transcript"][-1]
        assert (last["step"], last["ok"]) == (step, False)
        assert said in last["output"]
        assert report["console"]
    assert "2 launches for it failed" in str(caught.value)
    stage.until(lambda: not stage.nodes(label=label), "the failed machines to go")


def test_a_machine_without_network_is_replaced(stage: Stage, client: Client) -> None:
    """The requestor only notices that it took a little longer."""
    dead = stage.clouds["a"].fault("server.boot", "ssh", mode="refuse", count=1, match=only("odd"))
    error = stage.clouds["a"].fault(
        "server.boot", "boot_error", count=1, match=only("plain"), text="No valid host was found."
    )
    with client.request("plain", deadline_s=SERVED_S) as nodes:
        assert nodes[0].label == "plain"
    with client.request("odd", deadline_s=SERVED_S) as nodes:
        assert nodes[0].label == "odd"

    assert [stage.clouds["a"].fired(one) for one in (dead, error)] == [1, 1]
    (report,) = evidence(stage, "odd")
    assert report["transcript"][-1]["step"] == "connect"
    assert "refused" in report["transcript"][-1]["why"]
    (report,) = evidence(stage, "plain")
    assert "No valid host was found." in (report["fault"] or "")


def test_a_stranger_at_the_address_is_never_ready(stage: Stage, client: Client) -> None:
    """Another host key than the one we gave: somebody else's machine, or an impostor (I8)."""
    stage.clouds["a"].fault("server.boot", "wrong_host_key", match=only("usurped"))
    pending = client.request("usurped")
    with pytest.raises(RequestFailedError):
        pending.wait(SERVED_S)

    assert not stage.nodes("ready", "usurped")
    whys = {report["transcript"][-1]["step"] for report in evidence(stage, "usurped")}
    assert {"host-key"} == {why.replace("_", "-").replace(" ", "-") for why in whys}


def test_a_create_whose_reply_was_lost_is_adopted(
    stage: Stage, client: Client, cloud: OpenStackCloud
) -> None:
    """One server, not two; the listing tells that it exists."""
    stage.until(lambda: not stage.nodes(label="plain"), "earlier machines to go")
    lost = stage.clouds["a"].fault("server.create", "lose_reply", count=1, match=only("plain"))
    with client.request("plain", deadline_s=SERVED_S) as nodes:
        servers = [one.id for one in cloud.list_servers() if one.tags[tags.LABEL] == "plain"]
        record = stage.nodes()[nodes[0].id]
        records = stage.nodes(label="plain")

    assert stage.clouds["a"].fired(lost) == 1
    assert servers == [record["external_id"]]
    assert list(records) == [nodes[0].id]


def test_ready_machines_grow_old_and_are_replaced(stage: Stage) -> None:
    """After max-ready-age another one takes its place."""
    (first,) = stage.ready_nodes("aging", 1)
    stage.until(lambda: stage.free("aging").keys() - {first}, "the next one")
    stage.until(lambda: first not in stage.nodes(), "the old one to go")


def test_nobodys_machine_dies_of_a_lying_list(stage: Stage, client: Client) -> None:
    """Servers that the list hides live on: in use, held and ready ones (I5, I9)."""
    with client.request("good", deadline_s=SERVED_S) as nodes, client.request("plain") as held:
        held[0].hold("to look at", owner="somebody")
        ready = set(stage.ready_nodes("good", 2))
        lie = stage.clouds["a"].fault("server.list", "omit")
        stage.until(lambda: stage.clouds["a"].fired(lie) >= 5, "the list to be asked for")
        stage.clouds["a"].heal()

        assert stage.nodes()[nodes[0].id]["state"] == "in-use"
        assert stage.nodes()[held[0].id]["state"] == "hold"
        assert ready <= stage.free("good").keys()
        assert ssh(stage, stage.nodes()[held[0].id], "echo ok") == "ok\n"
    mark(stage, held[0].id, "used")


def test_a_ready_machine_that_died_is_noticed_and_replaced(stage: Stage) -> None:
    """By a look now and then, and by the listing."""
    stage.config["labels"]["watched"]["min-ready"] = 1
    stage.write()
    ((first, doc),) = stage.ready_nodes("watched", 1).items()
    stage.clouds["a"].die(doc["external_id"])
    stage.until(lambda: first not in stage.nodes(), "the dead one to go")
    (second,) = stage.ready_nodes("watched", 1)
    stage.config["labels"]["watched"]["min-ready"] = 0
    stage.write()

    assert first != second


def test_nobody_gets_a_machine_that_died_unseen(stage: Stage, client: Client) -> None:
    """The cloud cannot tell, for its listings fail; the look before the hand-over can."""
    cloud = stage.clouds["a"]
    stage.config["labels"]["guarded"]["min-ready"] = 1
    stage.write()
    ((dead, doc),) = stage.ready_nodes("guarded", 1).items()
    cloud.fault("server.list", "http", status=503)
    cloud.die(doc["external_id"])
    stage.until(lambda: not answers(doc), "the machine to die")
    stage.until(lambda: time.time() > doc["state_time"] + 2.0, "the last look to be too old")
    stage.config["labels"]["guarded"]["min-ready"] = 0
    stage.write()

    pending = client.request("guarded", deadline_s=SERVED_S)
    stage.until(lambda: stage.nodes().get(dead, {}).get("state") != "ready", "its end")
    cloud.heal()
    with pending as (node,):
        lent = node.id

    assert lent != dead


def test_who_rewrites_a_record_leads_nobody_astray(stage: Stage, client: Client) -> None:
    """Neither the look before the hand-over nor who gets the machine, and nothing is condemned."""
    stage.config["labels"]["guarded"]["min-ready"] = 1
    stage.write()
    ((name, true),) = stage.ready_nodes("guarded", 1).items()
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.0)
        forged = {
            "interface_ip": "127.0.0.1",
            "connection_port": "22/tcp",
            "ssh_port": trap.getsockname()[1],
            "host_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFo"],
        }
        stage.rewrite(paths.node(NodeId(name)), lambda doc: {**doc, **forged})
        stage.until(
            lambda: stage.nodes()[name]["connection_port"] == "22/tcp", "the record to be forged"
        )
        stage.config["labels"]["guarded"]["min-ready"] = 0
        stage.write()
        old_s = true["state_time"] + 1.5  # its max-check-age and a little
        stage.until(lambda: time.time() > old_s, "the last look at it to be too old")

        with client.request("guarded", deadline_s=SERVED_S) as (node,):
            lent, facts = node.id, node.facts
            said = ssh(stage, {**true, "host_keys": facts.host_keys}, "echo ok")

        with pytest.raises(BlockingIOError):
            trap.accept()

    assert lent == name
    assert true["interface_ip"] == facts.address
    assert tuple(true["host_keys"]) == facts.host_keys
    assert said == "ok\n"


def answers(doc: dict[str, Any]) -> bool:
    """Whether a machine's SSH port takes connections."""
    try:
        socket.create_connection((doc["interface_ip"], doc["connection_port"]), 5.0).close()
    except OSError:
        return False
    return True


def test_a_leaked_server_is_deleted_and_others_are_not(stage: Stage, cloud: OpenStackCloud) -> None:
    """Only what carries our tag and has no record; at once, if an operator permits it (I3, I9)."""
    stray = cloud.create_server(order(cloud, stage, "stray", owned=True))
    foreign = cloud.create_server(order(cloud, stage, "foreign", owned=False))
    shown = permit_sweep(stage, "alpha")
    stage.until(
        lambda: stray not in {one.id for one in cloud.list_servers()},
        "the stray server to go",
        3 * SOON_S,
    )
    permit = paths.sweep_permit("alpha")
    stage.until(lambda: not stage.zk.exists(permit), "the permission to be used up")
    (launcher,) = stage.processes

    assert stray in shown
    assert foreign not in shown
    assert foreign in {one.id for one in cloud.list_servers()}
    assert [stray] == [event["server"] for event in launcher.events("server.leaked")]
    cloud.delete_server(foreign)


def test_secrets_are_nowhere(stage: Stage) -> None:
    """Neither the private key nor a password in ZooKeeper, logs, or process lists (I11)."""
    stage.ready_nodes("good", 2)
    private = "".join(stage.key.read_text().splitlines()[1:-1])
    password = stage.clouds["a"].entry["auth"]["password"]
    shown = {process.name: process.text() for process in stage.processes}
    shown |= dict(everything(stage))
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline",):
            try:
                shown[f"{process}/{name}"] = (process / name).read_text(errors="replace")
            except OSError:  # it ended
                continue
    ours = {place: text for place, text in shown.items() if "pytest" not in text}

    assert [place for place, text in ours.items() if private[100:160] in text] == []
    assert [place for place, text in ours.items() if "PRIVATE KEY" in text] == []
    assert [
        place
        for place, text in ours.items()
        if password in text.replace("password authentication", "").split()
        or f'"{password}"' in text
    ] == []


@pytest.fixture
def cloud(stage: Stage) -> Iterator[OpenStackCloud]:
    """Give the cloud as alpha's launcher sees it."""
    account = AccountSettings(
        cloud="cloud-a",
        region=None,
        clouds_file=str(stage.folder / "clouds.yaml"),
        api_timeout_s=10.0,
    )
    made = OpenStackCloud(
        CloudSettings(account=account, owner=owner(stage), rate_per_s=100.0), clock=SystemClock()
    )
    yield made
    made.close()


def owner(stage: Stage) -> tags.Owner:
    """Return whose servers alpha's are."""
    installation, _ = stage.zk.get(paths.INSTALLATION)
    return tags.Owner(installation=installation.decode(), provider=ProviderName("alpha"))


def order(cloud: OpenStackCloud, stage: Stage, name: str, *, owned: bool) -> ServerSpec:
    """Return an order for a server that has no record."""
    pairs = {"somebody": "else"}
    if owned:
        node = NodeId("2999999999")
        pairs = tags.make(
            tags.ServerTags(owner=owner(stage), node=node, pool=PoolName("main"), label="good")
        )
    return ServerSpec(
        name=name,
        image=cloud.find_image(ImageWanted(name="debian-12")),
        flavor=cloud.find_flavor(FlavorWanted(name="m1.tiny")),
        tags=pairs,
        networks=("public",),
    )


def mark(stage: Stage, name: str, state: str) -> None:
    """Write a node's state as an operator would."""
    stage.rewrite(paths.node(NodeId(name)), lambda doc: {**doc, "state": state})


def everything(stage: Stage) -> Iterator[tuple[str, str]]:
    """Yield all znodes."""
    walk: list[str] = ["/"]
    visit: Callable[[str], list[str]] = stage.children
    while walk:
        path = walk.pop()
        data, _ = stage.zk.get(path)
        yield path, data.decode(errors="replace")
        walk += [f"{path.rstrip('/')}/{name}" for name in visit(path)]
