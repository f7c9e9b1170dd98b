"""The API as unmodified openstacksdk sees it, without machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final
from urllib.error import HTTPError

import pytest
from keystoneauth1.exceptions import Unauthorized
from openstack import exceptions
from openstack.connection import Connection

from tests.sandbox.running import Sandbox, running
from tests.sandbox.servers import SOON_S, active, boot, gone, in_state
from tests.support.control import ask_control
from tests.support.deadline import wait_for

pytestmark = pytest.mark.e2e


def test_life_of_a_server(cloud: Connection) -> None:
    """Create, show, stop, start, reboot, delete."""
    server = active(cloud, "life", metadata={"a": "b"})

    assert "public" in server.addresses
    assert server.addresses["public"][0]["OS-EXT-IPS:type"] == "fixed"
    assert (server.vm_state, server.power_state, server.task_state) == ("active", 1, None)
    assert server.flavor.original_name == "m1.tiny"
    assert server.metadata == {"a": "b"}
    assert server.security_groups == [{"name": "default"}]
    cloud.compute.stop_server(server)
    in_state(cloud, server, "SHUTOFF")
    with pytest.raises(exceptions.ConflictException, match="Cannot 'stop' instance"):
        cloud.compute.stop_server(server)
    cloud.compute.start_server(server)
    in_state(cloud, server, "ACTIVE")
    cloud.compute.reboot_server(server, "HARD")
    in_state(cloud, server, "ACTIVE")
    cloud.compute.delete_server(server)
    gone(cloud, server)
    with pytest.raises(exceptions.NotFoundException, match="could not be found"):
        cloud.compute.delete_server(server.id, ignore_missing=False)
    assert list(cloud.network.ports(device_id=server.id)) == []


def test_lists_are_read_page_by_page(cloud: Connection, api: Sandbox) -> None:
    """Five to a page here; the client follows the links."""
    for i in range(7):
        boot(cloud, f"page-{i}")
    api.control("DELETE", "/calls")

    names = [server.name for server in cloud.compute.servers()]

    assert names == [f"page-{i}" for i in reversed(range(7))]
    assert api.calls("compute", "server.list") >= 2


def test_filters(cloud: Connection) -> None:
    """Name, status, and what changed since; deleted ones included then."""
    kept, dropped = active(cloud, "kept"), active(cloud, "dropped")
    cloud.compute.delete_server(dropped)
    gone(cloud, dropped)

    changed = list(cloud.compute.servers(changes_since="2020-01-01T00:00:00Z"))

    assert [s.id for s in cloud.compute.servers(name="^kept$")] == [kept.id]
    assert [s.id for s in cloud.compute.servers(status="ACTIVE")] == [kept.id]
    assert list(cloud.compute.servers(status="ERROR")) == []
    assert dropped.id in [s.id for s in changed if s.status == "DELETED"]


def test_quota_in_novas_words(cloud: Connection, api: Sandbox) -> None:
    """Shown, changed while it runs, refused with 403."""
    api.control("PUT", "/quota", {"instances": 2, "region": "north"})
    boot(cloud)
    boot(cloud)

    with pytest.raises(exceptions.ForbiddenException) as caught:
        boot(cloud)

    words = "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances"
    assert words in str(caught.value)
    limits = cloud.compute.get_limits().absolute
    assert (limits.instances, limits.instances_used) == (2, 2)
    quota = cloud.compute.get_quota_set(cloud.current_project_id, usage=True)
    assert (quota.instances, quota.usage["instances"]) == (2, 2)


def test_bad_orders_are_refused_as_nova_does(cloud: Connection) -> None:
    """400 for what is not there."""
    for more, words in (
        ({"image_id": "0000"}, "Image 0000 could not be found."),
        ({"flavor_id": "99"}, "Flavor 99 could not be found."),
        ({"key_name": "nobody"}, "Invalid key_name provided."),
        ({"networks": [{"uuid": "x"}]}, "Network x could not be found."),
        ({"availability_zone": "mars"}, "The requested availability zone is not available"),
    ):
        with pytest.raises(exceptions.BadRequestException, match=words):
            boot(cloud, **more)
    assert list(cloud.compute.servers()) == []


#: What the schema of POST /servers does not take, and Nova's words for it.
SCHEMA: Final = (
    ({"user_data": "!"}, "attribute user_data. Value: !. '!' is not a 'base64'"),
    ({"user_data": None}, "None is not of type 'string'"),
    ({"user_data": "A" * 65_536}, "is too long"),
    ({"networks": None}, "None is not of type 'array'"),
    ({"networks": [{"name": "public"}]}, "Additional properties are not allowed ('name' was"),
    ({"key_name": ""}, "attribute key_name. Value: . '' is too short"),
    ({"key_name": "a\tb"}, "The name must be: printable characters"),
    ({"availability_zone": " nova"}, "Can not start or end with whitespace"),
    ({"metadata": {"a/b": "c"}}, "Additional properties are not allowed ('a/b' was unexpected)"),
    ({"metadata": {"a": 1}}, "attribute a. Value: 1. 1 is not of type 'string'"),
    ({"metadata": []}, "[] is not of type 'object'"),
    ({"security_groups": [{"id": "default"}]}, "not allowed ('id' was unexpected)"),
    ({"security_groups": ["default"]}, "'default' is not of type 'object'"),
    ({"config_drive": "maybe"}, "'maybe' is not one of"),
    ({"flavorRef": ""}, "attribute flavorRef. Value: . '' is too short"),
    ({"block_device_mapping_v2": [{"volume_size": 0}]}, "0 is less than the minimum of 1"),
    ({"no_such_field": 1}, "not allowed ('no_such_field' was unexpected)"),
)


@pytest.mark.parametrize(("more", "words"), SCHEMA)
def test_what_the_schema_of_an_order_refuses(
    cloud: Connection, more: dict[str, object], words: str
) -> None:
    """Before anything is looked up."""
    order = {"name": "s", "imageRef": "0000", "flavorRef": "1", **more}

    answer = cloud.compute.post("/servers", json={"server": order})

    assert answer.status_code == 400
    assert words in answer.json()["badRequest"]["message"]


def test_an_order_without_a_name_or_a_flavor_is_refused(cloud: Connection) -> None:
    """They are required."""
    for key in ("name", "flavorRef"):
        order = {"name": "s", "imageRef": "0000", "flavorRef": "1"}
        del order[key]
        answer = cloud.compute.post("/servers", json={"server": order})

        assert f"'{key}' is a required property" in answer.json()["badRequest"]["message"]


def test_no_network_named_with_several_there(cloud: Connection) -> None:
    """Nova does not guess; auto takes one, none gives no address."""
    with pytest.raises(exceptions.ConflictException, match="Multiple possible networks found"):
        boot(cloud, networks=[])

    assert active(cloud, networks="none").addresses == {}


def test_key_pairs(cloud: Connection) -> None:
    """Given or generated."""
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJZUgZvmWhvYn5yFCQmSkl0TCKKKxtgBq0Sp4hI1bNxA x"
    given = cloud.compute.create_keypair(name="given", public_key=public)
    made = cloud.compute.create_keypair(name="made")

    assert len(given.fingerprint.split(":")) == 16
    assert made.private_key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert {"given", "made"} <= {pair.name for pair in cloud.compute.keypairs()}
    with pytest.raises(exceptions.ConflictException, match="already exists"):
        cloud.compute.create_keypair(name="given", public_key=public)
    with pytest.raises(exceptions.BadRequestException, match="fingerprint"):
        cloud.compute.create_keypair(name="bad", public_key="nonsense")
    for name in ("given", "made"):
        cloud.compute.delete_keypair(name)
    assert cloud.compute.find_keypair("given") is None


def test_images(cloud: Connection, tmp_path: Path) -> None:
    """Upload, properties, filters, order, download, visibility."""
    (tmp_path / "data").write_bytes(b"x" * 1000)
    image = cloud.create_image(
        "mine", filename=str(tmp_path / "data"), wait=True, meta={"colour": "red"},
        container_format="bare", disk_format="raw", visibility="private",
    )  # fmt: skip
    image = cloud.image.update_image(image, colour="blue")

    assert cloud.image.get_image(image).properties["colour"] == "blue"
    assert [each.name for each in cloud.image.images(os_distro="ubuntu")] == ["ubuntu-24.04"]
    newest = list(cloud.image.images(visibility="public", sort="created_at:desc"))
    assert [each.name for each in newest] == ["ubuntu-24.04", "debian-12"]
    assert cloud.image.download_image(image).content == b"x" * 1000
    with pytest.raises(exceptions.NotFoundException):
        cloud.image.get_image("missing")
    assert cloud.image.find_image("mine", ignore_missing=True).id == image.id
    cloud.image.delete_image(image)
    assert cloud.image.find_image("mine") is None


def test_floating_ips(cloud: Connection) -> None:
    """Associated, shown by the server, freed with the port."""
    server = active(cloud, networks=[{"uuid": cloud.network.find_network("private").id}])
    public = cloud.network.find_network("public")
    port = next(iter(cloud.network.ports(device_id=server.id)))

    address = cloud.network.create_ip(floating_network_id=public.id, port_id=port.id)

    assert address.status == "ACTIVE"
    shown = cloud.compute.get_server(server.id).addresses["private"]
    assert [each["OS-EXT-IPS:type"] for each in shown] == ["fixed", "floating"]
    assert shown[1]["addr"] == address.floating_ip_address
    cloud.compute.delete_server(server)
    gone(cloud, server)
    assert cloud.network.get_ip(address.id).port_id is None
    cloud.network.delete_ip(address)


def test_security_groups(cloud: Connection) -> None:
    """With rules; a group in use stays."""
    group = cloud.network.create_security_group(name="web")
    cloud.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp",
        port_range_min=80, port_range_max=80,
    )  # fmt: skip
    server = active(cloud, security_groups=[{"name": "web"}])

    assert len(cloud.network.get_security_group(group.id).security_group_rules) == 3
    assert server.security_groups == [{"name": "web"}]
    with pytest.raises(exceptions.ConflictException, match="in use"):
        cloud.network.delete_security_group(group, ignore_missing=False)
    cloud.compute.delete_server(server)
    gone(cloud, server)
    cloud.network.delete_security_group(group, ignore_missing=False)


def test_regions_have_their_own_servers(api: Sandbox, cloud: Connection) -> None:
    """Same login, other machines."""
    server = boot(cloud)
    south = api.connect(region="south")

    assert list(south.compute.servers()) == []
    with pytest.raises(exceptions.NotFoundException):
        south.compute.get_server(server.id)


def test_wrong_password(api: Sandbox) -> None:
    """401 from Keystone."""
    wrong = Connection(
        region_name="north",
        auth={"auth_url": api.base_url + "/identity/v3", "username": "demo", "password": "no",
              "project_name": "demo", "user_domain_id": "default",
              "project_domain_id": "default"},
    )  # fmt: skip

    with pytest.raises(Unauthorized):
        wrong.session.get_token()
    wrong.close()


def test_the_control_endpoint_asks_for_its_token(api: Sandbox) -> None:
    """Whoever only reaches loopback, a test machine or a web page, turns no knob."""
    control = api.entry["sandbox_control"]
    rule = {"id": "forged", "effect": "drop"}

    for token in ("", "wrong", control["token"] + "x"):
        with pytest.raises(HTTPError) as refused:
            ask_control({**control, "token": token}, "POST", "/faults", rule)
        assert refused.value.code == 401
        assert "sandbox_control" in json.loads(refused.value.read())["error"]
    assert api.control("GET", "/faults") == {"faults": []}


def test_a_machine_dies_when_it_is_told_to(api: Sandbox, cloud: Connection) -> None:
    """SHUTOFF, as Nova finds it; who asks for one that is not there is told so."""
    server = active(cloud)

    assert api.control("POST", f"/servers/{server.id}/die") is None
    assert cloud.compute.get_server(server.id).status == "SHUTOFF"
    assert api.control("POST", "/servers/none/die")["status"] == 404


def test_volumes_are_attached_as_somebody_else_would(api: Sandbox, cloud: Connection) -> None:
    """Nova shows them with the server; who names none that is there is told so."""
    server = active(cloud)
    path = f"/servers/{server.id}/volumes"

    assert api.control("PUT", path, {"volumes": ["v1", "v2"]}) is None
    shown = cloud.compute.get_server(server.id).attached_volumes
    assert [one["id"] for one in shown] == ["v1", "v2"]
    assert api.control("PUT", path, {"volumes": []}) is None
    assert cloud.compute.get_server(server.id).attached_volumes == []
    assert api.control("PUT", path, {"volumes": 7})["status"] == 400
    assert api.control("PUT", "/servers/none/volumes", {"volumes": []})["status"] == 404


def test_application_credential(api: Sandbox, cloud: Connection) -> None:
    """Made through the API, good for a login."""
    user = cloud.current_user_id
    made = cloud.identity.create_application_credential(user=user, name="robot")

    robot = Connection(
        auth_type="v3applicationcredential", region_name="north",
        auth={"auth_url": api.base_url + "/identity/v3",
              "application_credential_id": made.id, "application_credential_secret": made.secret},
    )  # fmt: skip

    assert robot.current_project_id == cloud.current_project_id
    assert list(robot.compute.flavors())
    robot.close()


def test_restricted_application_credential(api: Sandbox, cloud: Connection) -> None:
    """Good for the calls that its rules name; the others meet a 401, as an unknown token does."""
    rules = [{"service": "compute", "method": "GET", "path": "/**/flavors/detail"}]
    made = cloud.identity.create_application_credential(
        user=cloud.current_user_id, name="clerk", access_rules=rules
    )

    clerk = Connection(
        auth_type="v3applicationcredential", region_name="north",
        auth={"auth_url": api.base_url + "/identity/v3",
              "application_credential_id": made.id, "application_credential_secret": made.secret},
    )  # fmt: skip

    assert made.access_rules == rules
    assert list(clerk.compute.flavors())
    with pytest.raises(exceptions.HttpException) as refused:
        list(clerk.compute.servers())
    assert refused.value.status_code == 401
    clerk.close()


def test_revoked_tokens_are_renewed_by_the_client(api: Sandbox, cloud: Connection) -> None:
    """The client sees 401, logs in again, and its caller notices nothing."""
    list(cloud.compute.servers())
    api.control("DELETE", "/calls")
    api.control("DELETE", "/tokens")

    assert list(cloud.compute.servers()) == []
    assert api.calls("identity", "token") == 1


def test_tokens_expire(tmp_path: Path) -> None:
    """After the configured time, whoever holds them."""
    with running(tmp_path, {"machines": "none", "token_lifetime": 0.5}) as sandbox:
        cloud = sandbox.connect()
        headers = {"X-Auth-Token": cloud.auth_token}
        url = f"{sandbox.base_url}/compute/RegionOne/v2.1/servers"

        def status() -> int:
            answer = cloud.session.get(
                url, headers=headers, authenticated=False, raise_exc=False, log=False
            )
            return int(answer.status_code)

        assert status() == 200
        wait_for(lambda: status() == 401, SOON_S, "the token to expire")
        assert list(cloud.compute.servers()) == []
