"""How a build comes to another place, and what is left when it does not."""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from builder.decide.policy import ImagePolicy
from builder.events import CopyEnded
from builder.hands.carrying import OLD_S, RESERVE_BYTES
from builder.hands.copying import CopyingHand, CopyOrder
from builder.hands.sites import ARRIVAL_S, FENCE_S
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    DamagedError,
    GoneError,
    NoRoomError,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.cloud.image_store import ImageEdit, Membership, StoredImage, Visibility
from remuda.model import tags
from remuda.model.build import Blame
from remuda.model.ids import ReplicaId
from remuda.model.upload import Method, Upload, UploadState, encode_upload
from remuda.store.api import Set, Stored
from tests.fakes.glance import Snapshot, Transfer
from tests.unit.builder.hands.clouds import DATA, INSTALLATION, ME, Setting

POLICY = ImagePolicy(image="debian", fingerprint="f", groups=(("pa", "pb", "pc"),))
TARGETS = {Method.SHARE: "pb", Method.CARRY: "pc"}
BOTH = pytest.mark.parametrize("method", TARGETS)


@dataclass
class Copy:
    """One copy of a build from pa, by a method."""

    setting: Setting
    method: Method
    image: StoredImage
    free: int = 1 << 40
    stopped: bool = False
    tokens: list[str] = field(default_factory=lambda: ["one", "two", "three"])

    @property
    def target(self) -> str:
        """Where it goes."""
        return TARGETS[self.method]

    @property
    def folder(self) -> Path:
        """Where files are on their way."""
        return self.setting.scratch / "work" / "copies"

    def hand(self) -> CopyingHand:
        """Return the hand."""
        return CopyingHand(
            store=self.setting.store,
            clock=self.setting.clock,
            installation=INSTALLATION,
            folder=self.folder,
            new_token=lambda: self.tokens.pop(0),
            stopped=lambda: self.stopped,
            free=lambda _folder: self.free,
        )

    def order(self, upload: Stored[Upload] | None = None) -> CopyOrder:
        """Return what is judged: ours, and being made."""
        setting = self.setting
        return CopyOrder(
            upload=upload or setting.stored(setting.id(self.target)),
            source=setting.stored(setting.id("pa")),
            here=setting.sites[self.target],
            there=setting.sites["pa"],
            policy=POLICY,
        )

    def take(self, **more: Any) -> Stored[Upload]:
        """Write that we make it."""
        given: dict[str, Any] = {
            "state": UploadState.MAKING,
            "method": self.method,
            "source": self.setting.place("pa"),
            "owner": ME,
        }
        return self.setting.upload(self.target, **(given | more))

    def run(self) -> CopyEnded:
        """Take it, and copy."""
        return self.hand().copy(self.order(self.take()))

    def now(self) -> Upload:
        """Return the record."""
        return self.setting.now(self.target)

    def made(self) -> list[StoredImage]:
        """Return what the target's project has, and the source's images that it is offered."""
        return list(self.setting.images[self.target].list_images())

    def members(self) -> dict[str, Membership]:
        """Return whom the source is shared with."""
        images = self.setting.images["pa"]
        if images.get_image(self.image.id).visibility is not Visibility.SHARED:
            return {}
        return dict(images.members(self.image.id))

    def files(self) -> list[str]:
        """Return what lies in the folder."""
        return sorted(one.name for one in self.folder.iterdir()) if self.folder.exists() else []


