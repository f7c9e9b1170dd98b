"""What tells one machine from another: recorded on a build machine, compared with its clones.

In the record of a build it is a mapping of short texts (:func:`flat_identity`), with the line of
the key that opened the machine.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from builder.quiet.kinds import Kind, Residue
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import NAME_CHARS_MAX, Fields

#: Honest machines have four host keys, and a lease per interface.
DIGESTS_MAX: Final = 64
#: Names that say nothing: two machines that have none yet are not therefore one.
_NAMELESS: Final = frozenset({"", "localhost", "localhost.localdomain", "none"})
#: What systemd writes where no id is yet.
_NO_IDS: Final = frozenset({"", "uninitialized"})
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: Of each of the two lists so many fit into the record of a build.
FLAT_DIGESTS_MAX: Final = 24
_LOGIN_KEY: Final = "login_key"
_WORDS: Final = ("machine_id", "boot_id", "hostname", "instance_id", "seed")
_LISTS: Final = ("host_keys", "dhcp_ids")
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


def flat_identity(identity: Identity, login_key: str) -> Mapping[str, str]:
    """Return *identity* for the record of a build, with the public line of the key of its builder.

    Raises:
        ValueError: It is more than a record takes, and more than an honest machine has.
    """
    flat = {name: getattr(identity, name) for name in _WORDS}
    for name in _LISTS:
        values = getattr(identity, name)
        if len(values) > FLAT_DIGESTS_MAX:
            raise ValueError(f"{len(values)} {name}, more than {FLAT_DIGESTS_MAX}")
        flat |= {f"{name}.{at}": value for at, value in enumerate(values)}
    flat[_LOGIN_KEY] = login_key
    long = [name for name, value in flat.items() if len(value) > NAME_CHARS_MAX]
    if long:
        raise ValueError(f"{long[0]} has more than {NAME_CHARS_MAX} characters")
    return {name: value for name, value in flat.items() if value}


def read_flat_identity(flat: Mapping[str, str]) -> tuple[Identity, str]:
    """Return the machine, and the public line of the key that opened it.

    Raises:
        CorruptRecordError: Nobody wrote this by :func:`flat_identity`.
    """
    doc: dict[str, Any] = {name: flat[name] for name in _WORDS if name in flat}
    for name in _LISTS:
        doc[name] = [value for key, value in flat.items() if key.startswith(f"{name}.")]
    if _LOGIN_KEY not in flat:
        raise CorruptRecordError("identity", "it has no login key")
    return decode_identity(doc), flat[_LOGIN_KEY]


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
