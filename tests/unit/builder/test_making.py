"""The hand that makes a build: its way, whose failure each end is, and who else may write."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.build.events import MakingEnded
from builder.build.hand_snapshot import ASK_S
from builder.place.sites import ARRIVAL_S, FENCE_S
from remuda.cloud.api import Image
from remuda.cloud.image_store import ImageStatus
from remuda.config.images import SecretFrom
from remuda.model import tags
from remuda.model.build import Base, Blame, BuildState
from remuda.model.image import BuildId
from remuda.model.imageask import ImageUse
from remuda.model.upload import Method, UploadState
from remuda.redaction import redact_text
from tests.fakes.cloud import DEBIAN
from tests.support.sshd import make_key
from tests.unit.builder.handbench import (
    BUILD,
    IDENTITY,
    OWNER,
    PROVIDER,
    Bench,
    recipe,
)
from tests.unit.builder.makings import make, mishap, nothing_held

SECRET = "swordfish-and-more"
STEPS = [
    *("secrets and keys", "machine", "base", "login", "prepare", "fill"),
    *("quiet", "stop", "snapshot"),
]


def test_a_build_ends_as_a_hidden_image_on_record(bench: Bench) -> None:
    """Node and base are on record; the snapshot has our tags, and nothing that it inherited."""
    bench.boots = Image(
        id="i-base", name="debian-12", properties={"os_distro": "debian", "owner_specified.x": "1"}
    )
    bench.cloud.images.append(bench.boots)

    ended = make(bench, also=("c" * 12,))

    assert ended == MakingEnded(id=BUILD)
    build = bench.build().value
    (image,) = bench.images.list_images()
    assert (build.state, build.snapshot, build.owner) == (BuildState.BUILT, image.id, None)
    assert build.base == Base(id="i-base")
    assert build.request is not None
    assert build.node == bench.nodes()[0].id
    assert build.identity["machine_id"] == IDENTITY["machine_id"]
    assert build.identity["login_key"].startswith("ssh-ed25519 ")
    upload, other = bench.upload().value, bench.upload("c" * 12).value
    assert (upload.state, upload.method) == (UploadState.STORED, Method.NATIVE)
    assert (upload.cloud_image, upload.min_disk_gib) == (image.id, 5)
    assert upload.os_hash == f"sha512:{image.hash_value}"
    assert other.state is UploadState.PENDING
    assert (image.hidden, image.status) == (True, ImageStatus.ACTIVE)
    ours = tags.read_image(image.name, image.properties)
    assert ours is not None
    assert (ours.owner, ours.image, ours.build) == (OWNER, "debian", "7")
    assert "owner_specified.x" not in image.properties
    assert image.properties["os_distro"] == "debian"
    assert [one for one in bench.log.steps if one in STEPS] == STEPS
    nothing_held(bench)


def test_a_machine_is_asked_for_by_its_label_and_opened_by_a_key_of_its_own(bench: Bench) -> None:
    """Below all users, from one provider, never from ready nodes; the recipe says who logs in."""
    asked = []

    def give(name: str) -> None:
        asked.append(bench.launcher.read_request(name))
        bench.give(name)

    bench.serve = give
    make(bench)

    (request,) = asked
    assert request.labels == ("make/debian",)
    assert (request.provider, request.reuse) == (PROVIDER, False)
    assert request.id.startswith("900-")
    assert request.requestor == "builder/debian"
    assert request.image is not None
    assert (request.image.use, request.image.upload) == (ImageUse.MAKE, None)
    (login,) = bench.logins
    assert (login.user, login.port, login.address) == ("debian", 22, "127.77.0.2")
    assert login.host_keys == (bench.session.host_key,)
    assert request.image.login_key is not None
    assert request.image.login_key == bench.build().value.identity["login_key"]


def test_the_record_is_written_before_the_snapshot_is_asked_for(bench: Bench) -> None:
    """With the very name, and until when the call may arrive; the machine is stopped by then."""
    seen = []
    snapshot = bench.images.snapshot

    def watched(server: Any, name: str, marks: Any, *, fence: Any) -> str:
        seen.append((bench.build().value, name, str(bench.cloud.truth()[server].status)))
        assert fence() is None
        return snapshot(server, name, marks, fence=fence)

    bench.images.snapshot = watched  # type: ignore[method-assign]
    make(bench)

    ((build, name, status),) = seen
    assert (build.state, build.cloud_name) == (BuildState.SNAPSHOTTING, name)
    # The last call may be decided ASK_S later, wait for its turn, and be on its way.
    promised_s = build.since_s + ASK_S + FENCE_S + ARRIVAL_S
    assert build.asked_by_s == pytest.approx(promised_s, abs=2.0)
    assert status == "stopped"
    assert name.startswith("remuda-debian-7-a0-")


@pytest.mark.parametrize(("takes_s", "looks_max", "late_s"), [(0.3, 12, 1.0), (600.0, 250, 20.0)])
def test_a_snapshot_is_noticed_soon_and_looked_at_seldom(
    bench: Bench, takes_s: float, looks_max: int, late_s: float
) -> None:
    """A short one is seen at once; a long one is no reason for a thousand calls."""
    bench.glance.snapshot_s = takes_s
    asked_s: list[float] = []
    looks: list[float] = []
    snapshot, get_image = bench.images.snapshot, bench.images.get_image

    def asked(*args: Any, **more: Any) -> str:
        asked_s.append(bench.clock.monotonic_s())
        return snapshot(*args, **more)

    def counted(image_id: str) -> Any:
        looks.append(bench.clock.monotonic_s())
        return get_image(image_id)

    bench.images.snapshot, bench.images.get_image = asked, counted  # type: ignore[method-assign]
    make(bench)

    assert bench.build().value.state is BuildState.BUILT
    assert looks[-1] - asked_s[0] <= takes_s + late_s
    assert len(looks) < looks_max


def test_the_machine_is_kept_until_the_image_is_on_record(bench: Bench) -> None:
    """Nova takes the image along with a server that goes too early."""
    states = []

    def look() -> None:
        if bench.build().value.state is BuildState.SNAPSHOTTING:
            states.extend(str(one.state) for one in bench.nodes())

    bench.glance.snapshot_s = 100.0
    bench.on_wait = look
    make(bench)

    assert set(states) == {"in-use"}
    assert str(bench.nodes()[0].state) == "used"


def test_a_child_starts_from_the_upload_that_its_record_names(bench: Bench) -> None:
    """The request names the upload, and the machine must have booted its image."""
    parent = BuildId("base", 3)
    bench.put_build(parent=parent, base=None)

    assert make(bench, parent=DEBIAN.id).why is None

    assert bench.build().value.parent == parent
    assert bench.build().value.base is None


def test_a_machine_that_boots_something_else_than_the_parent_is_no_machine(bench: Bench) -> None:
    """It is the launchers' mistake, or ours."""
    bench.put_build(parent=BuildId("base", 3), base=None)

    make(bench, parent="another")

    assert mishap(bench).blame is Blame.BUILDER