Make = Callable[..., Copy]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a maker of copies, each in clouds of its own."""
    count = [0]

    def one(method: Method = Method.CARRY, **more: Any) -> Copy:
        count[0] += 1
        scratch = tmp_path / str(count[0])
        scratch.mkdir()
        setting = Setting(scratch)
        image = setting.image("pa", **more)
        setting.upload(
            "pa",
            cloud_image=image.id,
            method=Method.NATIVE,
            os_hash=f"sha512:{image.hash_value}",
            sha256="a" * 64,
        )
        return Copy(setting, method, image)

    return one


# When all goes well.


def test_shared_image_is_the_same_image(make: Make) -> None:
    """Its record goes on referring to its source; the other project boots it by its id."""
    copy = make(Method.SHARE)
    copy.setting.clock.advance(5.0)

    ended = copy.run()
    now = copy.now()

    assert ended == CopyEnded(id=copy.setting.id("pb"))
    assert (now.state, now.owner, now.mishap) == (UploadState.STORED, None, None)
    assert (now.cloud_image, now.source) == (copy.image.id, copy.setting.place("pa"))
    assert (now.size_bytes, now.sha256, now.min_disk_gib) == (len(DATA), "a" * 64, 2)
    assert now.os_hash == f"sha512:{copy.image.hash_value}"
    assert copy.members() == {"project-pb": Membership.ACCEPTED}
    assert copy.setting.images["pb"].get_image(copy.image.id).hidden


def test_carried_image_is_ours_by_tags_of_its_own(make: Make) -> None:
    """Hidden, private, byte for byte; with what Nova heeds, and nothing else of its source."""
    properties = {
        "hw_disk_bus": "scsi",
        "os_hash_value": "x",
        "kernel_id": "k",
        "owner_specified.md5": "m",
        "locked_by": "site",
    }
    copy = make(Method.CARRY)
    copy.setting.images["pa"].edit_image(copy.image.id, ImageEdit(properties=properties))

    assert copy.run().why is None
    now, (made,) = copy.now(), copy.made()
    found = tags.read_image(made.name, made.properties)

    assert (now.state, now.cloud_image, now.source) == (UploadState.STORED, made.id, None)
    assert (now.size_bytes, now.os_hash) == (len(DATA), f"sha512:{copy.image.hash_value}")
    assert now.min_disk_gib == 2
    assert found is not None
    assert (found.owner.provider, found.owner.installation) == ("pc", INSTALLATION)
    assert (found.image, found.build, found.copy_of) == ("debian", "7", copy.image.id)
    assert made.name == "remuda-debian-7-c-one"
    assert (made.hidden, made.visibility) == (True, Visibility.PRIVATE)
    assert {k: v for k, v in made.properties.items() if not k.startswith("remuda_")} == {
        "hw_disk_bus": "scsi",
        "os_distro": "debian",
    }
    assert copy.setting.two.kept[made.id].data == DATA
    assert copy.files() == []


def test_files_on_their_way_are_for_nobody_else(make: Make) -> None:
    """Neither the folder nor what is in it."""
    copy = make()
    modes: list[int] = []

    def looks() -> None:
        modes.extend(stat.S_IMODE(one.stat().st_mode) for one in copy.folder.glob("*"))

    copy.setting.clouds["pc"].pause = looks

    assert copy.run().why is None
    assert set(modes) == {0o600}
    assert stat.S_IMODE(copy.folder.stat().st_mode) == 0o700


@BOTH
def test_record_says_until_when_calls_may_arrive(make: Make, method: Method) -> None:
    """Before any is sent that makes something."""
    copy = make(method)
    setting = copy.setting
    making = {"upload", "set_visibility", "edit_image", "share", "accept"}
    said: list[float] = []
    before = {name: dict(cloud.calls) for name, cloud in setting.clouds.items()}

    def looks() -> None:
        said.append(copy.now().asked_by_s)

    for name, images in setting.images.items():
        begin = images._begin

        def watched(operation: str, *fences: Any, _begin: Any = begin) -> None:
            if operation in making:
                looks()
            _begin(operation, *fences)

        images._begin = watched  # type: ignore[method-assign]
        assert before[name] is not None

    assert copy.run().why is None
    assert said
    assert set(said) == {setting.clock.now_s() + FENCE_S + ARRIVAL_S}


# When something is wrong with the order.


@BOTH
@pytest.mark.parametrize("state", [one for one in UploadState if one is not UploadState.MAKING])
def test_upload_that_is_not_being_made_is_left_alone(
    make: Make, method: Method, state: UploadState
) -> None:
    """It was judged as something else."""
    copy = make(method)

    ended = copy.hand().copy(copy.order(copy.take(state=state)))

    assert str(state) in (ended.why or "")
    assert copy.now().state is state
    assert (copy.made(), copy.members()) == ([], {})


_EDITS: dict[str, ImageEdit] = {
    "another name": ImageEdit(name="by-hand"),
    "another installation": ImageEdit(properties={tags.INSTALLATION: "another"}),
    "another build": ImageEdit(properties={tags.BUILD: "6"}),
}


@BOTH
@pytest.mark.parametrize("edit", _EDITS.values(), ids=_EDITS)
def test_source_that_is_not_what_the_record_says_is_not_copied(
    make: Make, method: Method, edit: ImageEdit
) -> None:
    """Nor shared: it may be somebody else's."""
    copy = make(method)
    copy.setting.images["pa"].edit_image(copy.image.id, edit)

    ended = copy.run()

    assert "tags" in (ended.why or "")
    assert copy.now().mishap is not None
    assert (copy.made(), copy.members()) == ([], {})


