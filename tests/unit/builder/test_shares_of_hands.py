"""Who waits for the machines of one provider leaves hands for the others."""

from collections import Counter
from dataclasses import replace

from builder.build.actions import Make
from builder.lanes import LANE_SIZES, Lane
from builder.upload.actions import Validate
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import Upload, UploadState, decode_upload, encode_upload
from remuda.store import paths
from remuda.store.api import Create
from tests.unit.builder.bench import HERE, Bench, config


def test_what_has_no_share_left_in_a_provider_begins_in_the_next() -> None:
    """A provider that is slow holds up nothing that another can make."""
    both = {"providers": {"p": {}, "q": {"copy-from": "p"}}}
    bench = Bench(config(**{f"i{number:02}": both for number in range(20)}))
    bench.go(200)
    policies = bench.known.configured.policies.items()
    anywhere = {name: replace(one, copies=frozenset()) for name, one in policies}
    bench.known.configured = replace(bench.known.configured, policies=anywhere)
    bench.held = (Make,)
    bench.launchers("p", "q")
    bench.go(200)

    places = Counter(bench.build(f"i{number:02}", 1).provider for number in range(20))
    half = LANE_SIZES[Lane.MAKE] // 2
    assert places == {"p": half, "q": half, None: 20 - 2 * half}


def test_what_has_no_share_left_in_a_provider_is_tried_in_the_next() -> None:
    """Both boot the same image: it has to be proven in each, in any order."""
    bench = Bench(config(a={"providers": {"p": {}, "q": {}}}))
    bench.launchers("p", "q")
    bench.held = (Make, Validate)
    bench.go()
    bench.known.places.seen["q"] = replace(bench.known.places.seen["q"], place=HERE)
    bench.worker.brain.starter.capacity.taking[Lane.TRY, "p"] = LANE_SIZES[Lane.TRY] // 2
    one = Upload(id=UploadId(BuildId("a", 1), HERE), state=UploadState.STORED, since_s=1.0)
    bench.store.commit([Create(path=paths.upload(one.id), data=encode_upload(one))])
    bench.go()

    raw = bench.store.read(paths.upload(one.id))
    assert raw is not None
    assert decode_upload(one.id, raw.value).trying == "q"
