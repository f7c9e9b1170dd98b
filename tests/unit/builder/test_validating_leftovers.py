"""The hand that proves a candidate, where whoever made the snapshot died before it was finished."""

from remuda.model.tags import ImageTags, make_image
from remuda.model.upload import Method
from tests.fakes.prover import FakeProver
from tests.unit.builder.handbench import OWNER, Bench
from tests.unit.builder.test_validating import bench, prover, validate

__all__ = ["bench", "prover"]


def test_what_its_dead_maker_has_not_hidden_is_hidden(bench: Bench, prover: FakeProver) -> None:
    """It may have died right after it had asked for the snapshot; what is inherited goes, too."""
    ours = make_image(ImageTags(owner=OWNER, image="debian", build="7", name="candidate"))
    server = bench.cloud.add_stranger()
    bench.clock.advance(10)
    left = bench.images.snapshot(server, "candidate", {**ours, "of_the_base": "x"})
    bench.clock.advance(60)  # it is whole
    bench.put_upload(left, method=Method.NATIVE)

    assert validate(bench, prover).why is None

    seen = bench.images.get_image(left)
    assert seen.hidden
    assert dict(seen.properties) == {**seen.properties, **ours}
    assert "of_the_base" not in seen.properties
    assert bench.upload().value.size_bytes == seen.size_bytes
