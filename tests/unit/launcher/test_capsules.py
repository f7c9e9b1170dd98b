"""Capsules: what is gathered of machines that fail, or are asked about; nothing secret is in it."""

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from launcher.capsule import deserving, gathering
from launcher.capsule.hand_places import CapsuleStore, FolderStore
from launcher.node.actions import Condemn
from launcher.node.end import Failure
from remuda.cli.capsule import find
from remuda.cloud.api import FloatingIp
from remuda.metrics.results import Result
from remuda.model.capsule import (
    BYTES_MAX,
    Capsule,
    CapsuleKind,
    decode_capsule,
    encode_capsule,
    wish_of,
)
from remuda.model.capsulefile import pack
from remuda.model.ids import NodeId
from remuda.ssh.api import Proof, ProofSpec
from remuda.store import paths
from requestor.client import Client
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.fakes.store import FakeZookeeper
from tests.support.soloist import Soloist
from tests.unit.launcher.worlds import NOW, add_node, know, world

#: Only what stands before it says that it is one.
SECRET: Final = "Pl4nted9secret"
CONFIG: Final = """
zookeeper: {{hosts: ["zk:2181"]}}
capsules: {{jobs: ["sm.*"], folder: {{path: {folder}}}}}
labels: {{small: {{min-ready: 0, recheck: null, setup: {{inline: "true"}}}}}}
providers:
  here:
    cloud: good
    list-period: 2
    launch-attempts: 1
    ssh-key-file: key
    pools:
      main: {{max-servers: 2, labels: {{small: {{image: debian-12, flavor: small}}}}}}
"""


class Talkative(FakeProver):
    """Machines that answer the question for their logs; *setup*: how their setup ends."""

    setup = Exit()
    journal = f"DB_PASSWORD={SECRET}\nthe end of the journal"

    def prove(
        self,
        order: ProofSpec,
        *,
        stopped: Callable[[], bool] = lambda: False,
        deadline_s: float | None = None,
        login_by_s: float | None = None,
    ) -> Proof:
        """Print the logs with the mark that is asked for."""
        exits = {"setup": self.setup}
        if order.setup is not None and order.setup.name == "logs":
            mark = order.setup.arguments[0]
            exits["logs"] = Exit(
                output=f"motd\n\n{mark} cloud_init\ninit ran\n\n{mark} journal\n{self.journal}\n"
            )
        self.script(order.login.address, Machine(exits=exits))
        return super().prove(order, stopped=stopped, deadline_s=deadline_s, login_by_s=login_by_s)


class Loud(FakeCloud):
    """Its consoles tell secrets."""

    def console_log(self, server: str, *, lines_max: int = 200) -> str:  # type: ignore[override]
        """Say one."""
        del server, lines_max
        return f"booting\napi_key={SECRET}\nlogin:"


class Scene:
    """A launcher with a folder for capsules."""

    def __init__(self, folder: Path, *more: CapsuleStore) -> None:
        self.clock = ManualClock()
        self.zookeeper = FakeZookeeper(self.clock)
        self.prover = Talkative()
        self.kept = folder / "kept"
        private = Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
        )
        (folder / "key").write_bytes(private)
        (folder / "key").chmod(0o600)
        config = folder / "remuda.yaml"
        config.write_text(CONFIG.format(folder=self.kept))
        place = FolderStore(folder=self.kept, bytes_max=10**6, keep_s=None)
        self.solo = Soloist(
            config,
            Loud(self.clock, boot_s=1.0),
            self.prover,
            self.clock,
            self.zookeeper,
            stores=(place, *more),
        )
        self.solo.play(4.0)
        self.client = Client(self.zookeeper.connect(), clock=self.clock)

    def records(self, parent: str) -> list[Capsule]:
        """Return the capsules below a path."""
        found = sorted(self.solo.stored().items())
        wanted = [(path, data) for path, data in found if path.startswith(f"{parent}/here/")]
        return [decode_capsule(path.rpartition("/")[2], data) for path, data in wanted]

    def files(self) -> dict[str, str]:
        """Return what is in the one capsule in the folder."""
        (path,) = self.kept.iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        return unpacked(path.read_bytes())


