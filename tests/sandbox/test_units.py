"""Small pure parts: states, quotas, addresses, user data, versions of things."""

import base64
import gzip
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from ipaddress import IPv4Network

import pytest

from sandbox.compute.refusals import check_quota, fitting
from sandbox.compute.states import (
    POWER_STATES,
    SERVER_TABLE,
    VM_STATES,
    IllegalTransitionError,
    ServerEvent,
    ServerState,
    step,
)
from sandbox.config import FlavorConfig, NetworkConfig, Quota
from sandbox.machines.bootplan import plan_boot
from sandbox.machines.keys import STRANGER, fingerprint
from sandbox.machines.sshd import sshd_config
from sandbox.network.addresses import AddressPool, NoAddressesError, RangeClaim, share_out
from sandbox.web.errors import ApiError

FLAVOR = FlavorConfig(name="f", id="1", vcpus=2, ram=512, disk=1)


def plan(data: bytes) -> object:
    """Plan a boot with one key."""
    return plan_boot(data, hostname="h", user="debian", keys=("key0",))


def test_every_state_is_in_every_table() -> None:
    """The table is total; only deleted servers go nowhere."""
    assert set(ServerState) == set(SERVER_TABLE) == set(VM_STATES) == set(POWER_STATES)
    assert [state for state, row in SERVER_TABLE.items() if not row] == [ServerState.DELETED]


def test_every_living_server_can_be_deleted() -> None:
    """Whatever happens to it."""
    for state in set(ServerState) - {ServerState.DELETED}:
        assert ServerState.DELETED is step(state, ServerEvent.DELETED)


def test_step_the_table_lacks_is_refused() -> None:
    """It is our own bug."""
    with pytest.raises(IllegalTransitionError, match="server in DELETED: no edge built"):
        step(ServerState.DELETED, ServerEvent.BUILT)


def test_quota_is_refused_in_novas_words() -> None:
    """The text that clients look for."""
    with pytest.raises(ApiError) as caught:
        check_quota(Quota(instances=2), (2, 4, 1024), FLAVOR, 1)

    assert (
        caught.value.message
        == "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances"
    )
    assert caught.value.status == 403


def test_several_exceeded_resources_are_all_named() -> None:
    """In alphabetical order, as Nova sorts them."""
    with pytest.raises(ApiError) as caught:
        check_quota(Quota(instances=2, cores=4), (2, 4, 1024), FLAVOR, 1)

    assert caught.value.message == (
        "Quota exceeded for cores, instances: Requested 2, 1, but already used 4, 2 of 4, 2"
        " cores, instances"
    )


def test_unlimited_quota_refuses_nothing() -> None:
    """-1 is no limit."""
    check_quota(Quota(instances=-1, cores=-1, ram=-1), (10**6, 10**6, 10**6), FLAVOR, 100)


def test_as_many_servers_as_fit() -> None:
    """The scarcest resource decides."""
    assert fitting(Quota(instances=10, cores=7), (1, 1, 0), FLAVOR, 5) == 3


def test_addresses_rest_before_they_are_used_again() -> None:
    """The pool goes round."""
    pool = AddressPool(IPv4Network("127.99.0.0/29"))

    first = pool.take()
    pool.give_back(first)
    others = [pool.take() for _ in range(4)]

    assert first == "127.99.0.2"
    assert first not in others
    assert first == pool.take()
    with pytest.raises(NoAddressesError):
        pool.take()


def test_certain_address() -> None:
    """Once, and only of this network."""
    pool = AddressPool(IPv4Network("127.99.0.0/29"))

    assert pool.take_this("127.99.0.3")
    assert not pool.take_this("127.99.0.3")
    assert not pool.take_this("127.98.0.3")
    assert not pool.take_this("127.99.0.1")
    assert not pool.take_this("nonsense")


def test_networks_of_all_regions_have_their_own_addresses() -> None:
    """No two of them overlap."""
    networks = [NetworkConfig(name="a"), NetworkConfig(name="b")]

    shares = share_out(IPv4Network("127.99.0.0/16"), ["r1", "r2"], networks)

    assert len(set(shares.values())) == 4
    parts = list(shares.values())
    assert not any(a.overlaps(b) for i, a in enumerate(parts) for b in parts[:i])
    with pytest.raises(NoAddressesError):
        share_out(IPv4Network("127.99.0.0/29"), ["r1", "r2"], networks)


