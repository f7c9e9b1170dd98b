"""Small worlds made by hand, for tests of judgements: no store, no cloud, no thread."""

from copy import copy
from dataclasses import replace
from typing import Any

from launcher.actions import Plan
from launcher.claim.actions import Claim
from launcher.claim.view import ClaimView
from launcher.decide import decide
from launcher.node.actions import Grow
from launcher.node.view import NodeView
from launcher.policy import Policy, compile_policy
from launcher.provider.cloud import Recipe
from launcher.provider.peers import Peers
from launcher.request.view import RequestView
from launcher.server.strays import Stray
from launcher.server.view import ServerView
from launcher.world import Agenda, World
from remuda.cloud.api import Flavor, Server, ServerStatus
from remuda.config.model import Config
from remuda.model import tags
from remuda.model.component import PoolComponent, Replica
from remuda.model.ids import NodeId, PoolName, ProviderName, ReplicaId, RequestId, ServerId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState
from remuda.model.request import REQUIRED_KEYS, Request, RequestState
from remuda.model.status import LabelStatus, ProviderStatus
from remuda.runtime.now import Now
from tests.fakes.cloud import DEBIAN, LARGE, SMALL

ME = ReplicaId("me")
FLAVORS = {"small": SMALL, "large": LARGE, "odd": SMALL}
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMadeMadeMadeMadeMadeMadeMadeMadeMadeMadeMade"
NOW = Now(wall_s=10_000.0, mono_s=1_000.0)

#: The values of which the view of a node is made.
_PARTS = ("server", "address", "proof", "look", "patience", "lock", "end")


def document(
    *,
    labels: dict[str, dict[str, Any]] | None = None,
    pools: dict[str, dict[str, Any]] | None = None,
    **provider: Any,
) -> dict[str, Any]:
    """Return a configuration of one provider, ``here``, with pools of small and large nodes."""
    wanted = {"small": {"recheck": None}, "large": {"recheck": None}, **(labels or {})}
    made = {
        name: {"image": "debian-12", "flavor": FLAVORS[name].name, "host-keys": "inject"}
        for name in wanted
    }
    slices = pools or {"main": {"max-servers": 10}}
    return {
        "labels": wanted,
        "providers": {
            "here": {
                "cloud": "here",
                "pools": {name: {"labels": made, **one} for name, one in slices.items()},
                **provider,
            }
        },
    }


def policy(**changes: Any) -> Policy:
    """Return the policy of :func:`document`."""
    return compile_policy(Config.model_validate(document(**changes)), "here")


def world(**changes: Any) -> World:
    """Return a world that is awake, knows its cloud, and has one replica: us."""
    made = World(policy=policy(**changes), peers=Peers(me=ME, provider="here"))
    made.attendance.connected = made.attendance.registered = True
    made.awake_since_s = 1.0
    made.ledger_version = made.holds_version = made.drawn = 0
    made.pool_ids = {name: f"id-{name}" for name in made.policy.pools}
    add_replica(made, "here", ME)
    for name, pool in made.policy.pools.items():
        add_pool(made, "here", name, *pool.labels, priority=pool.priority)
    for key in made.policy.making:
        made.cloud.recipes[key] = Recipe(image=DEBIAN, flavor=FLAVORS[key[1]])
    made.cloud.survey_due_s = made.publish_due_s = NOW.mono_s + 1e6
    made.cloud.tidy_due_s = NOW.mono_s + 1e6
    made.cloud.listed_s, made.cloud.listing = NOW.mono_s, 5
    made.cloud.complete_wall_s = NOW.wall_s
    return made


def add_replica(made: World, provider: str, replica: str) -> None:
    """Let a launcher live."""
    living = made.peers.replicas.setdefault(provider, {})
    living[ReplicaId(replica)] = Replica(
        id=ReplicaId(replica), hostname="h", pid=1, version="1", started_s=0.0
    )


def add_pool(
    made: World, provider: str, name: str, *labels: str, priority: int = 100, **fields: Any
) -> None:
    """Let a pool be registered."""
    path = f"/nodepool/components/pool/{provider}-{name}"
    made.peers.pools[path] = PoolComponent(
        id=f"id-{name}" if provider == "here" else f"id-{provider}-{name}",
        hostname="h",
        provider=provider,
        pool=name,
        labels=labels,
        priority=priority,
        **fields,
    )


def add_provider(made: World, name: str, *, priority: int = 100, **labels: LabelStatus) -> None:
    """Let another provider live, register one pool and tell its status."""
    add_replica(made, name, f"replica of {name}")
    add_pool(made, name, "main", *labels, priority=priority)
    made.peers.statuses[name] = ProviderStatus(provider=name, priority=priority, labels=labels)


