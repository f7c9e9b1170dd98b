"""Images on the lab: recipes, builders, and how far they have come."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from remuda.model.image import BuildId
from remuda.store import paths
from tests.openstack.lab.seed import MINIMAL_IMAGE
from tests.openstack.stages import LabStage
from tests.support.processes import Process
from tests.support.stage import Doc

#: A build machine, its snapshot, a candidate for each provider: beside others' work.
BUILD_S: Final = 200.0
IMAGE: Final = "base"
#: Looks for what :func:`proof` has written.
CHECK: Final = {"name": "proof", "script": {"inline": "#!/bin/sh\ntest -s /srv/proof\n"}}


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
