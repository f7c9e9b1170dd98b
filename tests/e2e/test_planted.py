"""Secrets of every form, planted wherever evidence is read: nothing that comes out has one.

Told are a machine's console, the transcript of its setup, its logs, and the names of what a job
leaves. Looked through is all of it: ZooKeeper, logs, capsules in Swift, manifests and pages.
"""

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pytest

from remuda.cloud.account import AccountSettings
from remuda.cloud.openstack_objects import open_objects
from remuda.runtime.clock import SystemClock
from requestor import Client, RequestFailedError
from tests.e2e.test_secrets import znodes
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_COMMAND_S: Final = 120.0
_TOKEN: Final = "ghp_" + "Pl4" * 12
#: The cloud's password comes besides: it is known from clouds.yaml alone, and stands alone.
_FORMS: Final = (
    "Authorization: Bearer Pl4ntedBearer01",
    "authorization: Basic UGw0bnRlZEJhc2ljMDI=",
    "X-Auth-Token: Pl4ntedHeader03",
    "fetching https://ada:Pl4ntedUrl04@registry.example/v2/",
    "export OS_PASSWORD=Pl4ntedWord05",
    f"-----BEGIN RSA PRIVATE KEY-----\n{'Pl4ntedKey06' * 4}\n-----END RSA PRIVATE KEY-----",
    f"pushed with {_TOKEN}",
)
_SECRETS: Final = ("Pl4nted", "UGw0bnRlZEJhc2ljMDI", _TOKEN)
#: Until the console has it.
_TOLD: Final = "until [ -e /tmp/told ]; do sleep 0.1; done"
#: After all that was planted, so that it is seen to have been read.
_END: Final = "the end of what was planted"


def planted(password: str) -> str:
    """Return a shell command that prints all secrets; the text of it has none."""
    text = "\n".join([*_FORMS, f"and {password} alone", _END, ""])
    return f"echo {base64.b64encode(text.encode()).decode()} | base64 -d"


def logged(password: str) -> str:
    """Return what writes them where logs are read."""
    return (
        f"{planted(password)} >/tmp/planted; log=/var/log/cloud-init.log; "
        'if [ "$(id -u)" = 0 ]; then cat /tmp/planted >>$log; '
        "else sudo -n tee -a $log </tmp/planted >/dev/null; fi"
    )