def add_node(
    made: World,
    number: int,
    *,
    label: str = "small",
    pool: str = "main",
    step: Step = Step.DONE,
    state: NodeState | None = None,
    allocated_to: str | None = None,
    owner: str = ME,
    server: str | None = "",
    launch: dict[str, Any] | None = None,
    **fields: Any,
) -> NodeView:
    """Add a node, ready unless told otherwise, with a server of its own."""
    node_id = NodeId(f"{number:010d}")
    view = made.nodes.view(node_id)
    view.server = ServerView(ready_in=-1)  # whatever a listing shows is news enough
    flavor = FLAVORS[label]
    known = ServerId(f"server-{number}") if server == "" else server
    view.launch = Launch(
        **{
            "id": node_id,
            "pool": pool,
            "label": label,
            "step": step,
            "owner": ReplicaId(owner),
            "planned_s": NOW.wall_s - 10.0,
            "asked_by_s": NOW.wall_s + 70.0,
            "cores": flavor.cores,
            "ram_mib": flavor.ram_mib,
            "server": None if known is None else ServerId(known),
            "host_key": HOST_KEY,
            **(launch or {}),
        }
    )
    states = {Step.DONE: NodeState.READY, Step.CONDEMNED: NodeState.DELETING}
    usual = states.get(step, NodeState.BUILDING)
    view.node = Node(
        id=node_id,
        state=state or usual,
        labels=(label,),
        provider="here",
        pool=pool,
        allocated_to=None if allocated_to is None else RequestId(allocated_to),
        state_time_s=NOW.wall_s - 5.0,
        doc={"interface_ip": "198.18.0.1", **fields},
    )
    view.launch_version, view.node_version = 1, 1
    if view.launch.server is not None:
        view.server.confirm(view.launch.server)
    made.touch_node(view)
    return view


def know(view: NodeView, **facts: Any) -> None:
    """Let something be known of a node, wherever in its view that has its place."""
    for name, value in facts.items():
        if hasattr(view, name):
            setattr(view, name, value)
            continue
        where = next(one for one in _PARTS if hasattr(getattr(view, one), name))
        part = copy(getattr(view, where))
        object.__setattr__(part, name, value)
        setattr(view, where, part)


def doom(made: World, view: NodeView) -> None:
    """Let a node be condemned, as both records say."""
    assert view.node is not None
    view.end = view.end.begun()
    view.node = replace(view.node, state=NodeState.DELETING)
    made.touch_node(view)


def add_stray(
    made: World,
    number: int,
    *,
    status: ServerStatus = ServerStatus.BUILDING,
    seen_s: float = 600.0,
    sightings: int = 5,
    created_s: float = NOW.wall_s - 700.0,
    flavor: Flavor = SMALL,
) -> ServerId:
    """Let listings show a server of ours without a record, for so long."""
    node = NodeId(f"{3_000_000_000 + number:010d}")
    server = ServerId(f"stray-{number}")
    owner = tags.Owner(installation="us", provider=ProviderName("here"))
    ours = tags.ServerTags(owner=owner, node=node, pool=PoolName("main"), label="small")
    made.cloud.strays[server] = Stray(
        server=Server(
            id=server,
            name=f"np{node}",
            status=status,
            tags=tags.make(ours),
            created_s=created_s,
            flavor_id=flavor.id,
        ),
        node=node,
        sightings=sightings,
        since_s=NOW.mono_s - seen_s,
    )
    return server


def add_request(
    made: World,
    sequence: int,
    *labels: str,
    priority: str = "200",
    state: RequestState = RequestState.REQUESTED,
    seen_s: float = NOW.mono_s,
    **fields: Any,
) -> RequestView:
    """Add a request whose record is complete."""
    request_id = RequestId(f"{priority}-{sequence:010d}")
    view = RequestView(
        id=request_id,
        request=Request(
            id=request_id,
            state=state,
            labels=labels or ("small",),
            doc=dict.fromkeys(REQUIRED_KEYS),
            **fields,
        ),
        version=3,
        seen_s=seen_s,
    )
    made.queue.views[request_id] = view
    made.touch_request(view)
    return view


def add_claim(
    made: World,
    view: RequestView,
    *,
    pool: str = "main",
    owner: str = ME,
    since_s: float = NOW.mono_s,
) -> ClaimView:
    """Let our provider have claimed a request."""
    claim = ClaimView(
        pool=pool,
        owner=owner,
        contender=f"/nodepool/requests-lock/{view.id}/{made.stem}0000000000",
        version=0,
        since_s=since_s,
    )
    made.queue.claims[view.id] = claim
    made.touch_request(view)
    return claim


def charge(
    made: World, view: RequestView, count: int, *, why: str, made_s: float = NOW.wall_s
) -> None:
    """Let launches on account of a request fail."""
    for number in range(count):
        node = NodeId(f"{9_000_000_000 + number}")
        label = view.request.labels[0]
        made.queue.charges.add(view.id, node, why, label=label, made_s=made_s)


def asked(made: World, number: int) -> NodeView:
    """Add a node whose create call is under way."""
    view = add_node(made, number, step=Step.PLANNED, server=None)
    made.fresh.add(view.id)
    view.server.send_create()
    view.busy = "create"
    made.touch_node(view)
    return view


def later(seconds: float) -> Now:
    """Return a later present."""
    return Now(wall_s=NOW.wall_s + seconds, mono_s=NOW.mono_s + seconds)


def started(plan: Plan) -> int:
    """Return how many nodes a plan starts."""
    return sum(len(action.intents) for action in of_kind(plan, Claim, Grow))


def think(made: World, now: Now = NOW, *, everything: bool = True) -> Plan:
    """Return the plan, of everything or of what is on the agenda."""
    agenda = made.take_agenda()
    if everything:
        agenda = Agenda(everything=True)
    return decide(made, agenda, now)


def of_kind(plan: Plan, *kinds: type) -> list[Any]:
    """Return the actions of some kinds."""
    return [action for action in plan.actions if isinstance(action, kinds)]
