"""What users say of the work on their machines, on real machines: it comes to the operators."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.stage import Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_COMMAND_S = 200.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider and its launcher."""
    with open_stage(tmp_path_factory, "reports") as made:
        made.cloud("a")
        made.label("small", min_ready=2)
        made.provider("alpha", "a", labels=("small",), pool={"max_servers": 6})
        made.launcher("alpha")
        yield made


def remuda(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would."""
    zookeeper = ["--zookeeper", ",".join(stage.hosts)]
    return subprocess.run(
        [sys.executable, "-m", "remuda", words[0], *zookeeper, *words[1:]],
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )


def counted(stage: Stage) -> dict[str, float]:
    """Return what the launcher has counted, by the word."""
    (launcher,) = (one for one in stage.processes if one.name.startswith("launcher"))
    page = urllib.request.urlopen(f"{stage.at_work(launcher)}/metrics", timeout=30.0)  # noqa: S310
    lines = page.read().decode().splitlines()
    found = [one for one in lines if one.startswith("remuda_job_reports_total{")]
    assert all('label="small"' in one and 'provider="alpha"' in one for one in found)
    return {
        word: sum(float(one.rpartition(" ")[2]) for one in found if f'result="{word}"' in one)
        for word in ("ok", "failed")
    }


def test_what_users_report_is_counted_once(stage: Stage) -> None:
    """`remuda run` does it unasked, a script with the node it gives back; the log tells each."""
    login = ("--identity", str(stage.key), "--quiet")
    assert remuda(stage, "run", "small", *login, "--", "true").returncode == 0
    failed = remuda(stage, "run", "small", *login, "--", "exit 3")
    assert failed.returncode == 3, failed.stderr

    kept = remuda(stage, "request", "small", "--wait", "--detach", "--keep", "10m")
    assert kept.returncode == 0, kept.stderr
    given = remuda(stage, "release", kept.stdout.split()[0], "--failed", "unit tests")
    assert given.returncode == 0, given.stderr

    stage.until(lambda: counted(stage) == {"ok": 1.0, "failed": 2.0}, "all reports to be counted")
    stage.until(lambda: not stage.nodes("used") and not stage.nodes("deleting"), "the deletions")
    assert counted(stage) == {"ok": 1.0, "failed": 2.0}
    (launcher,) = (one for one in stage.processes if one.name.startswith("launcher"))
    told = [(one["result"], one["why"]) for one in launcher.events("node.reported")]
    assert sorted(told) == [("failed", "exit code 3"), ("failed", "unit tests"), ("ok", "")]
