"""What tells one machine from another: recorded on a build machine, compared with its clones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from builder.quiet.kinds import Kind, Residue
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import Fields

#: Honest machines have four host keys, and a lease per interface.
DIGESTS_MAX: Final = 64
#: Names that say nothing: two machines that have none yet are not therefore one.
_NAMELESS: Final = frozenset({"", "localhost", "localhost.localdomain", "none"})
#: What systemd writes where no id is yet.
_NO_IDS: Final = frozenset({"", "uninitialized"})
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9_.:@+-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One machine, as it says itself; empty where it has no such thing.

    Attributes:
        machine_id: Of systemd.
        boot_id: Of the kernel; empty in a container, whose kernel is another's.
        hostname: As the kernel has it.
        instance_id: Of cloud-init.
        seed: SHA-256 of the random seed that lies on the disk.
        host_keys: SHA-256 of each public SSH host key, in hexadecimal.
        dhcp_ids: SHA-256 of each stored DUID, or of the line with it.
    """

    machine_id: str = ""
    boot_id: str = ""
    hostname: str = ""
    instance_id: str = ""
    seed: str = ""
    host_keys: tuple[str, ...] = ()
    dhcp_ids: tuple[str, ...] = ()


def decode_identity(doc: dict[str, Any]) -> Identity:
    """Return the identity in a machine's own words, or in a record of it.

    Raises:
        CorruptRecordError: A field is of another type, too long, or holds what it cannot hold.
    """
    fields = Fields("identity", doc)
    return Identity(
        machine_id=_word(fields, "machine_id"),
        boot_id=_word(fields, "boot_id"),
        hostname=_word(fields, "hostname"),
        instance_id=_word(fields, "instance_id"),
        seed=next(iter(_digests(fields, "seed", (fields.maybe_text("seed") or "",))), ""),
        host_keys=_digests(fields, "host_keys", fields.texts("host_keys", DIGESTS_MAX)),
        dhcp_ids=_digests(fields, "dhcp_ids", fields.texts("dhcp_ids", DIGESTS_MAX)),
    )


def encode_identity(identity: Identity) -> dict[str, Any]:
    """Return *identity* for a record; the pair of :func:`decode_identity`."""
    return {
        "machine_id": identity.machine_id,
        "boot_id": identity.boot_id,
        "hostname": identity.hostname,
        "instance_id": identity.instance_id,
        "seed": identity.seed,
        "host_keys": list(identity.host_keys),
        "dhcp_ids": list(identity.dhcp_ids),
    }


def same_identity(build: Identity, clone: Identity) -> list[Residue]:
    """Return what *clone* has in common with the machine that its image was made on. Pure."""
    return list(_shared(build, clone))


def _shared(build: Identity, clone: Identity) -> Iterator[Residue]:
    words = (
        (Kind.SAME_MACHINE_ID, build.machine_id, clone.machine_id, _NO_IDS),
        (Kind.SAME_BOOT_ID, build.boot_id, clone.boot_id, _NO_IDS),
        (Kind.SAME_HOSTNAME, build.hostname.lower(), clone.hostname.lower(), _NAMELESS),
        (Kind.SAME_INSTANCE_ID, build.instance_id, clone.instance_id, _NO_IDS),
        (Kind.SAME_SEED, build.seed, clone.seed, _NO_IDS),
    )
    for kind, ours, theirs, nothing in words:
        if ours == theirs and ours not in nothing:
            yield Residue(kind, ours)
    for kind, many, others in (
        (Kind.SAME_HOST_KEY, build.host_keys, clone.host_keys),
        (Kind.SAME_DHCP_ID, build.dhcp_ids, clone.dhcp_ids),
    ):
        for one in sorted(set(many) & set(others)):
            yield Residue(kind, one)


def _word(fields: Fields, key: str) -> str:
    value = fields.maybe_text(key, 600) or ""
    if not _WORD.fullmatch(value):
        raise fields.refuse(key, "a word")
    return value


def _digests(fields: Fields, key: str, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value and not _DIGEST.fullmatch(value):
            raise CorruptRecordError(fields.name, f"{key} holds what is no SHA-256")
    return tuple(sorted({value for value in values if value}))
