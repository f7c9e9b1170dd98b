"""Three more ways of images on a real OpenStack: made on first use, from a command, tried offline.

All is as in ``tests/e2e``; what is looked at besides is what Nova and Glance have of it. Machines
here have the network of this host, and no right to change it: nobody can cut one off.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from remuda.model import tags
from remuda.model.build import UNDER_WAY, BuildState
from remuda.model.image import BuildId
from remuda.store import paths
from tests.e2e.test_first_use import age
from tests.openstack.imagestages import (
    BUILD_S,
    CHECK,
    IMAGE,
    TRIALS,
    await_current,
    boots,
    build,
    builder,
    current,
    give_back,
    host_network,
    recipe,
    server,
    take,
    uploads,
    verdict,
)
from tests.openstack.lab.seed import MINIMAL_IMAGE
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage
from tests.support.stage import Doc

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

#: Two listings have to show that an image is gone.
_GONE_S: Final = 600.0
_TTL_S: Final = 3600.0
FILE: Final = "packed"
OFFLINE: Final = "cut"
#: Says which build a machine boots; 0: it has run the recipe itself.
_STEP: Final = {
    "command": "echo $REMUDA_IMAGE/$REMUDA_BUILD >/srv/proof",
    "timeout": 30,
    "as-root": True,
}
#: What the lab boots is a tar, which is raw data to everybody else. The same file each time.
_PACK: Final = """\
#!/bin/sh -e
cp "$1" "$REMUDA_OUTPUT"
mkdir -p tree/srv
cp "$2" tree/srv/proof
tar --pax-option=delete=atime,delete=ctime --mtime=@0 --mode=0644 --numeric-owner \\
    --owner=0 --group=0 -C tree -rf "$REMUDA_OUTPUT" ./srv/proof
"""
#: How Glance is given an image.
_GIVEN: Final = {"glance POST /v2/images", "glance PUT /v2/images/ID/file"}
_NIGHTS: Final = {"max-age": "1m", "jitter": "1m"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give a project with its launcher and a builder, an image that nobody has made, and a file."""
    with open_lab_stage(tmp_path_factory, "ways") as made:
        made.account("lab")
        for label in ("ours", FILE):
            made.label(label, checks=[CHECK])
        boots(made, "alpha", "lab", ("ours", FILE))
        pool = made.config["providers"]["alpha"]["pools"]["main"]
        pool["labels"][FILE] = {**pool["labels"][FILE], "image": {"built": FILE}}
        _save_minimal(made)
        recipe(made, _STEP, build="on-demand", ttl=_TTL_S)
        packed(made)
        made.launcher("alpha", wait=False)
        builder(made)
        yield made


def packed(stage: LabStage, *, schedule: Doc | None = None, **how: Any) -> None:
    """Have the file made by a command; who runs reads that by itself."""
    arguments = [str(_minimal(stage)), str(_proof(stage))]
    stage.config["images"][FILE] = {
        "command": {
            "script": {"inline": _PACK, "arguments": arguments},
            "disk-format": "raw",
            "max-size": "512MiB",
            "reads": [{"path": str(_proof(stage))}],
            **how,
        },
        "flavor": "m1.tiny",
        "username": "debian",
        "connection-port": stage.lab.ssh_port,
        **({} if schedule is None else {"schedule": schedule}),
    }
    stage.write()


def _minimal(stage: LabStage) -> Path:
    return stage.folder / "minimal.tar"


def _proof(stage: LabStage) -> Path:
    return stage.folder / "proof"


def _save_minimal(stage: LabStage) -> None:
    """Write what the command reads: all of this host's files would be searched for minutes."""
    images = stage.lab.account("lab").image
    images.download_image(images.find_image(MINIMAL_IMAGE).id, output=str(_minimal(stage)))
    _proof(stage).write_text("packed\n")


def named(stage: LabStage, image: str) -> list[Any]:
    """Return what Glance has of an image of ours, hidden or not."""
    return [one for one in stage.lab.images("lab") if one.properties.get(tags.IMAGE) == image]


def sent(stage: LabStage, mark: Mapping[str, int]) -> set[str]:
    """Return what we gave to Glance since a mark; snapshots it is given by Nova."""
    return _GIVEN & stage.lab.calls(mark, agent="remuda").keys()


# -- on first use ----------------------------------------------------------------------------


def test_the_first_machine_runs_the_recipe_and_one_build_is_made_beside_it(
    stage: LabStage,
) -> None:
    """Nova boots it from the recipe's base; the build is the only one."""
    node, said = take(stage, "ours")
    launch = stage.read(f"{paths.launches('alpha')}/{node}") or {}
    base = stage.lab.account("lab").image.find_image(MINIMAL_IMAGE)

    assert said == f"{IMAGE}/0"
    assert launch["first_use"]
    assert "image_build" not in launch
    assert stage.nodes()[node]["image_id"] == f"{IMAGE}/first-use"
    assert server(stage, node).image.id == base.id

    await_current(stage, 1, "alpha")
    builds = stage.records(paths.builds(IMAGE))
    assert [one["why"] for one in builds.values()] == ["first use"]
    give_back(stage, node)


def test_a_later_machine_boots_the_build(stage: LabStage) -> None:
    """The one image that Glance has of it, and no other is made."""
    node, said = take(stage, "ours")
    (image,) = named(stage, IMAGE)

    assert said == f"{IMAGE}/1"
    assert server(stage, node).image.id == image.id
    give_back(stage, node)
    assert len(stage.records(paths.builds(IMAGE))) == 1


