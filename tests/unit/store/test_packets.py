"""Bytes, against kazoo's own serialisation where it has one."""

import pytest
from kazoo.protocol import serialization as kazoo
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from remuda.store import access
from remuda.store.access import Access
from remuda.store.api import (
    Check,
    Create,
    Delete,
    NotEmptyError,
    NotPermittedError,
    RejectedError,
    Set,
    StoreError,
    StoreRefusedError,
    TooLargeError,
)
from remuda.store.options import StoreOptions
from remuda.store.packets import (
    PACKET_BYTES_MAX,
    GetChildren,
    GetData,
    acl_packer,
    rejection,
    transaction,
)
from remuda.store.securing import GetAcl, SetAcl

OPEN = acl_packer(Access(fixed=access.OPEN))
OPS = (
    Create(path="/a-", data="ä".encode(), ephemeral=True, sequence=True),
    Set(path="/b", data=b"", version=3),
    Delete(path="/c"),
    Check(path="/d", version=0),
)


def test_a_transaction_is_what_kazoo_would_send() -> None:
    """With the chroot before each path."""
    expected = kazoo.Transaction(
        [
            kazoo.Create("/root/a-", "ä".encode(), OPEN_ACL_UNSAFE, 3),
            kazoo.SetData("/root/b", b"", 3),
            kazoo.Delete("/root/c", -1),
            kazoo.CheckVersion("/root/d", 0),
        ]
    )

    assert transaction(OPS, root="/root", acl=OPEN).serialize() == expected.serialize()


def test_reads_are_what_kazoo_would_send() -> None:
    """One-shot watches are a flag."""
    assert GetData("/ä").serialize() == kazoo.GetData("/ä", None).serialize()
    assert GetData("/a", watch=True).serialize() == kazoo.GetData("/a", print).serialize()
    assert GetChildren("/a").serialize() == kazoo.GetChildren2("/a", None).serialize()


def test_access_control_is_part_of_every_create() -> None:
    """By its path without the chroot: here, of two, one is closed to all but one name."""
    options = StoreOptions(hosts=("zk:1",), credentials=(("digest", "us:secret"),))
    ops = [Create(path="/remuda/failures/a"), Create(path="/nodepool")]
    sent = transaction(ops, root="/root", acl=acl_packer(Access.of(options)))
    closed = [make_digest_acl("us", "secret", all=True)]
    expected = kazoo.Transaction(
        [
            kazoo.Create("/root/remuda/failures/a", b"", closed, 0),
            kazoo.Create("/root/nodepool", b"", OPEN_ACL_UNSAFE, 0),
        ]
    )

    assert sent.serialize() == expected.serialize()


def test_access_control_lists_are_asked_and_set_as_kazoo_does() -> None:
    """For the znodes that are there already."""
    acl = Access(launchers=("sasl:us",)).acl("/remuda")
    kazoos = [make_acl("sasl", "us", all=True), make_acl("world", "anyone", read=True)]

    assert GetAcl("/a").serialize() == kazoo.GetACL("/a").serialize()
    assert SetAcl("/a", acl).serialize() == kazoo.SetACL("/a", kazoos, -1).serialize()


def test_a_failure_is_named_by_the_first_real_error() -> None:
    """Those before are rolled back (0), those after not tried (-2)."""
    header = kazoo.MultiHeader(-1, False, 0).serialize()  # noqa: FBT003 - kazoo's tuple
    codes = (0, 0, -111, -2)
    raw = b"".join(header + kazoo.int_struct.pack(code) for code in codes)

    error = transaction(OPS, root="", acl=OPEN).deserialize(raw, 0, 0)

    assert isinstance(error, NotEmptyError)
    assert error.path == "/c"


def test_a_packet_that_the_server_would_drop_is_not_made() -> None:
    """The largest operation is named."""
    body = b"x" * (PACKET_BYTES_MAX - 100)
    transaction([Set(path="/a", data=body, version=0)], root="", acl=OPEN)

    with pytest.raises(TooLargeError, match="/b"):
        transaction(
            [Create(path="/a", data=b"x" * 90), Set(path="/b", data=body, version=0)],
            root="",
            acl=OPEN,
        )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-102, NotPermittedError),
        (-114, StoreRefusedError),
        (-108, RejectedError),
        (-9999, RejectedError),
    ],
)
def test_every_error_has_a_type(code: int, kind: type[StoreError]) -> None:
    """Unknown numbers are rejections that show the number."""
    error = rejection(code, "/a")

    assert type(error) is kind
    assert "/a" in str(error)
