"""`remuda run --archive`: what is said, and that the job's result stays what it is."""

import io
import json
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from remuda.cloud.api import TryLaterError
from remuda.cloud.objects import Container
from remuda.known_secrets import KNOWN
from remuda.model.archivetold import ArchiveTold
from remuda.model.jobreport import report_of
from remuda.runtime.clock import SystemClock
from remuda.ssh.errors import ConnectionLostError
from remuda.store import paths
from requestor.commands import keeping_hint
from requestor.commands.run import run
from tests.fakes.clock import ManualClock
from tests.fakes.object_store import FakeObjects, FakeSwift, Fate
from tests.support.commands import CommandHarness, FakeMachine


def files(**texts: str) -> bytes:
    """Return what a machine sends of a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in texts.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return b"d" + out.getvalue()


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no launcher that says what it has granted: there is none here."""
    monkeypatch.setattr(keeping_hint, "DECIDED_S", 0.0)


@pytest.fixture
def harness() -> CommandHarness:
    """A harness whose launcher lends at once, and whose machines have results."""
    one = CommandHarness()
    one.launcher.register("small", "big")
    one.answer = one.launcher.lend
    one.tar = lambda _path: files(a="1", b="22")
    return one


def archived(result: Result) -> dict[str, Any]:
    """Return what is said of the archive."""
    events = [json.loads(line) for line in result.stdout.splitlines()]
    (found,) = [one for one in events if one["event"] == "archived"]
    return dict(found)


def call(harness: CommandHarness, to: object, *words: str) -> Result:
    """Run a job whose results are kept."""
    archive = ("--archive", "results", "--archive-to", str(to))
    return harness.call(run, "small", *archive, *words, "--", "x")


def test_what_a_job_leaves_is_kept(harness: CommandHarness, tmp_path: Path) -> None:
    """In a folder that is new, with the job's exit code."""
    harness.code = 3
    result = call(harness, tmp_path, "--json")

    assert result.exit_code == 3
    told = archived(result)
    (root,) = tmp_path.iterdir()
    assert told["url"] == (root / "index.html").as_uri()
    assert (told["files"], told["bytes"], told["failed"], told["why"]) == (2, 3, 0, "")
    assert (root / "results" / "b").read_text() == "22"
    doc = json.loads((root / "manifest.json").read_text())
    assert (doc["label"], doc["code"]) == ("small", 3)
    (machine,) = harness.machines  # the session that the job had
    assert machine.closed.is_set()
    assert machine.ran[1][1]["REMUDA_FROM"] == "./."


def told(harness: CommandHarness) -> list[ArchiveTold | None]:
    """Return what the reports in the nodes' records tell of archives."""
    names = sorted(harness.launcher.store.children(paths.NODES))
    reports = [report_of(harness.launcher.read_node(name)) for name in names]
    return [one and one.archived for one in reports]


def test_one_node_tells_operators_how_much_was_kept(
    harness: CommandHarness, tmp_path: Path
) -> None:
    """Whatever the number of machines: the archive is one."""
    call(harness, tmp_path, "--count", "2")
    found = told(harness)

    assert ArchiveTold(files=4, bytes=6, complete=True) in found
    assert None in found


def test_operators_see_that_nothing_was_archived(harness: CommandHarness) -> None:
    """With the job's own result beside it."""
    swift = FakeSwift(ManualClock())
    swift.next_fates.extend([Fate.NO_ROOM] * 20)
    harness.open_objects, harness.code = lambda *_account: FakeObjects(swift), 3
    call(harness, "c:logs")

    (found,) = told(harness)
    assert found is not None
    assert (str(found.outcome), found.files) == ("failed", 0)
    (name,) = harness.launcher.store.children(paths.NODES)
    report = report_of(harness.launcher.read_node(name))
    assert report is not None
    assert (report.ok, report.why) == (False, "exit code 3")


def test_a_store_that_goes_away_meanwhile_leaves_the_machine_held(harness: CommandHarness) -> None:
    """In the middle of an upload: one sentence, the job's own code, and the person gets it."""
    swift = FakeSwift(ManualClock())
    swift.next_fates.extend([Fate.CUT] * 40)
    harness.open_objects, harness.code = lambda *_account: FakeObjects(swift), 3
    result = call(harness, "c:logs", "--hold-on-failure")

    assert result.exit_code == 3
    lines = [line for line in result.stderr.splitlines() if "archived" in line]
    assert len(lines) == 1
    assert "nothing has been stored" in lines[0]
    assert "is held for" in result.stderr


def test_paths_begin_where_the_job_ran(harness: CommandHarness, tmp_path: Path) -> None:
    """In the folder that was copied."""
    assert call(harness, tmp_path / "out", "--copy", f"{tmp_path}:src").exit_code == 0

    assert harness.machines[0].ran[1][1]["REMUDA_FROM"] == "./src"


def test_a_job_that_went_well_leaves_nothing_if_only_failures_do(
    harness: CommandHarness, tmp_path: Path
) -> None:
    """And no folder."""
    result = call(harness, tmp_path / "out", "--archive-when", "failure")

    assert (result.exit_code, result.stderr.count("archived")) == (0, 0)
    assert not (tmp_path / "out").exists()


def test_each_machine_has_a_folder(harness: CommandHarness, tmp_path: Path) -> None:
    """By its index, its label and its node."""
    assert call(harness, tmp_path, "--count", "2").exit_code == 0

    (root,) = tmp_path.iterdir()
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    assert [name.rpartition("-")[0] for name in names] == ["0-small", "1-small"]


