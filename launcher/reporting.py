"""What a launcher tells of itself now and then: gauges, and the snapshot of its status page."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from launcher.decide.standing import our_status
from launcher.lanes import Lane, places
from launcher.world import World
from remuda.metrics.sink import Metrics
from remuda.model.imageask import labelled_image
from remuda.model.status import encode_status
from remuda.runtime.now import Now

#: Gauges are renewed at most this often, and only when something happened.
REPORT_PERIOD_S: Final = 1.0


@dataclass(slots=True)
class Reporter:
    """Renews gauges and the snapshot.

    Attributes:
        snapshot: What ``/status`` shows; replaced as a whole, so that other threads may read it.
    """

    world: World
    metrics: Metrics
    snapshot: dict[str, Any] = field(default_factory=dict)
    _due_s: float = 0.0

    def report(self, now_s: float) -> None:
        """Renew everything if the last time is long enough ago; *now_s* is monotonic."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + REPORT_PERIOD_S
        world, provider = self.world, self.world.policy.provider
        counts = {(provider, *key): n for key, n in world.herd.states.items()}
        for pool, label in world.policy.making:
            counts.setdefault((provider, pool, label, "ready"), 0)
        self.metrics.set_nodes(counts)
        status = our_status(world, Now(wall_s=0.0, mono_s=now_s))
        self.metrics.set_provider(status)
        self.metrics.set_requests(_requests(world))
        self.metrics.set_addressable(provider, _addressable(world))
        most = sum(places(lane, world.policy.config.max_concurrency) for lane in Lane)
        self.metrics.set_images_configured(provider, len(_images(world)))
        self.metrics.set_hands(world.lanes.running.total(), most)
        self.snapshot = {
            "replica": world.neighbours.me,
            "replicas": sorted(world.neighbours.ours()),
            "awake": world.awake,
            "config_error": world.config_error,
            "brake": world.cloud.brake,
            "listing": world.cloud.listing,
            "status": json.loads(encode_status(status)),
        }


def _images(world: World) -> set[str]:
    """Return the images that are to be made for our provider: builders have labels of their own."""
    meant = (labelled_image(label) for _, label in world.policy.making)
    return {one[0] for one in meant if one is not None}


def _addressable(world: World) -> dict[str, int]:
    """Count, for each pool, the waiting requests that it could serve."""
    counts = dict.fromkeys(world.policy.pools, 0)
    for view in world.queue.in_order():
        for pool in world.policy.pools_for(view.request.labels):
            if not world.neighbours.declined_here(pool.name, view.request.declined_by):
                counts[pool.name] += 1
    return counts


def _requests(world: World) -> dict[str, int]:
    counts: dict[str, int] = {}
    for view in world.queue.views.values():
        state = str(view.request.state)
        counts[state] = counts.get(state, 0) + 1
    return counts