@BOTH
def test_provider_that_has_moved_is_not_written_to(make: Make, method: Method) -> None:
    """Neither the one nor the other."""
    copy = make(method)
    upload = copy.take()
    order = copy.order(upload)
    copy.setting.images[copy.target]._project = "moved"

    ended = copy.hand().copy(order)

    assert "another place" in (ended.why or "")
    assert copy.setting.stored(upload.value.id).value.state is UploadState.PENDING
    assert (copy.made(), copy.members()) == ([], {})


# When the cloud is to blame, and when not.

CLOUD: dict[str, CloudError] = {
    "later": TryLaterError("fake: 503"),
    "room": NoRoomError("fake: 413"),
    "401": UnauthorizedError("fake: 401"),
    "gone": GoneError("fake: 404"),
    "damaged": DamagedError("fake: other bytes"),
    "unknown": UnknownOutcomeError("fake: who knows"),
}
SHARING = ["get_image", "edit_image", "share", "accept", "location"]
CARRYING = ["get_image", "download", "upload", "location"]
CALLS = [
    *((Method.SHARE, one) for one in SHARING),
    *((Method.CARRY, one) for one in CARRYING),
]


def fail_everywhere(copy: Copy, operation: str, error: CloudError) -> None:
    """Let the next call of a kind fail, in whichever cloud."""
    for name in ("pa", copy.target):
        copy.setting.clouds[name].fail(operation, error)


@pytest.mark.parametrize("error", CLOUD.values(), ids=CLOUD)
@pytest.mark.parametrize(("method", "operation"), CALLS)
def test_fault_of_a_cloud_is_tried_again_without_being_counted(
    make: Make, method: Method, operation: str, error: CloudError
) -> None:
    """For ever, if need be; nothing is left of it meanwhile, and the reason is on record."""
    copy = make(method)
    order = copy.order(copy.take(attempt=2))
    fail_everywhere(copy, operation, error)

    ended = copy.hand().copy(order)
    for cloud in copy.setting.clouds.values():
        cloud._failures.clear()
    now = copy.now()

    assert ended.why == str(error)
    assert (now.state, now.owner, now.attempt) == (UploadState.PENDING, None, 2)
    assert now.mishap is not None
    assert (now.mishap.blame, now.mishap.message) == (Blame.CLOUD, str(error))
    assert now.retry_s == copy.setting.clock.now_s() + POLICY.backoff_s
    assert (copy.made(), copy.members()) == ([], {})


@pytest.mark.parametrize(("method", "operation"), CALLS)
@pytest.mark.parametrize(("attempt", "state"), [(0, UploadState.PENDING), (2, UploadState.FAILED)])
def test_order_that_a_cloud_refuses_is_given_up_in_time(
    make: Make, method: Method, operation: str, attempt: int, state: UploadState
) -> None:
    """It would be refused for ever."""
    copy = make(method)
    order = copy.order(copy.take(attempt=attempt))
    fail_everywhere(copy, operation, BadOrderError("fake: 403"))

    copy.hand().copy(order)
    for cloud in copy.setting.clouds.values():
        cloud._failures.clear()
    now = copy.now()

    assert (now.state, now.attempt) == (state, attempt + 1)
    assert now.mishap is not None
    assert now.mishap.blame is Blame.RECIPE
    assert (copy.made(), copy.members()) == ([], {})


@pytest.mark.parametrize("fault", [Transfer.CUT, Transfer.GARBLED])
def test_broken_upload_leaves_nothing_but_what_had_come(make: Make, fault: Transfer) -> None:
    """The next attempt fetches nothing again, and has another name."""
    copy = make()
    copy.setting.one.next_transfers.append(Transfer.OK)
    copy.setting.two.next_transfers.append(fault)

    assert copy.run().why is not None
    assert copy.made() == []
    left = copy.files()
    calls = len(copy.setting.one.next_transfers)
    assert copy.run().why is None

    assert [name.endswith(".image.part") for name in left] == [True] * (fault is Transfer.CUT)
    assert calls == 0
    assert [one.name for one in copy.made()] == ["remuda-debian-7-c-two"]
    assert copy.files() == []


