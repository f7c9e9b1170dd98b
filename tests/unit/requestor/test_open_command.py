"""`remuda open`: by a node or its capsule, and what is said where there is no image."""

import gzip
import io
import random
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from remuda.cli.errors import EXIT_MISTAKE, MistakeError
from remuda.cli.explaining import explain
from remuda.model.capsule import Capsule, encode_capsule
from remuda.model.capsulefile import node_of_file, pack
from remuda.model.codec import CorruptRecordError
from remuda.model.holdwish import SnapshotWish
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.model.takehome import TakeHome, TakeHomeState, encode_take_home
from remuda.store import paths
from remuda.store.api import Create
from requestor.commands.holds import holds
from requestor.commands.open import open_hold
from requestor.commands.opening import KEEP, image_to_open, node_named
from requestor.commands.ssh import ssh
from tests.support.commands import CommandHarness

NODE: Final = NodeId("3000000123")
CAPSULE: Final = Capsule(
    node=NODE, label="small", pool="main", result="job.failed", why="red", at_s=1e6, console="x"
)


@pytest.fixture
def harness() -> CommandHarness:
    """A harness with a launcher of one label."""
    one = CommandHarness()
    one.launcher.register("small")
    return one


def put(harness: CommandHarness, path: str, data: bytes) -> None:
    """Write a record."""
    store = harness.zookeeper.connect()
    store.ensure(path.rpartition("/")[0])
    store.commit([Create(path=path, data=data)])


def image(harness: CommandHarness, node: NodeId = NODE, **changes: Any) -> None:
    """Put the record of a take-home image there."""
    wish = SnapshotWish(token="s1", share_with=None, public=False, for_s=60.0)
    fields = {"state": TakeHomeState.WHOLE, "by": "ada", "cloud_image": "7f3c", "ends_s": 1e9}
    fields |= {"wish": wish, "provider": "here", "pool": "main", "label": "small"}
    one = TakeHome(node=node, **{**fields, **changes})
    put(harness, paths.take_home(node), encode_take_home(one))


def refused(harness: CommandHarness, capsule: str = NODE, me: str = "ada") -> str:
    """Return what is said where nothing is opened."""
    result = harness.call(open_hold, capsule, "--requestor", me)
    assert result.exit_code == EXIT_MISTAKE, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_an_image_is_found_by_its_node_and_by_a_capsule_of_it(
    harness: CommandHarness, tmp_path: Path
) -> None:
    """Both mean the same machine."""
    file = tmp_path / "failed.tar.gz"
    file.write_bytes(pack(CAPSULE))
    image(harness)
    store = harness.zookeeper.connect()
    for capsule in (NODE, str(file)):
        found = image_to_open(store, node_named(capsule), me="ada", force=False)
        assert (found.node, found.cloud_image) == (NODE, "7f3c")
    assert "is of ada, not eve; --force opens it" in refused(harness, me="eve")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (NodeState.HOLD, "is held still: `remuda ssh {}`"),
        (NodeState.IN_USE, "is in use, and its machine runs: `remuda ssh {}`"),
        (NodeState.DELETING, "is deleting, and no image was kept of it"),
    ],
)
def test_a_machine_that_is_there_is_said_to_be_there(
    harness: CommandHarness, state: NodeState, said: str
) -> None:
    """With the way to it, and what is to be done for an image."""
    node = harness.launcher.ready_node("small", requestor="ada", hold_job="ada")
    harness.launcher.set_state(node, state)
    text = refused(harness, node)
    assert f"node {node} {said.format(node)}" in text
    assert KEEP in text


def test_why_a_held_machine_became_no_image_is_said(harness: CommandHarness) -> None:
    """Beside the way to it."""
    node = NodeId(harness.launcher.ready_node("small", requestor="ada", hold_job="ada"))
    harness.launcher.set_state(node, NodeState.HOLD)
    image(harness, node, state=TakeHomeState.FAILED, failure="quiet: secret in /tmp/left")
    assert "is held still (quiet: secret in /tmp/left): `remuda ssh" in refused(harness, node)