def test_two_sandboxes_never_share_a_range() -> None:
    """The second one is told, or takes another."""
    first = RangeClaim.take("127.199.0.0/16")
    with pytest.raises(NoAddressesError, match="another sandbox"):
        RangeClaim.take("127.199.0.0/16")
    one, two = RangeClaim.take("auto"), RangeClaim.take("auto")

    assert one.network != two.network
    first.release()
    RangeClaim.take("127.199.0.0/16").release()
    one.release()
    two.release()


def test_cloud_config() -> None:
    """Host name, keys, host keys, files and commands."""
    boot = plan_boot(
        b"""#cloud-config
hostname: box.example.org
ssh_deletekeys: false
ssh_authorized_keys: [key1]
users: [default, {name: zuul, ssh_authorized_keys: [key2], sudo: "ALL=(ALL) NOPASSWD:ALL"}]
ssh_keys: {ed25519_private: PRIV, ed25519_public: PUB}
write_files:
- {path: /a, content: aGk=, encoding: b64, permissions: '0600', append: true}
- {content: no path}
runcmd: [echo hi, [touch, "/x y"]]
""",
        hostname="h",
        user="debian",
        keys=("key0",),
    )

    assert boot.hostname == "box"
    assert boot.keep_host_keys
    assert {user.name: user.keys for user in boot.users} == {
        "root": ("key0", "key1"),
        "debian": ("key0", "key1"),
        "zuul": ("key2",),
    }
    assert (
        boot.host_keys[0].kind,
        boot.host_keys[0].private,
        boot.host_keys[0].public,
    ) == ("ed25519", "PRIV\n", "PUB\n")
    assert (
        boot.files[0].content,
        boot.files[0].mode,
        boot.files[0].append,
    ) == (b"hi", 0o600, True)
    assert boot.scripts == (b"#!/bin/sh\necho hi\ntouch '/x y'\n",)
    assert len(boot.warnings) == 1


def test_scripts_and_multipart_and_gzip() -> None:
    """All forms in which user data comes."""
    parts = MIMEMultipart()
    parts.attach(MIMEText("#cloud-config\nhostname: m\n", "cloud-config"))
    parts.attach(MIMEText("#!/bin/sh\necho m\n", "x-shellscript"))

    multi = plan_boot(parts.as_bytes(), hostname="h", user="u", keys=())
    packed = plan_boot(gzip.compress(b"#!/bin/sh\n"), hostname="h", user="u", keys=())
    nothing = plan_boot(b"", hostname="h", user="root", keys=())
    odd = plan_boot(b"hello", hostname="h", user="root", keys=())

    assert (multi.hostname, multi.scripts) == ("m", (b"#!/bin/sh\necho m\n",))
    assert packed.scripts == (b"#!/bin/sh\n",)
    assert (nothing.hostname, nothing.scripts, nothing.warnings) == ("h", (), ())
    assert len(odd.warnings) == 1


def test_broken_cloud_config_is_a_warning() -> None:
    """As with cloud-init, the machine still boots."""
    assert "cloud-config ignored" in str(plan(b"#cloud-config\na: ["))


def test_fingerprint_of_keys() -> None:
    """None for what is no key."""
    assert fingerprint(STRANGER) is not None
    assert fingerprint("ssh-ed25519") is None
    assert fingerprint("ssh-ed25519 !!!") is None
    assert fingerprint("ssh-rsa " + base64.b64encode(b"\0\0\0\1x").decode()) is None


def test_new_sshd_is_told_not_to_shut_clients_out() -> None:
    """All clients have one address here; an old sshd does not know the word."""

    def text(version: tuple[int, int]) -> str:
        return sshd_config(
            address="127.1.1.1", port=22, host_keys=["/k"], keys_file="f", version=version
        )

    assert "PerSourcePenalties no" in text((9, 9))
    assert "PerSourcePenalties" not in text((9, 2))
