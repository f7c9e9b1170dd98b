"""Comparing a clone with the machine that its image was made on."""

import json
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.quiet.identity import Identity, decode_identity, same_identity
from builder.quiet.kinds import Kind
from remuda.model.codec import CorruptRecordError

BUILD = Identity(
    machine_id="a" * 32,
    boot_id="b-1",
    hostname="Build-7",
    instance_id="i-1",
    seed="c" * 64,
    host_keys=("d" * 64, "e" * 64),
    dhcp_ids=("f" * 64,),
)
CLONE = Identity(
    machine_id="1" * 32,
    boot_id="b-2",
    hostname="node-9",
    instance_id="i-2",
    seed="2" * 64,
    host_keys=("3" * 64,),
    dhcp_ids=("4" * 64,),
)
SHARED = {
    "machine_id": Kind.SAME_MACHINE_ID,
    "boot_id": Kind.SAME_BOOT_ID,
    "hostname": Kind.SAME_HOSTNAME,
    "instance_id": Kind.SAME_INSTANCE_ID,
    "seed": Kind.SAME_SEED,
    "host_keys": Kind.SAME_HOST_KEY,
    "dhcp_ids": Kind.SAME_DHCP_ID,
}


def test_a_clone_of_its_own_shares_nothing() -> None:
    """Neither way round; and nobody shares what nobody has."""
    assert same_identity(BUILD, CLONE) == []
    assert same_identity(CLONE, BUILD) == []
    assert same_identity(Identity(), Identity()) == []


@pytest.mark.parametrize("name", [field.name for field in fields(Identity)])
def test_each_field_is_compared(name: str) -> None:
    """One that is equal is one residue at least, of its own kind."""
    clone = replace(CLONE, **{name: getattr(BUILD, name)})

    assert {one.kind for one in same_identity(BUILD, clone)} == {SHARED[name]}


def test_one_key_of_several_is_enough() -> None:
    """Names of hosts do not depend on case."""
    clone = replace(CLONE, host_keys=("3" * 64, "e" * 64), hostname="build-7")

    found = {(one.kind, one.file) for one in same_identity(BUILD, clone)}

    assert found == {(Kind.SAME_HOST_KEY, "e" * 64), (Kind.SAME_HOSTNAME, "build-7")}


@pytest.mark.parametrize("word", ["localhost", "LOCALHOST", ""])
def test_a_name_that_says_nothing_is_not_shared(word: str) -> None:
    """Machines that have none yet are not therefore one."""
    assert same_identity(replace(BUILD, hostname=word), replace(CLONE, hostname=word)) == []


def test_an_id_that_is_not_made_yet_is_not_shared() -> None:
    """Systemd's own word for it."""
    none = "uninitialized"
    assert same_identity(replace(BUILD, machine_id=none), replace(CLONE, machine_id=none)) == []


@pytest.mark.parametrize(
    "doc",
    [
        {"machine_id": 7},
        {"machine_id": "x" * 601},
        {"hostname": "a b"},
        {"hostname": "\x1b[0m"},
        {"seed": "short"},
        {"host_keys": ["x"]},
        {"host_keys": ["a" * 64] * 65},
        {"host_keys": {"a": 1}},
        {"dhcp_ids": [1]},
    ],
)
def test_what_no_machine_says_is_refused(doc: dict[str, object]) -> None:
    """Each field is typed and bounded."""
    with pytest.raises(CorruptRecordError):
        decode_identity(doc)


DIGESTS = st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=5)
WORDS = st.text("abcXYZ019_.:@+-", max_size=60)


@given(WORDS, WORDS, WORDS, WORDS, DIGESTS, DIGESTS)
def test_a_record_of_it_comes_back(  # noqa: PLR0917 - hypothesis gives them so
    machine: str, boot: str, host: str, instance: str, keys: list[str], duids: list[str]
) -> None:
    """The codec loses nothing, and whoever is compared with itself shares all it has."""
    one = Identity(
        machine_id=machine,
        boot_id=boot,
        hostname=host,
        instance_id=instance,
        host_keys=tuple(sorted(set(keys))),
        dhcp_ids=tuple(sorted(set(duids))),
    )

    assert decode_identity(json.loads(json.dumps(asdict(one)))) == one
    assert len([r for r in same_identity(one, one) if r.kind is Kind.SAME_HOST_KEY]) == len(
        one.host_keys
    )