@pytest.mark.parametrize("broken", [False, True])
def test_a_capsule_without_an_image_says_what_to_do(harness: CommandHarness, broken: bool) -> None:  # noqa: FBT001
    """The machine is gone by then, and nothing brings it back."""
    assert f"there is no node {NODE}, no image and no capsule of it" in refused(harness)
    put(harness, paths.capsule("here", NODE), b"{}" if broken else encode_capsule(CAPSULE))
    assert f"no image was kept of node {NODE}, whose machine is gone; {KEEP}" in refused(harness)


def test_an_image_that_is_not_there_yet_is_waited_for_elsewhere(harness: CommandHarness) -> None:
    """How far it is, is said."""
    image(harness, state=TakeHomeState.MAKING, cloud_image=None)
    assert "a builder takes the machine's identity off" in refused(harness)


def archive(name: str, data: bytes) -> bytes:
    """Return a packed archive of one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        about = tarfile.TarInfo(name)
        about.size = len(data)
        made.addfile(about, io.BytesIO(data))
    return packed.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        pack(CAPSULE)[:40],
        gzip.compress(b"no tar"),
        archive("capsule-1/other.json", b'{"node": "3000000123"}'),
        archive("capsule-1/capsule.json", b'{"node": "../3000000123"}'),
        archive("capsule-1/capsule.json", b'{"node": 7}'),
        archive("capsule-1/capsule.json", b"[" * 5000),
        gzip.compress(b"\0" * 50_000_000),
    ],
    ids=["empty", "text", "cut", "gzip", "other", "path", "number", "deep", "bomb"],
)
def test_what_is_no_capsule_is_refused_with_one_sentence(tmp_path: Path, data: bytes) -> None:
    """A file may come from anybody."""
    file = tmp_path / "failed.tar.gz"
    file.write_bytes(data)
    with pytest.raises(MistakeError, match="is no capsule"):
        node_named(str(file))


def test_no_damage_of_a_capsule_is_an_error_of_ours() -> None:
    """Each ends in a node, or in one sentence."""
    whole, chance = gzip.decompress(pack(CAPSULE)), random.Random(7)  # noqa: S311
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(1600)] = chance.randrange(256)
        with suppress(CorruptRecordError):
            assert len(node_of_file(gzip.compress(bytes(damaged), 1))) == len(NODE)


@pytest.mark.parametrize("capsule", ["nothing-there", ".", "/dev/zero", "30000000"])
def test_what_is_neither_a_node_nor_a_file_is_refused(capsule: str) -> None:
    """Neither a folder, nor a device that never ends."""
    with pytest.raises(MistakeError, match="is no node, such as"):
        node_named(capsule)


def test_a_node_for_longer_than_anybody_holds_one_is_refused(harness: CommandHarness) -> None:
    """Before a machine boots, with the rule."""
    image(harness)
    harness.launcher.status(max_hold_age_s=14 * 86_400.0)
    result = harness.call(open_hold, NODE, "--for", "60d", "--requestor", "ada")
    assert result.exit_code == EXIT_MISTAKE
    assert "(max-hold-age): --for 60d would keep none" in result.stderr
    assert not harness.launcher.store.children(paths.REQUESTS)


def test_who_looks_for_the_machine_of_an_image_is_told_of_the_image(
    harness: CommandHarness,
) -> None:
    """Where there is one, and only then."""
    for command in (ssh, explain):
        assert "its image is there" not in harness.call(command, NODE).stderr
    image(harness)
    for command in (ssh, explain):
        result = harness.call(command, NODE)
        assert result.exit_code == EXIT_MISTAKE
        assert "its image is there: " in result.stderr
        assert f"`remuda open {NODE}` boots it" in result.stderr


def test_the_list_of_images_says_who_else_may_boot_one(harness: CommandHarness) -> None:
    """And repeats neither its id nor its end beside their columns."""
    harness.launcher.status()
    wish = SnapshotWish(token="s1", share_with="0123", public=False, for_s=60.0)
    image(harness, wish=wish, shared=True, cloud="north", flavor="f", username="debian")
    shown = harness.call(holds).stdout
    assert "in cloud north; flavor f, login debian; shared with 0123" in shown
    assert shown.count("7f3c") == 1
