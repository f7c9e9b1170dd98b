"""What a launcher concludes when its host was suspended: the two clocks are no longer in step."""

from dataclasses import replace

import pytest

from launcher.node.actions import Condemn, RemoveRecords
from remuda.model.launch import Step
from remuda.runtime.now import Now
from tests.unit.launcher.test_lifecycle import judged
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, world


@pytest.mark.parametrize("step", [Step.PLANNED, Step.BOOTING, Step.CONDEMNED])
def test_a_listing_of_before_the_host_was_suspended_tells_nothing_of_after(step: Step) -> None:
    """The monotonic clock stood still meanwhile: by it, that listing is a second old."""
    made = world(**{"boot-timeout": 300})
    works, view = Works(made), add_node(made, 1, step=step, server=None)
    view.server.send_create()
    seen = works.starter.cloud.list_servers(made.cloud.listing + 1)
    works.hear(seen, NOW)
    woken = Now(wall_s=NOW.wall_s + 600.0, mono_s=NOW.mono_s + 1.0)

    assert judged(made, view, woken) is None

    works.hear(replace(seen, number=seen.number + 1, begun_wall_s=woken.wall_s), woken)
    view.server.missed = 0  # that is another reason
    assert isinstance(
        judged(made, view, woken), RemoveRecords if step is Step.CONDEMNED else Condemn
    )
