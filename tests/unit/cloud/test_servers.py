"""Nova's servers, and orders for it."""

import base64
from typing import Any

import pytest

from remuda.cloud.api import BadOrderError, ServerSpec, ServerStatus
from remuda.cloud.servers import order_body, path, read_server
from remuda.cloud.whole import unfit
from remuda.model.ids import ServerId
from tests.fakes.cloud import DEBIAN, SMALL

DOC: dict[str, Any] = {
    "id": "s1",
    "name": "np1",
    "status": "ERROR",
    "metadata": {"a": "b"},
    "created": "2026-01-01T00:00:00Z",
    "image": {"id": "i1"},
    "flavor": {"id": "f1"},
    "hostId": "h1",
    "OS-EXT-AZ:availability_zone": "az1",
    "OS-EXT-STS:task_state": None,
    "fault": {"code": 500, "message": "No valid host was found."},
    "addresses": {"net": [{"addr": "10.0.0.5", "OS-EXT-IPS:type": "fixed"}]},
}


def test_server_is_read_whole() -> None:
    """Every field of the contract."""
    server = read_server(DOC)

    assert (server.id, server.name, server.status) == ("s1", "np1", ServerStatus.ERROR)
    assert server.tags == {"a": "b"}
    assert server.created_s == 1767225600.0
    assert (server.image_id, server.flavor_id) == ("i1", "f1")
    assert (server.host_id, server.az) == ("h1", "az1")
    assert server.fault == "No valid host was found."
    assert server.public_ipv4 == "10.0.0.5"


@pytest.mark.parametrize(
    ("status", "task", "expected"),
    [
        ("BUILD", "spawning", ServerStatus.BUILDING),
        ("ACTIVE", None, ServerStatus.ACTIVE),
        ("ACTIVE", "deleting", ServerStatus.DELETING),
        ("ERROR", "deleting", ServerStatus.DELETING),
        ("HARD_REBOOT", "rebooting_hard", ServerStatus.ACTIVE),
        ("SHUTOFF", None, ServerStatus.STOPPED),
        ("PAUSED", None, ServerStatus.STOPPED),
        ("SOFT_DELETED", None, ServerStatus.DELETING),
        ("UNKNOWN", None, ServerStatus.UNKNOWN),
    ],
)
def test_statuses_are_reduced_to_reactions(
    status: str, task: str | None, expected: ServerStatus
) -> None:
    """A task of deleting counts more than the status."""
    assert read_server({**DOC, "status": status, "OS-EXT-STS:task_state": task}).status is expected


@pytest.mark.parametrize(
    ("state", "task", "expected"),
    [
        ("stopped", None, ("stopped", None)),
        ("active", "image_uploading", ("active", "image_uploading")),
        (None, "", (None, None)),
        (7, ["x"], (None, None)),
    ],
)
def test_what_nova_does_with_a_server_is_told(
    state: object, task: object, expected: tuple[str | None, str | None]
) -> None:
    """In its own words; what is no word is none."""
    doc = {**DOC, "OS-EXT-STS:vm_state": state, "OS-EXT-STS:task_state": task}

    server = read_server(doc)

    assert (server.vm_state, server.task) == expected


def test_bare_server_is_read_too() -> None:
    """Young servers lack most fields; one from a volume has no image."""
    server = read_server({"id": "s1", "status": "BUILD", "image": "", "fault": None})

    assert server.image_id is None
    assert server.fault is None
    assert server.created_s == 0.0


@pytest.mark.parametrize("odd", [7, ["x"], {"x": 1}, True, "x" * 100_000, "\ud800"])
def test_what_is_no_text_hides_no_other_server(odd: Any) -> None:
    """A stranger's, perhaps; whatever is made of it can be looked up, compared and written."""
    doc = {**DOC, "name": odd, "hostId": odd, "OS-EXT-AZ:availability_zone": odd}
    server = read_server(
        {**doc, "metadata": {"a": odd}, "image": {"id": odd}, "flavor": {"id": odd}}
    )

    texts = [server.name, *server.tags.values(), server.image_id, server.flavor_id, server.az]
    assert all(one is None or len(one.encode()) <= 1024 for one in texts)