def test_unused_for_its_time_it_goes_from_glance_too(stage: LabStage) -> None:
    """Its pointer first; records say that it was long ago, for no test waits for an hour."""
    long_ago_s = time.time() - 2 * _TTL_S
    age(stage, paths.build(BuildId(IMAGE, 1)), since_s=long_ago_s)
    age(stage, paths.last_use(IMAGE), at_s=long_ago_s)
    stage.until(lambda: current(stage, "alpha") is None, "the pointer to go", BOOTED_S)
    stage.until(lambda: _retiring(stage), "its upload to retire", BOOTED_S)
    folder = paths.uploads(BuildId(IMAGE, 1))
    for place in stage.children(folder):
        age(stage, f"{folder}/{place}", since_s=long_ago_s)

    stage.until(lambda: not stage.records(paths.builds(IMAGE)), "the build to go", _GONE_S)
    assert named(stage, IMAGE) == []
    node, said = take(stage, "ours")
    assert said == f"{IMAGE}/0"
    give_back(stage, node)


def _retiring(stage: LabStage) -> bool:
    found = stage.records(paths.uploads(BuildId(IMAGE, 1))).values()
    return bool(found) and all(one["state"] in ("retiring", "deleting") for one in found)


# -- from a command --------------------------------------------------------------------------


def test_a_commands_file_is_uploaded_proven_and_booted(stage: LabStage) -> None:
    """What Glance gives back is the file that was read; two machines have booted from it."""
    await_current(stage, 1, "alpha", name=FILE)
    file = (build(stage, 1, "built", name=FILE) or {})["file"]
    (image,) = named(stage, FILE)
    data = stage.lab.account("lab").image.download_image(image.id).content

    assert (image.status, image.is_hidden, image.disk_format) == ("active", True, "raw")
    assert (image.hash_algo, image.hash_value) == ("sha512", file["sha512"])
    assert hashlib.sha256(data).hexdigest() == file["sha256"]
    assert uploads(stage, 1, FILE)["native"]["cloud_image"] == image.id
    trial = stage.remuda("image", "log", f"{FILE}/1", "--provider", "alpha").stdout
    assert "== first machine" in trial
    assert "== candidate" in trial

    node, said = take(stage, FILE)
    assert said == "packed"
    assert server(stage, node).image.id == image.id
    give_back(stage, node)


def test_the_same_file_uploads_nothing(stage: LabStage) -> None:
    """The build of a night ends as the same; Glance was sent nothing."""
    mark = stage.lab.mark()
    packed(stage, schedule=_NIGHTS)
    same = stage.until(lambda: build(stage, 2, "same", name=FILE), "a night", 60.0 + BUILD_S)
    packed(stage)

    assert same is not None
    assert same["same_as"] == 1
    assert stage.children(paths.uploads(BuildId(FILE, 2))) == []
    assert sent(stage, mark) == set()
    assert len(named(stage, FILE)) == 1


def test_a_file_of_another_format_is_never_sent(stage: LabStage) -> None:
    """The record says why; what is booted stays."""
    stage.until(lambda: not _under_way(stage, FILE), "the nights to end", BUILD_S)
    mark = stage.lab.mark()
    packed(stage, **{"disk-format": "qcow2"})
    number = stage.until(lambda: _failed(stage, FILE), "the build to fail", BUILD_S)

    assert number is not None
    failed = build(stage, number, "failed", name=FILE) or {}
    assert failed["failure"]["blame"] == "recipe"
    shown = stage.remuda("image", "show", f"{FILE}/{number}").stdout
    assert "it is declared to be qcow2, and is not" in shown
    assert sent(stage, mark) == set()
    assert current(stage, "alpha", FILE) == 1
    assert len(named(stage, FILE)) == 1


def test_another_file_takes_over(stage: LabStage) -> None:
    """It is sent, so that the two tests before have looked for what can be seen."""
    mark = stage.lab.mark()
    _proof(stage).write_text("packed anew\n")
    packed(stage)
    stage.until(lambda: current(stage, "alpha", FILE) != 1, "the other file", BUILD_S)

    assert sent(stage, mark) == _GIVEN
    node, said = take(stage, FILE)
    assert said == "packed anew"
    give_back(stage, node)


def _under_way(stage: LabStage, image: str) -> bool:
    found = stage.records(paths.builds(image)).values()
    return any(BuildState(one["state"]) in UNDER_WAY for one in found)


def _failed(stage: LabStage, image: str) -> int | None:
    found = stage.records(paths.builds(image))
    return next((int(name) for name, one in found.items() if one["state"] == "failed"), None)


# -- without a network -----------------------------------------------------------------------


def test_what_cannot_be_cut_off_is_not_promoted(stage: LabStage) -> None:
    """Its checks pass; the second machine keeps its network, and the verdict says why."""
    before = host_network()
    check = {"name": "proof", "script": {"inline": "#!/bin/sh\ntest -s /srv/proof\n"}}
    recipe(stage, _STEP, name=OFFLINE, offline=True, offline_checks=[check], checks=[CHECK])
    stage.until(lambda: verdict(stage, OFFLINE) == "failed", "it to be rejected", TRIALS * BUILD_S)

    found = uploads(stage, 1, OFFLINE)["native"]
    trial = found["verdicts"]["alpha"]
    assert found["state"] == "rejected"
    assert trial["why"].startswith("offline: network taken away: ")
    assert "its network cannot be taken away, as 'ip rule' refuses" in trial["why"]
    assert (len(trial["hosts"]), len(set(trial["hosts"]))) == (TRIALS, 1)
    assert current(stage, "alpha", OFFLINE) is None
    log = stage.remuda("image", "log", f"{OFFLINE}/1", "--provider", "alpha").stdout
    places = [log.index(f"== {one}") for one in ("candidate", "offline", "network taken away")]
    assert places == sorted(places)
    assert host_network() == before