def test_a_machine_that_ran_out_of_time_is_archived_over_a_new_session(
    harness: CommandHarness, tmp_path: Path
) -> None:
    """The first one was closed to end the wait."""

    def hang(machine: FakeMachine) -> None:
        machine.closed.wait(60)

    harness.during = hang
    result = call(harness, tmp_path, "--timeout", "0.2s", "--hold-on-failure")

    assert result.exit_code == 124
    assert "archived 2 files, 3 bytes: file://" in result.stderr
    assert result.stderr.index("archived") < result.stderr.index("is held")
    assert len(harness.machines) == 2


def test_an_archive_in_a_cloud_is_told_by_its_signed_address(
    harness: CommandHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """On standard error alone: no log has it."""
    caplog.set_level("DEBUG")
    swift = FakeSwift(ManualClock())
    harness.open_objects = lambda *_account: FakeObjects(swift)
    result = call(harness, "mycloud:logs/ci")

    assert result.exit_code == 0
    assert "archived 2 files, 3 bytes: https://" in result.stderr
    assert "temp_url_sig=" in result.stderr
    assert "temp_url_sig" not in caplog.text
    assert "mycloud:logs/ci/" in caplog.text
    KNOWN.forget()


def test_a_failure_of_the_archive_changes_nothing_and_is_said(harness: CommandHarness) -> None:
    """The cloud has no room, or the machine is gone, or the container is not for that."""
    swift = FakeSwift(ManualClock())
    harness.open_objects = lambda *_account: FakeObjects(swift)
    swift.next_fates.extend([Fate.NO_ROOM] * 20)
    result = call(harness, "c:logs", "--json")
    assert (result.exit_code, archived(result)["url"]) == (0, None)
    assert archived(result)["why"]
    swift.next_fates.clear()

    def broken(_path: str) -> bytes:
        raise ConnectionLostError("the machine is gone")

    harness.tar, harness.code = broken, 7
    result = call(harness, "c:logs", "--json")
    told = archived(result)
    assert (result.exit_code, told["files"]) == (7, 0)
    assert "the machine is gone" in told["why"]

    result = call(harness, "c:logs", "--archive-public")
    assert result.exit_code == 7
    assert "nothing was archived" in result.stderr
    assert "stays so" in result.stderr


class JumpingClock(SystemClock):
    """Real time, but for what a test skips."""

    skipped_s = 0.0

    def monotonic_s(self) -> float:
        """See Clock."""
        return super().monotonic_s() + self.skipped_s


def test_a_store_that_hangs_keeps_nobody(harness: CommandHarness) -> None:
    """After the archive's own time and some more, the job's result is told."""
    clock, released = JumpingClock(), threading.Event()
    objects = FakeObjects(FakeSwift(ManualClock()))

    def hang(*_words: object, **_more: object) -> Container:
        clock.skipped_s += 100_000.0
        released.wait(60)
        raise TryLaterError("too late")

    objects.make_container = hang  # type: ignore[method-assign]
    harness.clock, harness.open_objects, harness.code = clock, lambda *_account: objects, 9
    result = call(harness, "c:logs", "--json")
    released.set()

    assert (result.exit_code, archived(result)["url"]) == (9, None)
    assert "something hangs" in archived(result)["why"]


@pytest.mark.parametrize("where", ["make_container", "put", "signed_url"])
def test_a_mistake_of_ours_in_the_archive_changes_no_result(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It is said, and in the log."""

    def mistaken(*_words: object, **_more: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(FakeObjects, where, mistaken)
    monkeypatch.setattr(threading, "excepthook", lambda _told: None)
    swift = FakeSwift(ManualClock())
    harness.open_objects, harness.code = lambda *_account: FakeObjects(swift), 5
    result = call(harness, "c:logs", "--json")

    assert (result.exit_code, archived(result)["url"]) == (5, None)
    assert "mistake" in archived(result)["why"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--archive", "x"), "where to?"),
        (("--archive-to", "x"), "nothing is kept without --archive PATH"),
        (("--archive-when", "failure"), "nothing is kept without --archive PATH"),
        (("--archive", "a/x", "--archive", "b/x", "--archive-to", "f"), "both get the name x"),
        (("--archive", ".", "--archive-to", "f"), "say which it gets"),
        (("--archive", "x=../y", "--archive-to", "f"), "is no name in an archive"),
        (("--archive", "x", "--archive-to", ":c"), "--archive-to: ':c' says no container"),
        (("--archive", "x", "--archive-to", "nope:c"), "there is no cloud 'nope'"),
        (
            ("--archive", "x", "--archive-to", "/dev/null/x"),
            "--archive-to: /dev/null/x: /dev/null is no folder",
        ),
        (("--archive", "x", "--archive-to", "f", "--archive-keep", "3d"), "nobody deletes"),
        (("--archive", "x", "--archive-to", "c:d", "--archive-keep", "20000d"), "ten years"),
    ],
)
def test_mistakes_cost_no_machine(
    harness: CommandHarness, words: tuple[str, ...], why: str
) -> None:
    """One sentence, exit code 2."""
    result = harness.call(run, "small", *words, "--", "x")

    assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
    assert not harness.machines


@pytest.mark.parametrize(
    ("option", "value"),
    [("--archive-limit", "0"), ("--archive-limit", "much"), ("--archive-timeout", "0s")],
)
def test_bounds_that_are_none(harness: CommandHarness, option: str, value: str) -> None:
    """Likewise."""
    words = ("--archive", "x", "--archive-to", "f", option, value)

    assert harness.call(run, "small", *words, "--", "x").exit_code == 2