def test_broken_download_goes_on(make: Make) -> None:
    """The first byte is not asked for again: one that was changed meanwhile is found out."""
    copy = make(data=DATA + bytes(range(250)) * 40)
    copy.setting.one.next_transfers.append(Transfer.CUT)

    assert copy.run().why == "fake: the answer ended too early"
    (part,) = copy.folder.iterdir()
    came = part.stat().st_size
    assert copy.run().why is None

    assert came > 0
    assert copy.now().state is UploadState.STORED
    assert copy.files() == []


def test_garbled_download_is_begun_anew(make: Make) -> None:
    """Nothing of it stays."""
    copy = make()
    copy.setting.one.next_transfers.append(Transfer.GARBLED)

    assert "sha512" in (copy.run().why or "")
    left = copy.files()
    assert copy.run().why is None

    assert left == []
    assert copy.setting.two.kept[copy.made()[0].id].data == DATA


def test_image_without_a_hash_is_carried_whole(make: Make) -> None:
    """Nothing would tell that a part is sound."""
    copy = make()
    kept = copy.setting.one.kept[copy.image.id]
    kept.fate = Snapshot.UNHASHED
    copy.setting.one.edit(kept, 0.0, md5=None, hash_algo=None, hash_value=None)
    copy.setting.one.next_transfers.append(Transfer.CUT)

    assert copy.run().why is not None
    left = copy.files()
    assert copy.run().why is None

    assert left == []
    assert copy.setting.two.kept[copy.made()[0].id].data == DATA


def test_bytes_that_are_not_those_on_record_are_not_carried(make: Make) -> None:
    """Whatever the cloud's own hash says of them by now."""
    copy = make()
    copy.setting.upload("pa", cloud_image=copy.image.id, os_hash=f"sha512:{'0' * 128}")

    assert "on record" in (copy.run().why or "")
    assert (copy.made(), copy.files()) == ([], [])


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"QFI\xfb" + bytes(600), "is qcow2"), (b"KDMV" + bytes(600), "is vmdk")],
)
def test_disk_that_is_not_what_it_is_declared_to_be_is_not_carried(
    make: Make, data: bytes, says: str
) -> None:
    """Some cloud would open what it names."""
    copy = make(data=data)

    assert says in (copy.run().why or "")
    assert copy.now().attempt == 1
    assert (copy.made(), copy.files()) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"disk_format": "vmdk"},
        {"disk_format": None},
        {"container_format": "ova"},
        {"volume_backed": True},
        {"size_bytes": 0},
        {"size_bytes": None},
        {"size_bytes": (1 << 40) + 1},
    ],
)
def test_image_that_nobody_can_carry_is_not_fetched(make: Make, changes: dict[str, Any]) -> None:
    """It says so before any byte moves."""
    copy = make()
    copy.setting.one.edit(copy.setting.one.kept[copy.image.id], 0.0, **changes)

    assert "carried" in (copy.run().why or "")
    assert copy.setting.clouds["pa"].calls["download"] == 0
    assert copy.now().mishap is not None


# This host.


def test_host_without_room_waits_and_says_so(make: Make) -> None:
    """It counts against nobody; another builder may have room."""
    copy = make()
    copy.free = RESERVE_BYTES + len(DATA) - 1
    ended = copy.run()
    now = copy.now()
    copy.free += 1

    assert "256 MiB are needed" in (ended.why or "")
    assert (now.state, now.attempt) == (UploadState.PENDING, 0)
    assert copy.setting.clouds["pa"].calls["download"] == 0
    assert copy.run().why is None


@pytest.mark.parametrize(
    ("number", "attempt", "blame"),
    [
        (errno.ENOSPC, 0, Blame.CLOUD),
        (errno.EDQUOT, 0, Blame.CLOUD),
        (errno.EIO, 1, Blame.BUILDER),
    ],
)
def test_disk_of_the_host_that_fails_is_the_builders(
    make: Make, monkeypatch: pytest.MonkeyPatch, number: int, attempt: int, blame: Blame
) -> None:
    """Unless it is only full."""
    copy = make()

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(copy.setting.images["pa"], "download", broken)

    copy.run()
    now = copy.now()

    assert now.mishap is not None
    assert (now.attempt, now.mishap.blame) == (attempt, blame)