def test_secrets_are_read_first_and_looked_for_last(bench: Bench, tmp_path: Path) -> None:
    """Steps get those that they name; the machine's own keys are looked for as well."""
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    bench.recipe = recipe(
        {"command": "one", "name": "fill", "secrets": ["TOKEN"]},
        {"command": "two"},
        secrets={"TOKEN": SecretFrom(file=str(file))},
    )
    key = tmp_path / "launcher"
    public = make_key(key)

    assert make(bench, key_file=str(key)).why is None

    by_name = {one.name: dict(one.environment) for one in bench.session.scripts}
    assert "".join(by_name["fill"]["TOKEN"]) == SECRET
    assert "TOKEN" not in by_name["command"]
    assert by_name["command"]["REMUDA_BUILD"] == "7"
    quiet = by_name["quiet"]
    needles = "".join(quiet["REMUDA_NEEDLES"])
    assert SECRET in needles
    assert "k" * 70 in needles
    assert public.split()[1] in quiet["REMUDA_LOGIN_KEYS"]
    assert bench.build().value.identity["login_key"].split()[1] in quiet["REMUDA_LOGIN_KEYS"]
    assert SECRET not in bench.log.text
    assert "k" * 70 not in bench.log.text


@pytest.mark.parametrize("what", ["secret", "key file"])
def test_what_this_host_lacks_another_builder_may_have(bench: Bench, what: str) -> None:
    """No machine is asked for."""
    changes: dict[str, Any] = {"key_file": "/nonexistent/key"}
    if what == "secret":
        bench.recipe = recipe(
            {"command": "one", "secrets": ["TOKEN"]},
            secrets={"TOKEN": SecretFrom(environment="SITE_TOKEN")},
        )
        changes = {}

    make(bench, **changes)

    assert mishap(bench).blame is Blame.BUILDER
    assert mishap(bench).step == "secrets and keys"
    why = f"{mishap(bench).step}: {mishap(bench).message}"
    assert redact_text(why) == why  # a colon after "secrets" would have it masked
    assert bench.nodes() == []


def test_a_build_is_lost_by_us_only_so_often(bench: Bench) -> None:
    """The last attempt fails it."""
    bench.policy = replace(bench.policy, attempts_max=1)
    bench.put_build()

    make(bench, key_file="/nonexistent/key")

    assert bench.build().value.state is BuildState.FAILED
