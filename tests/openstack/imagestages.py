"""Images on the lab: recipes, builders, and how far they have come."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from remuda.model import tags
from remuda.model.image import BuildId
from remuda.store import paths
from tests.openstack.lab.seed import MINIMAL_IMAGE
from tests.openstack.stages import BOOTED_S, LabStage
from tests.support.processes import Process
from tests.support.stage import Doc

#: A build machine, its snapshot, a candidate for each provider: beside others' work.
BUILD_S: Final = 200.0
#: One host: the third failure there is the last.
TRIALS: Final = 3
IMAGE: Final = "base"
#: Looks for what :func:`proof` has written.
CHECK: Final = {"name": "proof", "script": {"inline": "#!/bin/sh\ntest -s /srv/proof\n"}}
_ME: Final = ("--requestor", "ci-1")


def proof(word: str) -> Doc:
    """Return a step by which a machine can be told to come from this recipe."""
    return {"command": f"echo {word} >/srv/proof", "timeout": 20, "as-root": True}


def recipe(stage: LabStage, *steps: Doc, name: str = IMAGE, **more: Any) -> None:
    """Have an image made by these steps; builders that run read that by themselves."""
    stage.config.setdefault("images", {})[name] = {
        "base": MINIMAL_IMAGE,
        "flavor": "m1.tiny",
        "username": "debian",
        "connection-port": stage.lab.ssh_port,
        "steps": list(steps),
        **{key.replace("_", "-"): value for key, value in more.items()},
    }
    stage.write()


def boots(stage: LabStage, provider: str, cloud: str, labels: Sequence[str], **more: Any) -> None:
    """Configure a provider whose labels boot the image."""
    making = {"image": {"built": IMAGE}, "flavor": "m1.tiny", "username": "debian"}
    stage.provider(provider, cloud, labels=dict.fromkeys(labels, making), **more)


def builder(stage: LabStage) -> Process:
    """Start a builder."""
    number = sum(one.name.startswith("builder") for one in stage.processes) + 1
    process = Process.python(
        f"builder {number}",
        "builder",
        *("--config", str(stage.write()), "--log-format", "json"),
        log=stage.folder / f"builder-{number}.log",
        env={"TMPDIR": str(stage.folder)},
    )
    stage.processes.append(process)
    return process


def build(stage: LabStage, number: int, *states: str, name: str = IMAGE) -> Doc | None:
    """Return a build, if it is in one of these states."""
    found = stage.read(paths.build(BuildId(name, number)))
    return found if found is not None and found["state"] in states else None


def uploads(stage: LabStage, number: int, name: str = IMAGE) -> Mapping[str, Doc]:
    """Return what there is of a build, by how it came there."""
    found = stage.records(paths.uploads(BuildId(name, number)))
    return {one["method"]: one for one in found.values() if one.get("method")}


def current(stage: LabStage, provider: str, name: str = IMAGE) -> int | None:
    """Return the number of the build that a provider boots."""
    found = stage.read(paths.pointer(name, provider))
    return None if found is None else int(found["current"])


def await_current(
    stage: LabStage,
    number: int,
    *providers: str,
    name: str = IMAGE,
    deadline_s: float = BUILD_S,
) -> None:
    """Wait until providers boot a build."""
    for one in providers:
        stage.until(
            lambda one=one: current(stage, one, name) == number,  # type: ignore[misc]
            f"{one} to boot {name}/{number}",
            deadline_s,
        )


def take(stage: LabStage, label: str) -> tuple[str, str]:
    """Take a machine, as a job does that goes on elsewhere; return its node, and its proof."""
    taken = stage.remuda("request", label, "--wait", "--detach", "--keep", "20m", *_ME)
    assert taken.returncode == 0, taken.stderr
    node = taken.stdout.split()[0]
    said = stage.remuda("ssh", node, *_ME, "--", "cat /srv/proof")
    assert said.returncode == 0, said.stderr
    return node, said.stdout.strip()


def give_back(stage: LabStage, node: str) -> None:
    """Give a machine back, and wait until it is gone."""
    assert stage.remuda("release", node, *_ME).returncode == 0
    stage.until(lambda: node not in stage.nodes(), "the machine to go", BOOTED_S)


def server(stage: LabStage, node: str) -> Any:
    """Return what Nova knows of a node's machine."""
    (found,) = (one for one in stage.lab.servers("lab") if one.metadata[tags.NODE_ID] == node)
    return found


def verdict(stage: LabStage, image: str) -> str | None:
    """Return what the provider alpha says of the first build of an image."""
    trial = uploads(stage, 1, image).get("native", {}).get("verdicts", {}).get("alpha", {})
    said: str | None = trial.get("verdict")
    return said


def host_network() -> tuple[str, ...]:
    """Return what the trial would change of this host's network, which the lab's machines share."""
    rules = subprocess.run(["ip", "rule"], capture_output=True, text=True, check=True, timeout=20)
    filters = (Path(f"/proc/sys/net/ipv4/conf/{one}/rp_filter") for one in ("all", "lo"))
    return (rules.stdout, *(one.read_text() for one in filters))
