"""Which records end, and above all which do not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from builder.upload.actions import CondemnUpload, RetireUpload
from builder.upload.events import RetirementEnded
from remuda.model import launch as launches
from remuda.model.build import encode_build
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, UploadId
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import Method, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Set
from tests.unit.builder.hands.clouds import BUILD, Setting
from tests.unit.builder.hands.ends import hand
from tests.unit.images.making import child, launch

S = UploadState

# Retiring, and condemning.


def retire(setting: Setting, name: str = "pa") -> RetirementEnded:
    """Let the upload of a provider retire."""
    return hand(setting).retire(RetireUpload(id=setting.id(name), because="x"))


def condemn(setting: Setting, name: str = "pa") -> RetirementEnded:
    """Let it be deleted."""
    return hand(setting).condemn(CondemnUpload(id=setting.id(name)))


def add_launch(setting: Setting) -> None:
    """Let a node boot from it."""
    one = launch("3000000001", setting.id("pa"))
    setting.put(paths.launch("pa", one.id), launches.encode(one))


def add_odd_launch(setting: Setting) -> None:
    """Let a node boot from something that nobody can name."""
    one = replace(launch("3000000001", setting.id("pa")), image_place="nowhere")
    setting.put(paths.launch("pa", one.id), launches.encode(one))


def add_pointer(setting: Setting) -> None:
    """Let launches be given it."""
    one = Pointer(image=BUILD.image, provider="pa", place=setting.place("pa"), current=7)
    setting.put(paths.pointer(BUILD.image, "pa"), encode_pointer(one))


def add_child(setting: Setting) -> None:
    """Let a build start from it."""
    one = child(1, setting.id("pa"))
    setting.put(paths.build(one.id), encode_build(one))


def add_copy(setting: Setting) -> None:
    """Let it be copied."""
    setting.upload("pc", state=S.MAKING, method=Method.CARRY, source=setting.place("pa"))


def add_share(setting: Setting) -> None:
    """Let it be shared, long ago."""
    setting.upload(
        "pb", state=S.USABLE, method=Method.SHARE, source=setting.place("pa"), cloud_image="i"
    )


def add_unreadable(setting: Setting) -> None:
    """Let a record be of a newer version."""
    setting.put(paths.pointer("debian", "pz"), b'{"schema": 99}')


LAUNCHES: list[Callable[[Setting], None]] = [add_launch]
OTHERS = [add_pointer, add_child, add_copy, add_share, add_unreadable, add_odd_launch]


@pytest.mark.parametrize("state", [S.USABLE, S.REJECTED, S.FAILED])
@pytest.mark.parametrize("holds", [None, *LAUNCHES])
def test_upload_retires_while_nothing_but_launches_refers(
    setting: Setting, state: UploadState, holds: Callable[[Setting], None] | None
) -> None:
    """A retiring image still boots what was bound to it."""
    setting.upload("pa", state=state)
    if holds is not None:
        holds(setting)

    assert retire(setting).why is None
    assert setting.now("pa").state is S.RETIRING
    assert setting.now("pa").since_s == setting.clock.now_s()


@pytest.mark.parametrize("holds", OTHERS)
def test_upload_that_something_refers_to_does_not_retire(
    setting: Setting, holds: Callable[[Setting], None]
) -> None:
    """It says what."""
    setting.upload("pa")
    holds(setting)

    assert "refer" in (retire(setting).why or "")
    assert setting.now("pa").state is S.USABLE


@pytest.mark.parametrize("state", [S.PENDING, S.MAKING, S.STORED, S.VALIDATING, S.RETIRING])
def test_upload_that_has_moved_on_does_not_retire(setting: Setting, state: UploadState) -> None:
    """What was decided was about something else."""
    setting.upload("pa", state=state)

    assert str(state) in (retire(setting).why or "")
    assert setting.now("pa").state is state


def test_retiring_upload_is_condemned_when_nothing_refers(setting: Setting) -> None:
    """Then its image may be deleted."""
    setting.upload("pa", state=S.RETIRING)

    assert condemn(setting).why is None
    assert setting.now("pa").state is S.DELETING


@pytest.mark.parametrize("holds", [*LAUNCHES, *OTHERS])
def test_upload_that_anything_refers_to_is_not_condemned(
    setting: Setting, holds: Callable[[Setting], None]
) -> None:
    """A launch neither."""
    setting.upload("pa", state=S.RETIRING)
    holds(setting)

    assert "refer" in (condemn(setting).why or "")
    assert setting.now("pa").state is S.RETIRING


@pytest.mark.parametrize("state", [one for one in S if one is not S.RETIRING])
def test_only_what_retires_is_condemned(setting: Setting, state: UploadState) -> None:
    """Whatever was decided."""
    setting.upload("pa", state=state)

    assert condemn(setting).why is not None
    assert setting.now("pa").state is state


@pytest.mark.parametrize("end", [retire, condemn])
def test_reference_that_touched_the_upload_meanwhile_wins(
    setting: Setting, end: Callable[[Setting], RetirementEnded]
) -> None:
    """It came after the upload was read, and is not seen; the write fails."""
    state = S.USABLE if end is retire else S.RETIRING
    before = setting.upload("pa", state=state)
    other = setting.zookeeper.connect()
    children = setting.store.children

    def read_late(path: str) -> tuple[str, ...]:
        if path == paths.IMAGES:
            data = encode_upload(before.value)
            other.commit([Set(path=before.path, data=data, version=before.version)])
        return children(path)

    setting.store.children = read_late  # type: ignore[method-assign]

    assert end(setting).why is not None
    assert setting.now("pa").state is state


@pytest.mark.parametrize("end", [retire, condemn])
def test_nothing_is_written_for_another_installation(
    setting: Setting, end: Callable[[Setting], RetirementEnded]
) -> None:
    """Its id is not ours any more: who knows whose records these are."""
    setting.upload("pa", state=S.USABLE if end is retire else S.RETIRING)
    setting.put(paths.INSTALLATION, b"another")

    assert "installation" in (end(setting).why or "")


def test_upload_that_is_gone_or_corrupt_is_left_alone(setting: Setting) -> None:
    """It says so."""
    assert "not on record" in (retire(setting).why or "")
    setting.put(paths.upload(setting.id("pa")), b"{}")
    assert condemn(setting).why is not None


def test_store_that_is_away_leaves_everything(setting: Setting) -> None:
    """Nothing is known."""
    setting.upload("pa")
    setting.store.suspend()

    assert retire(setting).why is not None


def test_launch_of_another_upload_hinders_nothing(setting: Setting) -> None:
    """Only what refers to this one does."""
    setting.upload("pa", state=S.RETIRING)
    one = replace(launch("3000000002", UploadId(BuildId("debian", 6), setting.place("pa"))))
    setting.put(paths.launch("pa", NodeId(one.id)), launches.encode(one))

    assert condemn(setting).why is None
