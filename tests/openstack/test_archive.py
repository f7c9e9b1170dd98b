"""What a job leaves comes into a real Swift, with an end, and is read by one address."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest

from tests.e2e.test_archive import events, get
from tests.openstack.stages import LabStage, open_lab_stage
from tests.support.processes import ROOT

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give one provider of one account, which has a Swift."""
    with open_lab_stage(tmp_path_factory, "archive") as made:
        made.account("lab")
        made.label("small")
        made.provider("alpha", "lab", labels=("small",))
        made.launcher("alpha")
        yield made


def test_what_a_job_leaves_is_in_swift(stage: LabStage) -> None:
    """Index, manifest and files by the signed address; nothing without; an end for each."""
    job = "mkdir -p results/deep && yes a line | head -n 2000 >results/deep/x.log"
    to = ("--archive", "results", "--archive-to", "cloud-lab:archives/ci")
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "remuda", "run", "--zookeeper", ",".join(stage.hosts)),
            *("--identity", str(stage.key), "small", *to, "--archive-keep", "1h", "--json"),
            *("--", job),
        ],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(stage.folder),
            "OS_CLIENT_CONFIG_FILE": str(stage.folder / "clouds.yaml"),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280.0,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    told = events(ran)["archived"]
    assert (told["files"], told["failed"], told["why"]) == (1, 0, ""), told
    url, query = told["url"], urlsplit(told["url"]).query
    assert b"results/index.html" in get(url)
    log = f"{urljoin(url, 'results/deep/x.log')}?{query}"
    assert get(log) == b"a line\n" * 2000
    with urllib.request.urlopen(log, timeout=30.0) as answer:  # noqa: S310 - of the lab
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert int(answer.headers["X-Delete-At"]) > 0
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get(url.partition("?")[0])
