"""How a node begins: its zone, its times, and what its users read of it."""

from launcher.node.birth import ASK_WITHIN_S, NewNode, born, intend, takes_host_key
from launcher.policy import Policy
from remuda.model.ids import NodeId, RequestId
from remuda.model.launch import Step
from remuda.model.node import NodeState
from tests.unit.launcher.worlds import HOST_KEY, ME, NOW, policy, world

KEY = ("main", "small")
ZONES = ("az1", "az2", "az3")


def new(made: Policy, number: int = 0, request: str | None = None) -> NewNode:
    """Return a new node of ours."""
    recipe = world().cloud.recipes[KEY]
    asked = None if request is None else RequestId(request)
    return born(
        made,
        intend(made, KEY, recipe, number, for_request=asked),
        node_id=NodeId("0000000001"),
        owner=ME,
        host_key=HOST_KEY,
        launcher="id-main",
        now=NOW,
    )


def test_nodes_are_spread_over_the_zones_of_their_pool() -> None:
    """By their number, so that two replicas with the same plan choose alike."""
    made = policy(pools={"main": {"availability-zones": list(ZONES)}})

    zones = [new(made, number).launch.az for number in range(30)]

    assert set(ZONES) == set(zones)
    assert zones == [new(made, number).launch.az for number in range(30)]
    assert new(policy()).launch.az is None


def test_the_cloud_is_asked_for_it_within_a_time_that_is_written_down() -> None:
    """Whoever takes it over knows from when on no call is under way any more."""
    made = policy()

    launch = new(made).launch

    assert launch.step is Step.PLANNED
    assert (launch.owner, launch.planned_s) == (ME, NOW.wall_s)
    assert NOW.wall_s + ASK_WITHIN_S + made.config.api_timeout == launch.asked_by_s


def test_both_records_agree() -> None:
    """What a node costs, whose it is, and how it is reached."""
    both = new(policy(), request="200-0000000001")

    launch, node = both.launch, both.node
    assert node.state is NodeState.BUILDING
    assert (node.id, node.pool, node.labels) == (launch.id, launch.pool, (launch.label,))
    assert node.allocated_to == launch.for_request == launch.on_account_of == "200-0000000001"
    assert {"cores": launch.cores, "ram": launch.ram_mib, "instances": 1} == node.doc["resources"]
    assert node.doc["launcher"] == "id-main"


def test_only_nodes_that_are_to_have_one_get_a_host_key() -> None:
    """The record says which way was configured when it was made."""
    making = {"image": "debian-12", "flavor": "small"}
    labels = {"small": {**making, "host-keys": "scan"}, "large": {**making, "host-keys": "inject"}}
    made = policy(pools={"main": {"labels": labels}})

    assert not takes_host_key(made, KEY)
    assert takes_host_key(made, ("main", "large"))
    assert new(made).launch.host_keys == "scan"
