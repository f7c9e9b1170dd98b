"""What a job leaves on a real machine comes into an object store and a folder, and nothing else."""

import gzip
import hashlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from remuda.archive.trees import LeftOut, TreeFile
from requestor import connect
from tests.support.stage import Doc, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_COMMAND_S = 240.0
_TOKEN = "ghp_" + "Zz9" * 12
_JOB = f"""
mkdir -p results/deep && cd results
yes 'a line of a log' | head -n 2000 >deep/x.log
head -c 300000 /dev/urandom >r.bin && sha256sum r.bin
ln -s deep/x.log latest; ln -s /etc/passwd away; mkfifo pipe
echo hidden >{_TOKEN}.txt
exit 3
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider and its launcher; its cloud keeps objects, too."""
    with open_stage(tmp_path_factory, "archive") as made:
        made.cloud("a")
        made.label("small")
        made.provider("alpha", "a", labels=("small",), pool={"max_servers": 4})
        made.launcher("alpha")
        yield made


def run(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a job, as a CI system would."""
    zookeeper = ["--zookeeper", ",".join(stage.hosts), "--identity", str(stage.key)]
    return subprocess.run(
        [sys.executable, "-m", "remuda", "run", *zookeeper, "small", *words],
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
        env={
            "OS_CLIENT_CONFIG_FILE": str(stage.folder / "clouds.yaml"),
            "CI_JOB_NAME": f"unit password={_TOKEN}",
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        },
    )


def events(ran: subprocess.CompletedProcess[str]) -> dict[str, Doc]:
    """Return the last event of each kind."""
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    return {one["event"]: one for one in found}


def counted(stage: Stage, *words: str) -> bool:
    """Say whether the launcher shows a sample with all of these words."""
    (launcher,) = (one for one in stage.processes if one.name.startswith("launcher"))
    lines = get(f"{stage.at_work(launcher)}/metrics").decode().splitlines()
    return any(all(word in line for word in words) for line in lines)


def get(url: str) -> bytes:
    """Return what anybody gets."""
    with urllib.request.urlopen(url, timeout=30.0) as answer:  # noqa: S310 - of the sandbox
        data: bytes = answer.read()
        return gzip.decompress(data) if answer.headers["Content-Encoding"] == "gzip" else data


def test_a_failed_job_leaves_an_archive_in_the_cloud(stage: Stage) -> None:
    """Private, whole by its manifest, with one address that opens it, for as long as it is kept."""
    to = ("--archive", "results", "--archive-to", "cloud-a:ci-logs/unit", "--archive-keep", "2d")
    ran = run(stage, *to, "--json", "--", _JOB)

    assert ran.returncode == 3, ran.stderr
    told = events(ran)["archived"]
    assert (told["files"], told["failed"], told["left_out"], told["why"]) == (3, 0, 2, ""), told
    url, query = told["url"], urlsplit(told["url"]).query
    assert b"results/index.html" in get(url)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get(url.partition("?")[0])
    manifest = json.loads(get(f"{urljoin(url, 'manifest.json')}?{query}"))
    listed = {one["name"]: one for one in manifest["files"]}
    binary = get(f"{urljoin(url, 'results/r.bin')}?{query}")
    assert hashlib.sha256(binary).hexdigest() == listed["results/r.bin"]["sha256"]
    assert listed["results/r.bin"]["sha256"] in events(ran)["output"]["text"]
    assert get(f"{urljoin(url, 'results/deep/x.log')}?{query}") == b"a line of a log\n" * 2000
    assert listed["results/deep/x.log"]["encoding"] == "gzip"
    assert manifest["links"] == [{"name": "results/latest", "target": "results/deep/x.log"}]
    for text in (json.dumps(manifest), json.dumps(told), get(url).decode()):
        assert _TOKEN not in text
    page = "remuda_archives_total{", 'label="small"', 'outcome="complete"', " 1.0"
    stage.until(lambda: counted(stage, *page), "the archive to be counted")
    assert all(query not in text and _TOKEN not in text for _, text in stage.logs())


def test_two_machines_in_a_folder_and_a_path_that_is_not_there(
    stage: Stage, tmp_path: Path
) -> None:
    """The job's own exit code; a folder for each; what is missing is said."""
    to = ("--archive", "results", "--archive", "gone", "--archive-to", str(tmp_path / "kept"))
    ran = run(stage, "--count", "2", *to, "--", "mkdir results && hostname >results/name")

    assert ran.returncode == 0, ran.stderr
    assert "archived 2 files" in ran.stderr
    assert "gone: there is nothing of this name" in ran.stderr
    (root,) = (tmp_path / "kept").iterdir()
    assert len(list(root.glob("[01]-small-*/results/name"))) == 2


def test_a_script_takes_what_it_likes(stage: Stage) -> None:
    """`node.fetch` of the library, into memory."""
    with (
        connect(stage.hosts) as client,
        client.request({"small": 1}, deadline_s=_COMMAND_S) as nodes,
    ):
        tree = nodes[0].fetch(["/etc/hostname", "gone"], key_file=str(stage.key))
        found = {
            one.name: b"".join(one.pieces) if isinstance(one, TreeFile) else one for one in tree
        }

    assert found["hostname"]
    assert found["gone"] == LeftOut(name="gone", why="there is nothing of this name", wanted=True)


def test_the_archive_fails_and_the_job_does_not(stage: Stage) -> None:
    """A container that others may read is not for what is private."""
    public = ("--archive", "/etc/hostname", "--archive-to", "cloud-a:open", "--archive-public")
    first = run(stage, *public, "--json", "--", "true")
    assert first.returncode == 0, first.stderr
    assert b"manifest.json" in get(events(first)["archived"]["url"])

    ran = run(stage, "--archive", "/etc/hostname", "--archive-to", "cloud-a:open", "--", "true")

    assert ran.returncode == 0
    assert "nothing was archived" in ran.stderr
    assert "everybody can read the container open" in ran.stderr
