"""No builder runs in circles, whatever its hands, its clouds, or ZooKeeper refuse."""

from collections import Counter
from dataclasses import replace
from typing import Any

from builder.delays import DELAY_S_MAX
from builder.place.view import ListedImage
from builder.upload.tasks import CopyTask, TrialTask
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word, encode_image
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import Method, Upload, UploadState, decode_upload, encode_upload
from remuda.store import paths
from remuda.store.api import Delete, Set
from tests.unit.builder.bench import HERE, THERE, Bench, BrokenError, config

HOUR_S = 3600.0
#: Doubling from half a minute to ten is five waits; from then on one in ten minutes.
ASKED_MAX = 6 + HOUR_S / DELAY_S_MAX
IMAGE = {"providers": {"p": {}, "q": {"copy-from": "p"}}, "paused": True}


def write(bench: Bench, path: str, data: bytes) -> None:
    """Put a record there."""
    bench.store.ensure(path)
    bench.store.commit([Set(path=path, data=data, version=-1)])


def build(bench: Bench, number: int, state: BuildState, **more: Any) -> BuildId:
    """Put a build on record."""
    one = Build(
        id=BuildId("a", number),
        state=state,
        why=Why.AGE,
        requested_s=bench.clock.now_s(),
        since_s=bench.clock.now_s(),
        fingerprint=bench.known.configured.policies["a"].fingerprint,
        group=("p", "q"),
        provider="p",
        place=HERE,
    )
    write(bench, paths.build(one.id), encode_build(replace(one, **more)))
    bench.store.ensure(paths.uploads(one.id))
    return one.id


def upload(bench: Bench, build_id: BuildId, state: UploadState, **more: Any) -> None:
    """Put an upload on record."""
    place = more.pop("place", HERE)
    one = Upload(
        id=UploadId(build_id, place),
        state=state,
        since_s=bench.clock.now_s(),
        cloud_image=f"image-{build_id.number}-{place[0]}",
    )
    write(bench, paths.upload(one.id), encode_upload(replace(one, **more)))


def everything(bench: Bench) -> None:
    """Put something on record for each hand to do."""
    me = bench.known.me
    unwanted = Word(who="ada", why="y", at_s=1.0)
    write(bench, paths.image("a"), encode_image(ImageRecord(name="a", last_build=8)))
    # A child that starts from nothing that is there would be begun, and never be made.
    upload(bench, build(bench, 1, BuildState.BUILT, unwanted=unwanted), UploadState.USABLE)
    upload(bench, build(bench, 2, BuildState.BUILT), UploadState.RETIRING)
    third = build(bench, 3, BuildState.BUILT)
    upload(bench, third, UploadState.DELETING)
    bench.hands.images[HERE] = {
        one.id: one
        for one in (
            ListedImage(id="image-3-a", name="x", build=third, active=True),
            ListedImage(id="stray", name="y", build=BuildId("b", 9), active=True),
        )
    }
    fourth = build(bench, 4, BuildState.BUILT)
    upload(bench, fourth, UploadState.USABLE, trying="p", owner=me)
    making = {"place": THERE, "owner": me, "method": Method.CARRY, "source": HERE}
    upload(bench, fourth, UploadState.MAKING, cloud_image=None, **making)
    build(bench, 5, BuildState.BUILDING, owner=me)
    pointer = Pointer(image="a", provider="p", place=HERE, current=4)
    write(bench, paths.pointer("a", "p"), encode_pointer(pointer))


def uploaded(bench: Bench, upload_id: UploadId) -> Upload:
    """Return an upload as it is on record."""
    stored = bench.store.read(paths.upload(upload_id))
    assert stored is not None
    return decode_upload(upload_id, stored.value)


def asked(bench: Bench) -> Counter[str]:
    """Return how often hands were asked, by kind and subject of what they were told."""
    found: Counter[str] = Counter()
    for order in bench.hands.orders:
        thing = getattr(order, "build", None) or getattr(order, "image", None) or order
        subject = getattr(order, "upload", None) or thing
        name = getattr(subject, "path", None) or getattr(subject, "id", subject)
        found[f"{type(order).__name__} {name}"] += 1
    return found


