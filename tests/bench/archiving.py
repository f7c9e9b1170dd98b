"""1 GiB in 10,000 files, fetched from a machine into an archive, against ``tar`` through ``ssh``.

``python -m tests.bench.archiving PORT USER KEY HOST_KEY PATH OUT`` is the process that fetches, so
that its memory is its own. Both sides write what they get to the same disk.
"""

import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.fetch import FetchPath, fetch
from remuda.archive.folder import FolderSink
from remuda.archive.writer import Archive
from remuda.runtime.clock import SystemClock
from remuda.ssh.api import Login
from remuda.ssh.session import open_session
from tests.bench.figures import Figure
from tests.support import sshd
from tests.support.processes import ROOT

SPEED_MIN: Final = 0.5
MORE_MIB: Final = 64.0
_FILES: Final = 10_000
_FOLDERS: Final = 100
_FILE_BYTES: Final = (1 << 30) // _FILES
_ROUNDS: Final = 3
_LIMIT_S: Final = 1200.0
_MIB: Final = 1 << 20
_LINE: Final = "2026-11-30T23:59:59 worker-%03d test_%05d passed in 0.%03d s, %016x\n"


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Fetch in turns; the speed is that of the medians."""
    folder.mkdir(parents=True)
    tree = folder / "tree"
    size = _make(tree, _FILES // 10 if quick else _FILES)
    raws: list[float] = []
    ours: list[dict[str, Any]] = []
    with sshd.running(folder / "sshd") as server:
        for number in range(1 if quick else _ROUNDS):
            raws.append(_raw(server, tree, folder / f"raw-{number}"))
            ours.append(_ours(server, tree, folder / f"ours-{number}"))
            for name in ("raw", "ours"):
                shutil.rmtree(folder / f"{name}-{number}")
    raw_s = statistics.median(raws)
    our_s = statistics.median([one["seconds"] for one in ours])
    more = max(one["more_mib"] for one in ours)
    speed = raw_s / our_s
    details = {"raw_s": raws, "ours": ours, "bytes": size}
    return [
        Figure(
            name="archive, speed",
            bound=f">= {SPEED_MIN} x tar | ssh",
            measured=f"{size / our_s / _MIB:.0f} MiB/s",
            raw=f"{size / raw_s / _MIB:.0f} MiB/s",
            ratio=speed,
            ok=speed >= SPEED_MIN,
            details=details,
        ),
        Figure(
            name="archive, memory",
            bound=f"< {MORE_MIB:.0f} MiB more",
            measured=f"{more:.1f} MiB",
            ok=more < MORE_MIB,
        ),
    ]


def _make(tree: Path, files: int) -> int:
    """Write logs and what cannot be compressed, half of each; return how many bytes."""
    chance = random.Random(11)  # noqa: S311 - the same bytes in every run
    total = 0
    for number in range(files):
        folder = tree / f"suite-{number % _FOLDERS:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        if number % 2:
            data = chance.randbytes(_FILE_BYTES)
        else:
            lines = [
                _LINE % (number % 32, line, line % 1000, chance.getrandbits(64))
                for line in range(_FILE_BYTES // 70)
            ]
            data = "".join(lines).encode()
        total += len(data)
        (folder / f"{number:05d}.{'bin' if number % 2 else 'log'}").write_bytes(data)
    return total


def _raw(server: sshd.Sshd, tree: Path, out: Path) -> float:
    """Fetch as people do; return the seconds."""
    out.mkdir()
    hosts = server.home / "known_hosts"
    hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    options = [f"UserKnownHostsFile={hosts}", "BatchMode=yes", "StrictHostKeyChecking=yes"]
    command = [
        *("ssh", "-p", str(server.port), "-i", str(server.key_file), "-l", server.user),
        *(word for option in options for word in ("-o", option)),
        *("127.0.0.1", f"tar -C {tree} -cf - ."),
    ]
    begun_s = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sending:
        subprocess.run(
            ["tar", "-xf", "-", "-C", str(out)], stdin=sending.stdout, check=True, timeout=_LIMIT_S
        )
    assert sending.returncode == 0
    return time.perf_counter() - begun_s


def _ours(server: sshd.Sshd, tree: Path, out: Path) -> dict[str, Any]:
    """Fetch in a process of its own; return what that tells."""
    where = (str(server.port), server.user, str(server.key_file), server.host_key)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.archiving", *where, str(tree), str(out)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        timeout=_LIMIT_S,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main(*words: str) -> None:
    """Fetch little, then everything; tell how long that took, and what more memory."""
    port, user, key, host_key, path, out = words
    login = Login(
        address="127.0.0.1", port=int(port), user=user, key_file=key, host_keys=(host_key,)
    )
    clock = SystemClock()
    with open_session(login) as session:

        def archive(what: str, where: Path) -> int:
            bounds = ArchiveBounds(seconds=_LIMIT_S)
            with Archive(FolderSink(where), bounds=bounds) as archive:
                wanted = (FetchPath(what, "tree"),)
                archive.put(fetch(session, wanted, bounds=bounds, clock=clock))
                done = archive.finish()
            assert (done.why, done.failed, done.left_out) == ("", 0, 0), done
            return done.bytes

        archive(f"{path}/suite-000/00000.log", Path(out) / "first")
        before = _memory_mib("VmRSS")
        begun_s = time.perf_counter()
        cpu_s = time.process_time()
        size = archive(path, Path(out) / "all")
        seconds = time.perf_counter() - begun_s
        told = {
            "bytes": size,
            "seconds": seconds,
            "cpu_s": time.process_time() - cpu_s,
            "more_mib": _memory_mib("VmHWM") - before,
        }
    sys.stdout.write(json.dumps(told))


def _memory_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
