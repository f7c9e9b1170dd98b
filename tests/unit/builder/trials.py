"""Makes one trial in the tests of the hand that does."""

import json
from typing import Any

from builder.quiet.kinds import CLONE_KINDS
from builder.upload.events import TrialEnded
from builder.upload.hand_validate import TrialInCloud, ValidatingHand
from remuda.store import paths
from tests.fakes.prover import Exit, FakeProver
from tests.unit.builder.handbench import OWNER, PROVIDER, UPLOAD, Bench, report

PATH = paths.upload(UPLOAD)


def clone(*findings: str, machine_id: str = "c" * 32) -> Exit:
    """Return what a clone says of itself."""
    doc = json.dumps({"machine_id": machine_id})
    kinds = (*map(str, CLONE_KINDS), "secret")
    return Exit(
        output=report("identity", f"identity\t-\t{doc}")
        + report("clone", *findings, kinds=kinds, end=len(findings))
    )


def image(bench: Bench) -> str:
    """Put an image into the cloud; return its id."""
    server = bench.cloud.add_stranger()
    bench.clock.advance(10)
    return bench.images.snapshot(server, "candidate", {})


def validate(bench: Bench, prover: FakeProver, **changes: Any) -> TrialEnded:
    """Put an upload on record, unless there is one, and try it."""
    order = TrialInCloud(
        **{
            "upload": bench.upload() if bench.others.read(PATH) else bench.put_upload(image(bench)),
            "build": bench.build().value,
            "provider": PROVIDER,
            "recipe": bench.recipe,
            "policy": bench.policy,
            "owner": OWNER,
            "cloud": bench.cloud,
            "images": bench.images,
            "wanted": (PROVIDER,),
            **changes,
        }
    )
    hand = ValidatingHand(
        machines=bench.machines, prover=prover, clock=bench.clock, environ={}, wait=bench.wait
    )
    ended = hand.validate(order, bench.log, lambda: bench.stop)
    assert bench.log.closed
    assert bench.log.ok is (ended.why is None)
    assert bench.others.children(paths.REQUESTS) == ()
    assert all(one.state == "used" or not bench.launcher.locks(one.id) for one in bench.nodes())
    return ended
