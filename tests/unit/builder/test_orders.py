"""What hands are told of what is known."""

from typing import Any, Final

from builder.build.actions import Make
from builder.upload.tasks import CopyTask
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import Method, Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Create
from tests.unit.builder.bench import HERE, THERE, Bench, config

ELSEWHERE: Final = "c" * 12


def put(bench: Bench, place: str, state: UploadState, **more: Any) -> None:
    """Write an upload of the first build."""
    one = Upload(id=UploadId(BuildId("a", 1), place), state=state, since_s=1.0, **more)
    bench.store.commit([Create(path=paths.upload(one.id), data=encode_upload(one))])


def test_a_copy_is_told_what_was_carried_of_its_build_before() -> None:
    """Wherever that was, and whatever its source's cloud says."""
    bench = Bench(config(a={"providers": {"p": {}, "q": {}}}))
    bench.launchers("p", "q")
    bench.held = (Make,)
    bench.go()
    put(bench, HERE, UploadState.USABLE, cloud_image="i1")
    put(bench, ELSEWHERE, UploadState.USABLE, cloud_image="i2", carried_sha512="0f" * 64)
    ours = {"owner": ReplicaId("me"), "method": Method.CARRY, "source": HERE}
    put(bench, THERE, UploadState.MAKING, **ours, carried_sha512="aa" * 64)
    bench.go()

    (order,) = [one for one in bench.hands.orders if isinstance(one, CopyTask)]
    assert order.carried_sha512 == "0f" * 64