@pytest.mark.parametrize("odd", [7, None, "", "../os-keypairs/NAME", "a/b", ["x"]])
def test_a_server_without_an_id_is_none(odd: Any) -> None:
    """Ids become parts of paths and of records, which take nothing else."""
    with pytest.raises((KeyError, ValueError)):
        read_server({**DOC, "id": odd})


def test_order_leaves_out_what_is_open() -> None:
    """Nova has its own defaults for it."""
    order = ServerSpec(name="np1", image=DEBIAN, flavor=SMALL, tags={"a": "b"})

    assert order_body(order, ()) == {
        "server": {
            "name": "np1",
            "imageRef": DEBIAN.id,
            "flavorRef": SMALL.id,
            "metadata": {"a": "b"},
        }
    }


def test_order_says_all_that_is_asked_for() -> None:
    """Boot volume, drive, key, zone, groups, networks and user data."""
    order = ServerSpec(
        name="np1",
        image=DEBIAN,
        flavor=SMALL,
        tags={},
        networks=("private",),
        security_groups=("ssh", "web"),
        az="az1",
        key_name="ci",
        config_drive=False,
        user_data="ümlaut",
        volume_gib=50,
    )

    server = order_body(order, ("n1", "n2"))["server"]

    assert server["networks"] == [{"uuid": "n1"}, {"uuid": "n2"}]
    assert server["security_groups"] == [{"name": "ssh"}, {"name": "web"}]
    assert (server["availability_zone"], server["key_name"]) == ("az1", "ci")
    assert server["config_drive"] is False
    assert base64.b64decode(server["user_data"]).decode() == "ümlaut"
    assert server["imageRef"] == ""
    assert server["block_device_mapping_v2"] == [
        {
            "boot_index": 0,
            "uuid": DEBIAN.id,
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 50,
            "delete_on_termination": True,
        }
    ]


def test_a_word_of_novas_is_no_server() -> None:
    """A record that names it would have the listing of all read as one server, for ever."""
    assert path(ServerId("7f3c"), "action") == ("servers", "7f3c", "action")
    with pytest.raises(BadOrderError, match="no id of a server"):
        path(ServerId("detail"))


ODD: list[Any] = [7, [7], "x", {"n": None}, {"n": [None]}, {"n": [{"addr": "nowhere"}]}, None]


@pytest.mark.parametrize("key", ["addresses", "fault", "metadata", "image", "flavor", "created"])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_strangers_odd_server_hides_no_other(key: str, odd: Any) -> None:
    """It is there, and nothing is known of it: the listing stays readable."""
    server = read_server({**DOC, key: odd})

    assert (server.id, server.status) == (DOC["id"], ServerStatus.ERROR)
    assert key != "created" or server.created_s == 0.0
    assert key != "addresses" or (server.public_ipv4, server.public_ipv6) == (None, None)


@pytest.mark.parametrize("odd", [7, None, ["ACTIVE"], "NEW WORD"])
def test_an_odd_status_is_unknown(odd: Any) -> None:
    """Nothing is concluded from it."""
    assert read_server({**DOC, "status": odd}).status is ServerStatus.UNKNOWN


@pytest.mark.parametrize(
    ("listed", "volumes"),
    [
        (None, ()),
        ([], ()),
        ([{"id": "v1"}, {"id": "v2", "delete_on_termination": False}], ("v1", "v2")),
        ("v1", ()),
        ([7, {}, {"id": 7}], ("?", "?", "?")),
        ([{"id": "v"}] * 500, ("v",) * 32),
    ],
)
def test_attached_volumes_are_known(listed: object, volumes: tuple[str, ...]) -> None:
    """One that is odd is one all the same: a snapshot would not have it."""
    doc = {**DOC, "os-extended-volumes:volumes_attached": listed}
    server = read_server(doc)
    assert server.volumes == volumes
    assert (unfit(server) is not None) is bool(volumes)
    assert read_server({**doc, "image": ""}).volumes == volumes