def test_hands_that_refuse_for_an_hour_are_asked_a_dozen_times() -> None:
    """Each of them, whatever it refuses; and the process sleeps in between."""
    bench = Bench(config(a=IMAGE))
    bench.launchers("p", "q")
    bench.go()
    everything(bench)
    turns = bench.turns
    bench.pass_s(HOUR_S, step_s=5.0)

    found = asked(bench)
    kinds = {one.split()[0] for one in found}
    assert kinds >= {
        *("MakeTask", "CopyTask", "TrialTask", "EraseTask", "SweepTask"),
        *("RetireUpload", "CondemnUpload"),
    }
    assert [one for one in found.items() if one[1] > ASKED_MAX] == []
    # Two or three turns at each step of the clock: news are taken in, and that is all.
    assert bench.turns - turns < 4 * HOUR_S / 5.0


def test_copies_end_whose_hand_crashes_or_whose_provider_has_left() -> None:
    """Attempts count for a crash; what nobody can make is nobody's, and waits for somebody."""
    bench = Bench(config(a=IMAGE))
    bench.launchers("p", "q")
    bench.go()
    everything(bench)
    copy = UploadId(BuildId("a", 4), THERE)

    def crash(order: object) -> None:
        if isinstance(order, CopyTask):
            data = bench.store.read(order.upload.path)
            assert data is not None
            bench.store.commit([Set(path=order.upload.path, data=data.value, version=-1)])
            raise BrokenError

    bench.hands.do = crash
    bench.go()
    assert uploaded(bench, copy).attempt == 1
    assert uploaded(bench, copy).state is not UploadState.FAILED
    bench.pass_s(HOUR_S, step_s=5.0)
    assert uploaded(bench, copy).state is UploadState.FAILED
    assert asked(bench)[f"CopyTask {paths.upload(copy)}"] <= ASKED_MAX


def test_a_trial_whose_hand_crashes_after_it_has_written_is_not_tried_in_circles() -> None:
    """The record is another one each time; it waits all the same."""
    bench = Bench(config(a=IMAGE))
    bench.launchers("p", "q")
    bench.go()
    everything(bench)
    path = paths.upload(UploadId(BuildId("a", 4), HERE))

    def crash(order: object) -> None:
        if isinstance(order, TrialTask):
            data = bench.store.read(path)
            assert data is not None
            bench.store.commit([Set(path=path, data=data.value, version=-1)])
            raise BrokenError

    bench.hands.do = crash
    bench.go()
    bench.pass_s(HOUR_S, step_s=5.0)

    assert 3 <= asked(bench)[f"TrialTask {path}"] <= ASKED_MAX


def test_a_copy_is_given_back_when_its_provider_has_left() -> None:
    """It would stay ours for ever; it is no attempt."""
    bench = Bench(config(a={**IMAGE, "providers": {"p": {}}}))
    bench.launchers("p")
    bench.go()
    everything(bench)
    bench.pass_s(60.0, step_s=5.0)

    found = uploaded(bench, UploadId(BuildId("a", 4), THERE))
    assert (found.state, found.owner, found.attempt) == (UploadState.PENDING, None, 0)


def test_what_zookeeper_refuses_is_not_written_in_circles() -> None:
    """Something lies below a folder that should be empty, which nobody foresaw."""
    bench = Bench(config(a={**IMAGE, "providers": {"p": {}}}))
    bench.launchers("p")
    bench.go()
    write(bench, paths.image("a"), encode_image(ImageRecord(name="a", last_build=1)))
    one = build(bench, 1, BuildState.BUILT)
    bench.store.ensure(f"{paths.uploads(one)}/strange")
    bench.pass_s(HOUR_S, step_s=5.0)

    refused = [fields for event, fields in bench.log.events if event == "record.not-written"]
    assert {one["action"] for one in refused} == {"RetireBuild"}
    assert 3 <= len(refused) <= ASKED_MAX


def test_what_somebody_removed_is_made_again() -> None:
    """The roots, too: else no builder would be seen any more, nor make an image."""
    bench = Bench(config(a=IMAGE))
    bench.launchers("p")
    bench.go()
    outside = bench.zookeeper.connect()
    for path in sorted(bench.zookeeper.tree.paths(), reverse=True):
        if path.startswith(paths.IMAGES):
            outside.commit([Delete(path=path)])
    bench.pass_s(70.0)

    assert bench.store.read(paths.image("a")) is not None
    assert bench.known.builders == {ReplicaId("me")}
