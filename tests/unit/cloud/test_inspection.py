"""What the inspector makes of answers that no well-behaved cloud gives on demand."""

import pytest

from remuda.cloud.api import CloudError, TryLaterError, UnauthorizedError
from remuda.cloud.inspection import CloudRight, FloatingRoom, Service, Told
from remuda.cloud.openstack_inspection import OpenStackInspector
from tests.unit.cloud.conftest import Connect
from tests.unit.cloud.scripted_api import Reply, ScriptedApi

SERVERS = "/compute/v2.1/servers"
QUOTA = "/network/v2.0/quotas/p1/details.json"


def refusal(status: int, text: str) -> Reply:
    """Return an answer as Nova gives it."""
    return Reply(status=status, body={"forbidden": {"message": text}})


@pytest.fixture
def inspector(connect: Connect) -> OpenStackInspector:
    """An inspector that talks to the scripted server."""
    return connect().inspector()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (refusal(403, "Policy doesn't allow os_compute_api:servers:create"), Told.NO),
        (refusal(403, "Quota exceeded for instances: Requested 1"), Told.YES),
        (refusal(400, "The requested flavor could not be found"), Told.YES),
        (refusal(409, "Multiple possible networks found"), Told.YES),
    ],
)
def test_a_senseless_order_tells_of_the_right_to_create(
    api: ScriptedApi, inspector: OpenStackInspector, reply: Reply, told: Told
) -> None:
    """A full quota is seen only by who may create; the order names what cannot exist."""
    api.on("POST", SERVERS, reply)

    assert inspector.may(CloudRight.CREATE).told is told
    order = api.seen[-1].body["server"]
    assert order["flavorRef"] == order["imageRef"]


def test_a_missing_server_tells_nothing_of_a_right(
    api: ScriptedApi, inspector: OpenStackInspector
) -> None:
    """Nova looks for the server before it looks at the policy."""
    delete, snapshot = inspector.may(CloudRight.DELETE), inspector.may(CloudRight.SNAPSHOT)

    assert [delete.told, snapshot.told] == [Told.UNTOLD, Told.UNTOLD]
    assert [one.method for one in api.seen] == ["DELETE", "POST"]
    assert api.seen[-1].body["createImage"]["name"].startswith("remuda-check")


def test_a_broken_service_is_no_answer_about_rights(
    api: ScriptedApi, inspector: OpenStackInspector
) -> None:
    """Neither yes nor no."""
    api.on("POST", SERVERS, refusal(500, "boom"))

    with pytest.raises(TryLaterError):
        inspector.may(CloudRight.CREATE)


@pytest.mark.parametrize(
    ("reply", "room"),
    [
        (
            Reply(body={"quota": {"floatingip": {"limit": 5, "used": 2}}}),
            FloatingRoom(limit=5, used=2),
        ),
        (
            Reply(body={"quota": {"floatingip": {"limit": -1, "used": 2}}}),
            FloatingRoom(limit=None, used=2),
        ),
        (Reply(body={"quota": {}}), None),
        (refusal(403, "policy"), None),
        (refusal(404, "no such extension"), None),
    ],
    ids=["limit", "unlimited", "other", "refused", "missing"],
)
def test_room_for_floating_ips(
    api: ScriptedApi, inspector: OpenStackInspector, reply: Reply, room: FloatingRoom | None
) -> None:
    """Old clouds and strict policies tell nothing."""
    api.on("GET", QUOTA, reply)

    assert inspector.floating_room() == room


def test_a_service_that_the_catalogue_lacks_is_left_out(
    api: ScriptedApi, inspector: OpenStackInspector
) -> None:
    """The others are there."""
    del api.catalog_paths["image"]

    who = inspector.identity()

    assert (who.user, who.project, who.project_id) == ("u", "p", "p1")
    assert set(who.endpoints) == {Service.COMPUTE, Service.NETWORK}


def test_a_refused_login_is_said_as_such(api: ScriptedApi, inspector: OpenStackInspector) -> None:
    """Once; the second question is answered from memory."""
    api.login_reply = Reply(status=401, body={"error": {"message": "wrong"}})

    with pytest.raises(UnauthorizedError):
        inspector.identity()
    with pytest.raises(UnauthorizedError):
        inspector.ping(Service.COMPUTE)
    assert api.logins == 1


@pytest.mark.parametrize(
    "body", [{}, {"keypairs": [{}]}, {"keypairs": [{"keypair": None}]}], ids=["no", "odd", "none"]
)
def test_an_unreadable_answer_is_an_error_of_the_cloud(
    api: ScriptedApi, inspector: OpenStackInspector, body: object
) -> None:
    """Never one of ours."""
    api.on("GET", "/compute/v2.1/os-keypairs", Reply(body=body))

    with pytest.raises(CloudError):
        inspector.key_pairs()


def test_networks_of_others_are_not_usable(api: ScriptedApi, inspector: OpenStackInspector) -> None:
    """An administrator sees everybody's."""
    docs = [
        {"id": "a", "name": "mine", "project_id": "p1"},
        {"id": "b", "name": "shared", "project_id": "p2", "shared": True},
        {"id": "c", "name": "theirs", "project_id": "p2"},
        {"id": "d", "name": "out", "project_id": "p2", "router:external": True},
    ]
    api.on("GET", "/network/v2.0/networks", Reply(body={"networks": docs}))

    found = inspector.networks()

    assert [one.name for one in found if one.usable] == ["mine", "shared"]
    assert [one.name for one in found if one.external] == ["out"]
