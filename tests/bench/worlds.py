"""A launcher's world of any size, made of thin air: for measuring the judgements alone."""

from dataclasses import dataclass, replace
from typing import Any, Final

from launcher.decide import decide
from launcher.node.view import UNLOCKED, LockView
from launcher.policy import compile_policy
from launcher.provider.cloud import Recipe
from launcher.provider.peers import Peers
from launcher.request.actions import WriteVerdict
from launcher.request.verdicts import gist
from launcher.request.view import RequestView
from launcher.world import Agenda, World
from remuda.cloud.api import Flavor, Image
from remuda.config.model import Config
from remuda.model.component import PoolComponent, Replica
from remuda.model.ids import NodeId, ReplicaId, RequestId, ServerId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState
from remuda.model.request import REQUIRED_KEYS, Request, RequestState
from remuda.model.status import LabelStatus, ProviderStatus
from remuda.runtime.now import Now

ME: Final = ReplicaId("me")
NOW: Final = Now(wall_s=1_000_000.0, mono_s=10_000.0)
POOL: Final = "main"
LABELS: Final = tuple(f"label-{number}" for number in range(10))
_RECIPE: Final = Recipe(
    image=Image(id="image", name="image"),
    flavor=Flavor(id="flavor", name="flavor", cores=1, ram_mib=2048),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many of what: nodes in use and free, requests that wait, the limit of the pool."""

    used: int
    free: int
    waiting: int
    limit: int


def config(limit: int) -> Config:
    """Return two providers, each with one pool that makes all labels."""
    making = {name: {"image": "image", "flavor": "flavor"} for name in LABELS}
    pool = {"max-servers": limit, "networks": ["net"], "labels": making}
    doc: dict[str, Any] = {
        "zookeeper": {"hosts": ["127.0.0.1:1"]},
        "labels": {name: {"min-ready": 2} for name in LABELS},
        "providers": {
            name: {"cloud": name, "max-concurrency": 1000, "pools": {POOL: pool}}
            for name in ("east", "west")
        },
    }
    return Config.model_validate(doc)


def world(shape: Shape) -> World:
    """Return the world of launcher *east*, awake and with nothing on its agenda."""
    made = World(policy=compile_policy(config(shape.limit), "east"), peers=peers())
    made.attendance.connected = made.attendance.registered = True
    made.pool_ids = {POOL: "east-pool"}
    made.ledger_version = 1
    made.awake_since_s = NOW.mono_s - 100.0
    made.cloud.recipes = {(POOL, name): _RECIPE for name in LABELS}
    made.cloud.listed_s = NOW.mono_s - 1.0
    made.cloud.survey_due_s = NOW.mono_s + 300.0
    made.publish_due_s = NOW.mono_s - 1.0
    for number in range(shape.used + shape.free):
        add_node(made, number, used=number < shape.used)
    for number in range(shape.waiting):
        add_request(made, number)
    made.take_agenda()
    return made


def settle(made: World) -> None:
    """Let the requests wait for so long that their verdicts have been written."""
    plan = decide(made, Agenda(everything=True), NOW)
    for action in plan.actions:
        if isinstance(action, WriteVerdict) and action.verdict is not None:
            made.told_verdicts[action.request] = gist(action.verdict)


def peers() -> Peers:
    """Return two providers with one launcher each; the other one has no room."""
    both = Peers(me=ME, provider="east")
    for provider, me in (("east", ME), ("west", ReplicaId("other"))):
        replica = Replica(id=me, hostname="host", pid=1, version="1", started_s=0.0)
        both.replicas[provider] = {me: replica}
        both.pools[provider] = PoolComponent(
            id=f"{provider}-pool", hostname="host", provider=provider, pool=POOL, labels=LABELS
        )
    full = {name: LabelStatus(ready=0, coming=0, room=0, boot_s=30.0) for name in LABELS}
    both.statuses["west"] = ProviderStatus(provider="west", priority=100, labels=full)
    return both


def add_node(made: World, number: int, *, used: bool) -> NodeId:
    """Add a node that is ready and free, or in use by a request that is over."""
    node_id = NodeId(f"{3_000_000_000 + number}")
    label = LABELS[number % len(LABELS)]
    view = made.nodes.view(node_id)
    view.launch = Launch(
        id=node_id,
        pool=POOL,
        label=label,
        step=Step.DONE,
        owner=ME,
        planned_s=NOW.wall_s - 500.0,
        asked_by_s=NOW.wall_s - 400.0,
        cores=1,
        ram_mib=2048,
        server=ServerId(f"server-{number}"),
    )
    view.node = Node(
        id=node_id,
        state=NodeState.IN_USE if used else NodeState.READY,
        labels=(label,),
        provider="east",
        pool=POOL,
        allocated_to=RequestId(f"100-{number:010d}") if used else None,
        state_time_s=NOW.wall_s - 300.0,
        created_s=NOW.wall_s - 500.0,
    )
    if used:
        view.lock = LockView(exists=True, contenders=frozenset({"somebody"}))
    view.look.checked_s = NOW.mono_s
    view.server.hint(ServerId(f"server-{number}"))
    made.touch_node(view)
    return node_id


def make_ready(made: World, number: int) -> None:
    """Let a node that counted already be free from now on."""
    view = list(made.nodes.views.values())[number]
    assert view.node is not None
    view.node = replace(view.node, state=NodeState.READY, allocated_to=None)
    view.lock = UNLOCKED
    made.touch_node(view)


def add_request(made: World, number: int) -> RequestId:
    """Add a request for one node that nobody has taken yet."""
    request_id = RequestId(f"200-{number:010d}")
    request = Request(
        id=request_id,
        state=RequestState.REQUESTED,
        labels=(LABELS[number % len(LABELS)],),
        requestor="bench",
        state_time_s=NOW.wall_s,
        doc=dict.fromkeys(REQUIRED_KEYS),
    )
    view = RequestView(id=request_id, request=request, version=0, seen_s=NOW.mono_s - 5.0)
    made.queue.views[request_id] = view
    made.touch_request(view)
    return request_id
