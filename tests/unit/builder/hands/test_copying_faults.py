"""What is left of a copy that goes wrong, and who is to blame."""

import errno
import hashlib
import os
from typing import Any

import pytest

from builder.upload.hand_carry import OLD_S, RESERVE_BYTES
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
from remuda.model.build import Blame
from remuda.model.upload import Method, UploadState
from tests.fakes.glance import Snapshot, Transfer
from tests.unit.builder.bench import Quiet
from tests.unit.builder.hands.clouds import DATA
from tests.unit.builder.hands.copies import POLICY, Copy, Make

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
    # They are whole, and of no use however often they come: it counts, and ends.
    assert (copy.now().attempt, copy.now().spoiled) == (1, 0)


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


def test_what_is_written_of_a_fault_has_no_secrets(make: Make) -> None:
    """Whoever raised it."""
    copy = make()

    def broken(*_: Any, **__: Any) -> Any:
        raise OSError(5, "cannot write https://user:hunter2-hunter2@store.example/x")

    copy.setting.images["pa"].download = broken  # type: ignore[method-assign]

    copy.run()

    mishap = copy.now().mishap
    assert mishap is not None
    assert "store.example" in mishap.message
    assert "hunter2" not in mishap.message


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


def test_what_has_come_is_still_held_while_it_is_sent(make: Make) -> None:
    """Its file has another name by then; the other process would receive it once more."""
    copy, ended = make(), []
    begin = copy.setting.images["pc"]._begin

    def before_upload(operation: str, *fences: Any) -> None:
        if operation == "upload" and not ended:
            ended.append(copy.hand().copy(copy.order()).why)
        begin(operation, *fences)

    copy.setting.images["pc"]._begin = before_upload  # type: ignore[method-assign]

    copy.run()

    assert ended == ["another process of this host carries it"]
    assert copy.files() == []


@pytest.mark.parametrize("weak", [True, False])
def test_an_image_that_nobody_verified_is_told_with_its_hash(make: Make, *, weak: bool) -> None:
    """Whoever compares later knows what was carried first."""
    log = Quiet()
    copy = make()
    copy.log = log
    if weak:
        kept = copy.setting.one.kept[copy.image.id]
        kept.fate = Snapshot.UNHASHED
        copy.setting.one.edit(kept, 0.0, md5=None, hash_algo=None, hash_value=None)
        copy.setting.upload("pa", cloud_image=copy.image.id, method=Method.NATIVE)

    assert copy.run().why is None

    told = [fields for event, fields in log.events if event == "image.unverified"]
    assert [one["sha512"] for one in told] == ([copy.image.hash_value] if weak else [])


def test_what_is_carried_again_is_what_was_carried_before(make: Make) -> None:
    """Whoever carried it first has written down what it was: no cloud has to have a hash of it."""
    copy = make()
    kept = copy.setting.one.kept[copy.image.id]
    kept.fate = Snapshot.UNHASHED
    copy.setting.one.edit(kept, 0.0, md5=None, hash_algo=None, hash_value=None)
    copy.setting.upload("pa", cloud_image=copy.image.id, method=Method.NATIVE)
    assert copy.run().why is None
    first = copy.now().carried_sha512
    assert first == hashlib.sha512(DATA).hexdigest()

    copy.carried_sha512 = first
    assert copy.run().why is None
    made = copy.made()
    kept.data = DATA[:-1] + b"!"
    assert "carried of this build before" in (copy.run().why or "")
    assert (copy.made(), copy.files()) == (made, [])
    assert (copy.now().state, copy.now().attempt) == (UploadState.PENDING, 1)


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

    assert "told to end" in (copy.run().why or "")
    assert (copy.now().state, copy.now().attempt) == (UploadState.PENDING, 0)