@pytest.fixture(scope="module")
def password(stage: Stage) -> str:
    """Give the password of the cloud, which launchers and whoever archives know."""
    return str(stage.clouds["a"].entry["auth"]["password"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a provider whose machines keep nothing to themselves, and capsules in Swift."""
    with open_stage(tmp_path_factory, "planted") as made:
        made.cloud("a", system="minimal", quota={"instances": 4, "cores": 8, "ram": 16000})
        word = made.clouds["a"].entry["auth"]["password"]
        made.label(
            "blabbing",
            setup={"inline": f"#!/bin/sh\n{_TOLD}\n{planted(word)}\n{logged(word)}\nexit 3\n"},
        )
        made.label("job")
        labels = {
            "blabbing": {"user-data": f"#!/bin/sh\n{planted(word)}; : >/tmp/told\n"},
            "job": {},
        }
        made.provider("alpha", "a", labels=labels, launch_attempts=1)
        made.config["capsules"] = {
            "jobs": ["job"],
            "swift": {"cloud": "cloud-a", "container": "capsules"},
        }
        made.launcher("alpha")
        yield made


def remuda(stage: Stage, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator or a CI system does."""
    zookeeper = ["--zookeeper", ",".join(stage.hosts)]
    return subprocess.run(
        [sys.executable, "-m", "remuda", words[0], *zookeeper, *words[1:]],
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
        env={
            "OS_CLIENT_CONFIG_FILE": str(stage.folder / "clouds.yaml"),
            "PATH": os.environ["PATH"],
            **env,
        },
    )


def everything(stage: Stage) -> dict[str, str]:
    """Return all records, and all that processes of ours have logged."""
    ours = {one.name: one.text() for one in stage.processes}
    return ours | znodes(stage) | {"failures": remuda(stage, "failures", "--json").stdout}


def taken_home(stage: Stage, node: str, out: Path) -> dict[str, str]:
    """Return the files of a whole capsule, as the command fetches it from Swift."""
    ran = remuda(stage, "capsule", node, "--out", str(out))
    assert (ran.returncode, "the whole capsule" in ran.stdout) == (0, True), ran.stdout + ran.stderr
    texts = {"said": ran.stdout + ran.stderr}
    with tarfile.open(fileobj=io.BytesIO(out.read_bytes())) as archive:
        for one in archive.getmembers():
            file = archive.extractfile(one)
            assert file is not None
            texts[one.name.rpartition("/")[2]] = file.read().decode()
    return texts


def stored(stage: Stage, node: str, kind: str) -> bool:
    """Say whether the record of a capsule tells that it lies in Swift."""
    found = json.loads(remuda(stage, "capsule", node, "--json").stdout or "{}")
    return found.get("kind") == kind and [one.get("why", "") for one in found["kept"]] == [""]


def leaks(texts: Mapping[str, str], password: str) -> list[tuple[str, str]]:
    """Return where which secret is."""
    secrets = (*_SECRETS, password)
    return [(place, one) for place, text in texts.items() for one in secrets if one in text]


def test_a_machine_that_fails_tells_no_secret(
    stage: Stage, client: Client, password: str, tmp_path: Path
) -> None:
    """By its console, by what its setup printed, by its logs; that it told something is there."""
    with pytest.raises(RequestFailedError) as caught:
        client.request("blabbing").wait(SERVED_S)
    (node,) = stage.until(lambda: stage.failures("alpha"), "the evidence")
    stage.until(lambda: stored(stage, node, "launch"), "the capsule to be stored")
    files = taken_home(stage, node, tmp_path / "failed.tar.gz")

    for name in ("console.log", "transcript.txt", "cloud-init.log"):
        assert _END in files[name], name
        assert "[redacted]" in files[name]
    shown = everything(stage) | files | {"error": str(caught.value)}
    assert leaks(shown, password) == []


def test_a_job_that_fails_leaves_no_secret_but_in_its_own_files(
    stage: Stage, password: str, tmp_path: Path
) -> None:
    """Neither in names nor in sentences nor in its capsule: what is in a file is the job's own."""
    names = (f"{password}.txt", f"{_TOKEN}.log", "OS_PASSWORD=Pl4ntedName08", "plain.txt")
    job = "; ".join(
        [
            logged(password),
            "mkdir results && cd results",
            *(f"echo hidden >'{name}'" for name in names),
            f"ln -s /{password} away; mkfifo 'password=Pl4ntedPipe09'",
            "exit 3",
        ]
    )
    to = ("--archive", "results", "--archive", f"/none/{password}", "--archive-to", "cloud-a:logs")
    words = ("--identity", str(stage.key), "--json", "job", *to, "--", job)
    ran = remuda(stage, "run", *words, CI_JOB_NAME="unit password=Pl4ntedJob10")
    assert ran.returncode == 3, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    (archived,) = (one for one in told if one["event"] == "archived")
    (node,) = (one["id"] for one in told if one["event"] == "node")
    assert archived["files"] == len(names), archived

    stage.until(lambda: node not in stage.nodes(), "the node to be deleted")
    stage.until(lambda: stored(stage, node, "job"), "the job's capsule to be stored")
    shown = everything(stage) | taken_home(stage, node, tmp_path / "job.tar.gz")
    assert _END in shown["cloud-init.log"]
    shown |= {"stderr": ran.stderr, "archived": json.dumps(archived)}
    shown |= _published(archived["url"])
    shown["objects"] = "\n".join(_objects(stage))
    assert "plain.txt" in shown["results/index.html"]
    assert "plain.txt" in shown["objects"]
    assert leaks(shown, password) == []


def _published(url: str) -> dict[str, str]:
    """Return the pages and the manifest of an archive, as its readers get them."""
    query = urlsplit(url).query
    return {
        name: _get(f"{urljoin(url, name)}?{query}")
        for name in ("index.html", "results/index.html", "manifest.json")
    }


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30.0) as answer:  # noqa: S310 - of the sandbox
        data: bytes = answer.read()
        whole = gzip.decompress(data) if answer.headers["Content-Encoding"] == "gzip" else data
        return whole.decode()


def _objects(stage: Stage) -> list[str]:
    account: Any = AccountSettings(cloud="cloud-a", clouds_file=str(stage.folder / "clouds.yaml"))
    objects = open_objects(account, clock=SystemClock())
    try:
        return [one.name for one in objects.list_objects("logs")]
    finally:
        objects.close()
