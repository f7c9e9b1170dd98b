"""Files of a real machine, over a real session, into an archive."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.fetch import FetchPath, fetch
from remuda.archive.writer import Archive, Archived
from remuda.runtime.clock import SystemClock
from remuda.ssh.api import Login
from remuda.ssh.session import SshSession, open_session
from tests.fakes.archive_sink import FakeSink

pytestmark = pytest.mark.ssh

_BOUNDS = ArchiveBounds(bytes_max=64 << 20, files_max=1000, seconds=60.0)


@pytest.fixture
def session(login: Login) -> Iterator[SshSession]:
    """Open a session with the shared server."""
    with open_session(login) as session:
        yield session


def kept(
    session: SshSession, *paths: FetchPath, bounds: ArchiveBounds = _BOUNDS, **how: Any
) -> tuple[FakeSink, Archived]:
    """Fetch into an archive in memory."""
    sink = FakeSink()
    with Archive(sink) as archive:
        archive.put(fetch(session, paths, bounds=bounds, clock=SystemClock(), **how))
        done = archive.finish()
    return sink, done


def test_folders_files_and_links(session: SshSession, tmp_path: Path) -> None:
    """In one go; odd names, large files, links in and out, and what is no file."""
    odd = "-odd \x1b[31m name"
    tree = tmp_path / "--results"
    (tree / "deep").mkdir(parents=True)
    large = os.urandom(5 << 20)
    (tree / "deep" / "large.bin").write_bytes(large)
    (tree / odd).write_text("x")
    (tree / "near").symlink_to("deep/large.bin")
    (tree / "away").symlink_to("../secret")
    (tree / "twin").hardlink_to(tree / "deep" / "large.bin")
    os.mkfifo(tree / "pipe")
    (tmp_path / "secret").write_text("not for the archive")
    (tmp_path / "one.log").symlink_to("target.log")
    (tmp_path / "target.log").write_text("a log")

    sink, done = kept(
        session,
        FetchPath("--results", "results"),
        FetchPath(str(tmp_path / "one.log"), "one.log"),
        FetchPath("gone", "gone"),
        start=str(tmp_path),
    )

    assert done.files == 3
    assert done.failed == 0
    assert done.why == "gone: there is nothing of this name"
    assert sink.stored["one.log"] == b"a log"
    assert sink.stored["results/-odd \\x1b[31m name"] == b"x"
    assert large in {sink.stored.get("results/deep/large.bin"), sink.stored.get("results/twin")}
    assert b"not for the archive" not in b"".join(sink.stored.values())
    told = sink.stored["manifest.json"].decode()
    assert '{"name": "results/away", "why": "the link leads out of the folder"}' in told
    assert '{"name": "results/pipe", "why": "it is a pipe"}' in told
    assert '"name": "results/near"' in told


def test_a_bound_ends_the_stream(session: SshSession, tmp_path: Path) -> None:
    """At once, and the session is as good as before."""
    (tmp_path / "a").write_bytes(b"x" * (1 << 20))

    sink, done = kept(
        session,
        FetchPath(str(tmp_path), "a"),
        bounds=ArchiveBounds(bytes_max=1000, files_max=10, seconds=60.0),
    )

    assert (done.files, "more than 1000 bytes" in done.why) == (0, True)
    assert session.run(["true"]) == 0
    assert "manifest.json" in sink.stored


def test_a_machine_that_answers_nonsense(session: SshSession, tmp_path: Path) -> None:
    """Its ``tar`` prints for ever, nothing, or is not there."""
    (tmp_path / "x").write_text("x")
    for tar, why in (
        ("exec yes", "no tar stream"),
        ("exit 0", "cut short"),
        ("echo no >&2; exit 3", "no"),
        ("exec head -c 700 /dev/zero | tr '\\0' 'z'", "no tar stream"),
    ):
        bin_dir = tmp_path / "bin"
        bin_dir.mkdir(exist_ok=True)
        (bin_dir / "tar").write_text(f"#!/bin/sh\n{tar}\n")
        (bin_dir / "tar").chmod(0o755)
        session_with = _WithPath(session, f"{bin_dir}:/usr/bin:/bin")

        _sink, done = kept(session_with, FetchPath(str(tmp_path / "x"), "x"))  # type: ignore[arg-type]

        assert done.files == 0
        assert why in done.why, tar


def test_no_time_is_no_archive(session: SshSession, tmp_path: Path) -> None:
    """A machine that sends a little now and then is given up at the limit."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "tar").write_text("#!/bin/sh\nexec sleep 60\n")
    (bin_dir / "tar").chmod(0o755)
    slow = _WithPath(session, f"{bin_dir}:/usr/bin:/bin")
    bounds = ArchiveBounds(seconds=1.0)

    _sink, done = kept(slow, FetchPath(str(tmp_path), "x"), bounds=bounds)  # type: ignore[arg-type]

    assert "no end after" in done.why or "cut short" in done.why


class _WithPath:
    """A session whose commands have another PATH."""

    def __init__(self, session: SshSession, path: str) -> None:
        self._session = session
        self._path = path

    def run(self, command: Any, *, env: Any = None, **how: Any) -> int:
        """Run it so."""
        return self._session.run(command, env={**(env or {}), "PATH": self._path}, **how)
