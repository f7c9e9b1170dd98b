"""What a launcher tells of itself now and then: gauges, and the snapshot of its status page."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from launcher.hold.owners import held_by, images_by
from launcher.hold.showing import shown
from launcher.lanes import Lane, places
from launcher.provider.status import our_status
from launcher.world import World
from remuda.metrics.sink import Metrics
from remuda.model.imageask import labelled_image
from remuda.model.status import encode_status
from remuda.runtime.now import Now

#: Gauges are renewed at most this often, and only when something happened.
REPORT_PERIOD_S: Final = 1.0
#: So many slow machines are shown.
SLOW_MAX: Final = 50
#: No request is believed to have waited longer.
WAIT_S_MAX: Final = 7 * 86400.0


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

    def report(self, now: Now) -> None:
        """Renew everything if the last time is long enough ago."""
        if now.mono_s < self._due_s:
            return
        self._due_s = now.mono_s + REPORT_PERIOD_S
        world, provider = self.world, self.world.policy.provider
        counts = {(provider, *key): n for key, n in world.nodes.states.items()}
        for pool, label in world.policy.making:
            counts.setdefault((provider, pool, label, "ready"), 0)
        self.metrics.set_nodes(counts)
        waiting = sum(one.value.waits(now.wall_s) for one in world.autoholds.stored.values())
        self.metrics.set_holds(provider, held_by(world, now), waiting)
        self.metrics.set_take_home_images(provider, images_by(world, now))
        status = our_status(world, now)
        self.metrics.set_provider(status)
        self.metrics.set_requests(_requests(world))
        addressable, waits_s = _waiting(world, now)
        self.metrics.set_addressable(provider, addressable)
        self.metrics.set_oldest(provider, requests=waits_s, launches=_launches(world, now))
        self.metrics.set_min_ready(
            {name: label.min_ready for name, label in world.policy.labels.items()}
        )
        self.metrics.set_replicas(provider, len(world.peers.ours()))
        self.metrics.set_config_rejected(rejected=world.config_error is not None)
        most = sum(places(lane, world.policy.config.max_concurrency) for lane in Lane)
        self.metrics.set_images_configured(provider, len(_images(world)))
        self.metrics.set_hands(world.lanes.running.total(), most)
        self.snapshot = {
            "replica": world.peers.me,
            "replicas": sorted(world.peers.ours()),
            "awake": world.awake,
            "config_error": world.config_error,
            "brake": world.cloud.brake,
            "listing": world.cloud.listing,
            "slow": _slow(world),
            "holds": shown(world),
            "stories": world.stories.latest(),
            "status": json.loads(encode_status(status)),
        }


def _slow(world: World) -> list[dict[str, Any]]:
    """Return what the slowest machines are waited for, those of all replicas, the oldest first."""
    views = (world.nodes.views.get(node_id) for node_id in world.slow)
    launches = [view.launch for view in views if view is not None and view.launch is not None]
    launches.sort(key=lambda one: (one.proof_since_s or one.planned_s, one.id))
    return [
        {
            "node": one.id,
            "part": one.proof_step,
            "began_at_s": one.proof_since_s,
            "words": one.proof_words,
        }
        for one in launches[:SLOW_MAX]
    ]


def _images(world: World) -> set[str]:
    """Return the images that are to be made for our provider: builders have labels of their own."""
    meant = (labelled_image(label) for _, label in world.policy.making)
    return {one[0] for one in meant if one is not None}


def _waiting(world: World, now: Now) -> tuple[dict[str, int], dict[str, float]]:
    """Look at the requests that we could serve.

    Returns:
        How many each pool could, and for each label that we make how long the oldest of them waits
        already: from its submission, as far as its requestor is to be believed.
    """
    counts, oldest = dict.fromkeys(world.policy.pools, 0), _ages(world)
    for view in world.queue.in_order():
        able = [
            pool.name
            for pool in world.policy.pools_for(view.request.labels)
            if not world.peers.declined_here(pool.name, view.request.declined_by)
        ]
        for name in able:
            counts[name] += 1
        said_s = now.wall_s - (view.request.created_s or now.wall_s)
        waited_s = max(0.0, now.mono_s - view.seen_s, min(said_s, WAIT_S_MAX))
        for label in set(view.request.labels) if able else ():
            if label in oldest:
                oldest[label] = max(oldest[label], waited_s)
    return counts, oldest


def _ages(world: World) -> dict[str, float]:
    """Return zero for each label that we make for users."""
    return {label: 0.0 for _, label in world.policy.making if labelled_image(label) is None}


def _launches(world: World, now: Now) -> dict[str, float]:
    """Return for each label how long the oldest of its nodes is being made already."""
    oldest = _ages(world)
    for view in (world.nodes.views[node_id] for node_id in world.nodes.being_made):
        if view.launch is not None and view.key[1] in oldest:
            age_s = max(0.0, now.wall_s - view.launch.planned_s)
            oldest[view.key[1]] = max(oldest[view.key[1]], age_s)
    return oldest


def _requests(world: World) -> dict[str, int]:
    counts: dict[str, int] = {}
    for view in world.queue.views.values():
        state = str(view.request.state)
        counts[state] = counts.get(state, 0) + 1
    return counts