def test_two_processes_of_a_host_do_not_carry_the_same(make: Make) -> None:
    """The one that was taken for dead may only have been asleep."""
    copy, ended = make(), []

    def other() -> None:
        copy.setting.clouds["pa"].pause = lambda: None
        if copy.files():
            again = copy.hand().copy(copy.order())
            ended.append(again.why)

    def before_download(operation: str, *fences: Any) -> None:
        if operation == "download" and not ended:
            other()
        begin(operation, *fences)

    begin = copy.setting.images["pa"]._begin
    copy.setting.images["pa"]._begin = before_download  # type: ignore[method-assign]

    copy.run()

    assert ended == ["another process of this host carries it"]


def test_what_others_have_left_goes_after_days(make: Make) -> None:
    """What is new may be gone on with; what is no image of ours stays."""
    copy = make()
    copy.folder.mkdir(parents=True)
    now_s = copy.setting.clock.now_s()
    for name, age_s in (
        ("old.image", OLD_S + 1),
        ("old.image.part", OLD_S + 1),
        ("new.image.part", OLD_S - 1),
        ("old.txt", OLD_S + 1),
    ):
        (copy.folder / name).write_bytes(b"x")
        os.utime(copy.folder / name, (now_s - age_s, now_s - age_s))

    assert copy.run().why is None
    assert copy.files() == ["new.image.part", "old.txt"]


def test_builder_that_ends_lets_go_at_once(make: Make) -> None:
    """It counts against nobody, and what came is kept."""
    copy = make()
    copy.stopped = True

    assert "the builder ends" in (copy.run().why or "")
    assert (copy.now().state, copy.now().attempt) == (UploadState.PENDING, 0)


# When somebody takes over.


def take_over(copy: Copy) -> bytes:
    """Let another builder write the record, as it does when ours seems dead."""
    other = copy.setting.zookeeper.connect()
    stored = copy.setting.stored(copy.setting.id(copy.target))
    theirs = replace(stored.value, owner=ReplicaId("another"), asked_by_s=77.0)
    data = encode_upload(theirs)
    other.commit([Set(path=stored.path, data=data, version=stored.version)])
    return data


def calls_of(copy: Copy) -> int:
    """Return how many calls a copy makes."""
    count = [0]

    def counted() -> None:
        count[0] += 1

    for cloud in copy.setting.clouds.values():
        cloud.pause = counted
    assert copy.run().why is None
    return count[0]


@BOTH
def test_taken_over_at_any_call_it_leaves_the_record_and_no_image(
    make: Make, method: Method
) -> None:
    """Theirs is the last word; an image that we have made is deleted, by its id."""
    for at in range(calls_of(make(method))):
        copy = make(method)
        left, data = [at], [b""]

        def counted(copy: Copy = copy, left: list[int] = left, data: list[bytes] = data) -> None:
            left[0] -= 1
            if left[0] == -1:
                data[0] = take_over(copy)

        order = copy.order(copy.take())
        for cloud in copy.setting.clouds.values():
            cloud.pause = counted
        ended = copy.hand().copy(order)
        raw = copy.setting.store.read(order.upload.path)

        assert ended.why == "it was taken over", at
        assert raw is not None
        assert raw.value == data[0], at
        assert copy.made() == [], at


@BOTH
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("commit", [1, 2])
def test_store_that_is_away_decides_nothing(
    make: Make, method: Method, when: str, commit: int
) -> None:
    """What it had written, or had not, is judged at the next look; nothing on record is gone."""
    copy = make(method)
    order = copy.order(copy.take())
    store, real = copy.setting.store, copy.setting.store.commit
    left = [commit]

    def committed(ops: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            getattr(store, f"away_{when}_next_commit")()
        return real(ops)

    store.commit = committed  # type: ignore[method-assign]
    ended = copy.hand().copy(order)
    store.resume()
    now = copy.now()

    assert (ended.why or "").startswith("ZooKeeper")
    if now.state is UploadState.STORED:
        assert (commit, when) == (2, "after")
        assert copy.setting.images[copy.target].get_image(now.cloud_image or "")
    else:
        assert now.state is UploadState.MAKING
        assert now.owner == ME


@BOTH
def test_session_that_is_over_sends_nothing_more(make: Make, method: Method) -> None:
    """Another one has it by then."""
    copy = make(method)
    order = copy.order(copy.take())
    done = [False]

    def expires() -> None:
        if not done[0] and copy.now().asked_by_s:
            done[0] = True
            copy.setting.store.expire()
            copy.setting.store.resume()

    for cloud in copy.setting.clouds.values():
        cloud.pause = expires

    ended = copy.hand().copy(order)

    assert done[0]
    assert ended.why is not None
    assert (copy.made(), copy.members()) == ([], {})
