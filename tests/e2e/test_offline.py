"""Images that are proven without a network, and what an image saves, with real machines.

Each machine has a network of its own; a mirror on this host is what it can reach of the outside.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any, Final

import pytest

from remuda.model.image import BuildId, UploadId
from remuda.store import paths
from sandbox.machines.ownnet import why_no_network
from tests.support.ownnet import BLOB, CACHE, cached_checks, fetching_check, serve_blob
from tests.support.processes import Process
from tests.support.stage import Doc, Stage, open_stage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.zk,
    pytest.mark.skipif(bool(why_no_network()), reason=why_no_network() or "can be tested"),
]

_COMMAND_S: Final = 240.0
#: A build is a machine, its snapshot, and two machines that prove it.
_BUILD_S: Final = 240.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud whose machines have a network each, its launcher, and a builder."""
    with open_stage(tmp_path_factory, "offline") as made:
        cloud = made.cloud("a", system="minimal", own_network=True)
        network = IPv4Network(cloud.ask("GET", "/state")["address_range"])
        with serve_blob(str(network.network_address + 1)) as fetch:
            fill(made, fetch)
            yield made


def fill(stage: Stage, fetch: str) -> None:
    """Configure a label that fetches and two images; start a launcher, and a builder."""
    stage.label("small", setup={"inline": f"[ -s {CACHE} ] || {fetch} -o {CACHE}"})
    stage.config["labels"]["small"]["setup"]["as-root"] = True
    stage.provider("alpha", "a", labels=("small",))
    stage.config["images"] = {
        "cached": {**recipe(fetch), "offline-checks": cached_checks(fetch)},
        "fetching": {
            **recipe("true"),
            "checks": [fetching_check(fetch)],
            "offline-checks": [fetching_check(fetch)],
        },
    }
    stage.launcher("alpha")
    process = Process.python(
        "builder",
        "builder",
        *("--config", str(stage.write()), "--log-format", "json"),
        log=stage.folder / "builder.log",
        env={"TMPDIR": str(stage.folder)},
    )
    stage.processes.append(process)


def recipe(fetch: str) -> Doc:
    """Return a recipe whose step fetches."""
    text = fetch if fetch == "true" else f"{fetch} -o {CACHE}"
    return {
        "base": "debian-12",
        "flavor": "m1.small",
        "username": "debian",
        "steps": [{"command": text, "timeout": 120, "as-root": True}],
        "offline": True,
    }


def remuda(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would."""
    at = 2 if words[0] == "image" else 1
    return subprocess.run(
        [
            *(sys.executable, "-m", "remuda", *words[:at]),
            *("--zookeeper", ",".join(stage.hosts), *words[at:]),
        ],
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )


def trial(stage: Stage, image: str, verdict: str) -> Doc | None:
    """Return what was found in the provider, if it is this."""
    build = BuildId(image, 1)
    for place in stage.children(paths.uploads(build)):
        upload = stage.read(paths.upload(UploadId(build, place))) or {}
        found: Doc | None = upload.get("verdicts", {}).get("alpha")
        if found is not None and found["verdict"] == verdict:
            return found
    return None


def show(stage: Stage, *words: str) -> Any:
    """Return what is shown of an image."""
    told = remuda(stage, "image", "show", *words, "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def test_an_image_whose_caches_do_is_usable(stage: Stage) -> None:
    """It has passed on a machine that could reach nobody, and everybody can see that."""
    found = stage.until(lambda: trial(stage, "cached", "passed"), "it to be proven", _BUILD_S)

    assert found is not None
    assert [one["name"] for one in found["times"]["offline"]] == ["cache", "no mirror"]
    told = remuda(stage, "image", "show", "cached/1")
    assert "alpha: offline: passed 2 checks in " in told.stdout, told.stderr
    log = remuda(stage, "image", "log", "cached/1", "--provider", "alpha")
    assert "none can be reached" in log.stdout, log.stderr
    stage.until(lambda: stage.read(paths.pointer("cached", "alpha")), "it to be current")


def test_one_that_fetches_all_the_same_is_rejected(stage: Stage) -> None:
    """With its network the same check passes; the sentence says what was missing."""
    found = stage.until(lambda: trial(stage, "fetching", "failed"), "it to be rejected", _BUILD_S)

    assert found is not None
    assert found["why"].startswith("offline: fetches: ")
    assert stage.read(paths.pointer("fetching", "alpha")) is None
    log = remuda(stage, "image", "log", "fetching/1", "--provider", "alpha")
    assert "network taken away" in log.stdout, log.stderr
    assert "recipe to blame" in log.stdout


def job(stage: Stage) -> None:
    """Do some work that needs what is cached, or fetched by the setup."""
    login = ("--identity", str(stage.key), "--quiet")
    ran = remuda(stage, "run", "small", *login, "--", f"test -s {CACHE}")
    assert ran.returncode == 0, ran.stderr


def tallies(stage: Stage) -> dict[int | None, Doc]:
    """Return what is counted, by build."""
    return {one["build"]: one["fetched"] for one in show(stage, "cached")["tallies"]}


def test_what_an_image_saves_is_seen(stage: Stage) -> None:
    """The same label first without, then with the image: its setup finds what it fetched before."""
    job(stage)
    plain = paths.plain_tally("alpha")

    def counted() -> bool:
        one = (stage.read(plain) or {}).get("builds", {}).get("1", {})
        return "small" in one.get("fetched_setups", {}) and "small" in one.get("fetched_jobs", {})

    stage.until(counted, "what a machine without an image fetches to be counted")

    pool = stage.config["providers"]["alpha"]["pools"]["main"]
    pool["labels"]["small"]["image"] = {"built": "cached"}
    stage.write()
    (launcher,) = (one for one in stage.processes if one.name.startswith("launcher"))
    launcher.signal(signal.SIGHUP)
    stage.until(lambda: launcher.events("config.reloaded"), "the launcher to read it")
    job(stage)
    stage.until(
        lambda: tallies(stage).get(1, {}).get("job", {}).get("machines"), "the job to be counted"
    )
    stage.until(lambda: tallies(stage)[1]["setup"]["machines"], "the setup to be counted")

    found = tallies(stage)
    assert found[None]["setup"]["mean_bytes"] >= len(BLOB)
    assert found[1]["setup"]["mean_bytes"] < len(BLOB) / 10
    # Its own work fetches nothing but what keeps the connection.
    assert found[1]["job"]["mean_bytes"] < len(BLOB) / 10
    told = remuda(stage, "image", "show", "cached").stdout
    assert "small in alpha: a setup fetches " in told
    assert "without an image" in told