def unpacked(data: bytes) -> dict[str, str]:
    """Return the files of a capsule."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        texts: dict[str, str] = {}
        for one in archive.getmembers():
            file = archive.extractfile(one)
            assert file is not None
            texts[one.name.rpartition("/")[2]] = file.read().decode()
        return texts


def test_a_failed_launch_leaves_everything_that_is_known_and_no_secret(tmp_path: Path) -> None:
    """In ZooKeeper its ends, in the folder the whole; console, transcript, logs are redacted."""
    scene = Scene(tmp_path)
    scene.prover.setup = Exit(code=3, output=f"OS_PASSWORD={SECRET}\nno such package")
    scene.client.request("small", data={"job": "unit", "pipeline": "check"})
    scene.solo.play(30.0)

    (told,) = scene.records(paths.FAILURES)
    assert (told.kind, told.label) == (CapsuleKind.LAUNCH, "small")
    assert told.result.startswith("error.")
    assert told.console == "booting\napi_key=[redacted]\nlogin:"
    assert told.logs["cloud_init"] == "init ran"
    assert told.logs["journal"] == "DB_PASSWORD=[redacted]\nthe end of the journal"
    assert told.untold is None
    assert told.host is not None
    assert told.configuration == scene.solo.brain.world.policy.revision
    assert told.job is not None
    assert (told.job.job, told.job.pipeline) == ("unit", "check")
    names = [one.name for one in told.moments]
    assert names[0] == "planned"
    assert {"active", "login", "setup", "now"} <= set(names)
    assert [one.at_s for one in told.moments if one.name != "created"] == sorted(
        one.at_s for one in told.moments if one.name != "created"
    )
    assert [(one.store, one.why) for one in told.kept] == [("folder", None)]

    files = scene.files()
    assert set(files) == {
        *("capsule.json", "console.log", "transcript.txt", "cloud-init.log", "journal.log")
    }
    assert "no such package" in files["transcript.txt"]
    assert json.loads(files["capsule.json"])["result"] == told.result
    everything = [*files.values(), scene.solo.log.getvalue(), str(scene.solo.stored())]
    assert [text for text in everything if SECRET in text] == []
    assert "capsule.stored" in scene.solo.log.getvalue()


def test_a_failed_job_leaves_a_capsule_where_the_policy_says(tmp_path: Path) -> None:
    """Beside the evidence of launches, which it pushes out of nowhere."""
    scene = Scene(tmp_path)
    request = scene.client.request("small", data={"job": "unit"})
    scene.solo.play(15.0)
    request.wait(1)
    nodes = request.accept()
    nodes[0].report(ok=False, why="2 tests failed")
    nodes.release()
    scene.solo.play(10.0)

    assert scene.records(paths.FAILURES) == []
    (told,) = scene.records(paths.CAPSULES)
    assert (told.kind, told.result) == (CapsuleKind.JOB, "job.failed")
    assert told.why == "2 tests failed"
    assert told.job is not None
    assert told.job.job == "unit"
    assert "the end of the journal" in told.logs["journal"]
    assert "journal.log" in scene.files()
    assert scene.solo.cloud.truth() == {}


def test_of_a_machine_that_lives_its_launcher_tells_what_is_known(tmp_path: Path) -> None:
    """Nobody logs in to it; it is told once for each wish, and it stays whose it is."""
    scene = Scene(tmp_path)
    request = scene.client.request("small")
    scene.solo.play(15.0)
    request.wait(1)
    (node,) = request.accept()
    visits = len(scene.prover.orders)

    store = scene.zookeeper.connect()
    provider, told = find(
        store, node.id, now_s=scene.clock.now_s(), pause=lambda _: scene.solo.play(1.0)
    )

    assert (provider, told.kind, told.result) == ("here", CapsuleKind.ASKED, "asked")
    assert "api_key=[redacted]" in told.console
    assert told.untold == "it lives: nobody logs in for this"
    assert [one.step for one in map(_Step, told.transcript)][-1] == "setup"
    assert len(scene.prover.orders) == visits
    scene.solo.play(20.0)
    assert scene.solo.log.getvalue().count("capsule.told") == 1
    assert node.valid
    assert scene.records(paths.FAILURES) == []


class _Step:
    def __init__(self, doc: Mapping[str, object]) -> None:
        self.step = doc["step"]


def test_without_an_answer_the_records_tell(tmp_path: Path) -> None:
    """A launcher that is away, or of before this."""
    scene = Scene(tmp_path)
    request = scene.client.request("small")
    scene.solo.play(15.0)
    request.wait(1)
    (node,) = request.accept()
    _, told = find(scene.zookeeper.connect(), node.id, now_s=9.0, pause=lambda _: None)
    assert told.why.startswith("its launcher has not answered within 10 s")
    assert told.label == "small"
    scene.solo.play(20.0)
    assert scene.records(paths.CAPSULES) == []  # the wish is old by the launcher's clock


def test_whose_end_leaves_a_capsule() -> None:
    """A failed launch always; a failed job if its label is named; a job of which nobody says so."""
    made = world()
    view = add_node(made, 1, launch={"reported": "failed"})
    end = Condemn(node=view.id, cause="used")
    policy = made.policy
    assert deserving.failure_of(policy, view, end, NOW) is None
    wanted = replace(policy, capsules=policy.capsules.model_copy(update={"jobs": ("sm.*",)}))
    found = deserving.failure_of(wanted, view, end, NOW)
    assert isinstance(found, Failure)
    assert (found.kind, found.cause) == (CapsuleKind.JOB, "its holder reported a failure")
    went_well = add_node(made, 2, launch={"reported": "ok"})
    assert deserving.failure_of(wanted, went_well, end, NOW) is None
    view.launch = None
    assert deserving.failure_of(wanted, view, end, NOW) is None
    failed = deserving.failure_of(policy, view, replace(end, result=Result.SSH), NOW)
    assert failed is not None
    assert failed.kind is CapsuleKind.LAUNCH


def test_machines_are_not_asked_for_logs_whose_way_in_is_not_sure() -> None:
    """By configuration, without a key, before anybody got in, without a host key."""
    made = world()
    view = add_node(made, 1)
    ask = gathering.gather_order
    policy, kind = made.policy, CapsuleKind.LAUNCH
    keyed = replace(policy, config=policy.config.model_copy(update={"ssh_key_file": "/k"}))
    silent = policy.capsules.model_copy(update={"logs": False})
    assert "logs: false" in str(ask(replace(keyed, capsules=silent), view, kind, "m"))
    keyless = policy.config.model_copy(update={"ssh_key_file": None})
    assert "ssh-key-file" in str(ask(replace(policy, config=keyless), view, kind, "m"))
    assert ask(keyed, view, kind, "m") == "nobody got in"
    gone = replace(keyed, making={})
    assert "not in the configuration" in str(ask(gone, view, CapsuleKind.JOB, "m"))
    view.proof = view.proof.let_in()
    assert "address" in str(ask(keyed, view, kind, "m"))
    know(view, floating_ip=FloatingIp(id="f", address="198.18.0.1"))
    assert "not in the configuration" in str(ask(gone, view, kind, "m"))
    ignoring = policy.making[view.key].model_copy(update={"host_keys": "ignore"})
    loose = ask(replace(keyed, making={view.key: ignoring}), view, kind, "m")
    assert isinstance(loose, ProofSpec)
    assert loose.login.host_keys == ()


def test_what_a_machine_prints_is_taken_apart_by_a_mark_it_cannot_know() -> None:
    """What comes before, unknown names and empty texts are nothing."""
    said = "hello\n=== x journal\nforged\n=== m other\nx\n=== m journal\nline\n=== m cloud_init\n\n"
    assert gathering.logs_of(said, "=== m") == {"journal": "line"}
    assert gathering.missing_of(said, "=== m") == ("cloud_init",)


def test_a_file_that_is_not_there_is_no_log(tmp_path: Path) -> None:
    """What `tail` says of it neither; what is empty says nothing, too."""
    (tmp_path / "cloud-init.log").write_text("init ran\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "journalctl").write_text("#!/bin/sh\necho refused >&2\n")
    (tmp_path / "bin" / "journalctl").chmod(0o755)
    made = world()
    view = add_node(made, 1)
    keyed = made.policy.config.model_copy(update={"ssh_key_file": "/k"})
    policy = replace(made.policy, config=keyed)
    order = gathering.gather_order(policy, view, CapsuleKind.JOB, "=== m")
    assert isinstance(order, ProofSpec)
    assert order.setup is not None
    text = order.setup.text.replace("/var/log", str(tmp_path))
    ran = subprocess.run(
        ["/bin/sh", "-c", text, "sh", *order.setup.arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
    )

    assert gathering.logs_of(ran.stdout, "=== m") == {"cloud_init": "init ran"}
    assert gathering.missing_of(ran.stdout, "=== m") == ("cloud_init_output", "journal")


def test_a_record_is_never_too_large_to_be_read() -> None:
    """Control characters take six bytes each, in JSON."""
    one = Capsule(
        node="1",
        label="a",
        pool="b",
        result="error.ssh",
        why="no",
        at_s=1.0,
        console="\x01" * 100_000,
        logs={"journal": "\x02" * 100_000},
        transcript=tuple({"step": "setup", "output": "\x03" * 9000} for _ in range(20)),
    )
    data = encode_capsule(one)
    assert len(data) <= BYTES_MAX
    assert decode_capsule("1", data).console.endswith("\x01")
    many = replace(one, transcript=tuple({"step": "x" * 300} for _ in range(1000)))
    assert decode_capsule("1", encode_capsule(many)).transcript == ()


def test_equal_capsules_are_equal_files_whose_names_lead_nowhere() -> None:
    """Whatever a record calls its node."""
    one = Capsule(
        node="../../etc/x", label="a", pool="b", result="r", why="", at_s=5.0, console="c"
    )
    assert pack(one) == pack(one)
    with tarfile.open(fileobj=io.BytesIO(pack(one))) as archive:
        names = archive.getnames()
    assert names == ["capsule-------etc-x/capsule.json", "capsule-------etc-x/console.log"]
    assert gzip.decompress(pack(one))


def test_a_wish_is_a_token_or_nothing() -> None:
    """The record is a requestor's, who may write anything."""
    view = add_node(world(), 1)
    assert view.node is not None
    for value in (None, 7, "x", {}, {"token": 7}, {"token": "../x", "at_s": 1}, {"token": "a"}):
        assert wish_of(view.node.with_fields(remuda_capsule=value)) is None
    found = wish_of(view.node.with_fields(remuda_capsule={"token": "a", "at_s": 5}))
    assert found is not None
    assert NodeId(found.token) == "a"
