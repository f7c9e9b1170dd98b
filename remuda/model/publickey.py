"""Public keys of people: parsed, of types on a list, bounded, and nothing beside the key; pure.

A line of a person goes into ``authorized_keys`` of a machine. What OpenSSH lets stand there beside
a key (options such as ``command=``, a second line) is refused, not cut: a key that is not what its
owner believes is worse than none. What goes on is put together from the parts that were read.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

#: A line with a key of RSA with 16,384 bits has 2,800 characters, and a comment may follow.
LINE_CHARS_MAX: Final = 8192
#: Keys of one person; more is a list of something else.
KEYS_MAX: Final = 8
#: Of a file or an answer that holds them, with comments.
TEXT_BYTES_MAX: Final = 64 * 1024
#: Longer comments are cut: they are shown, and go nowhere else.
COMMENT_CHARS_MAX: Final = 80
#: Below this RSA is broken within reach; sshd takes no longer ones.
RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 16_384
_ED25519_BYTES: Final = 32
_APPLICATION_BYTES_MAX: Final = 255
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
#: Types that are not taken, and may be named: nobody's secret looks so.
_OTHERS: Final = frozenset(
    {
        *("ssh-dss", "ssh-ed448", "ssh-rsa1", "ssh-xmss@openssh.com", "rsa-sha2-256"),
        *("rsa-sha2-512", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"),
    }
)
_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)
_PRIVATE: Final = "PRIVATE KEY"
_CERTIFICATE: Final = "-cert-v01@openssh.com"


class PublicKeyError(ValueError):
    """A text is no public key that is taken; the message is one sentence without its subject.

    It quotes nothing of the text but a type that OpenSSH knows: a password, or the token of a
    server that answers for another, may have been given by a slip.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that may be put onto a machine.

    Attributes:
        kind: Its type, as OpenSSH calls it.
        blob: The key itself, in base64.
        comment: What stood behind it, made safe; for people alone.
    """

    kind: str
    blob: str
    comment: str = ""

    @property
    def line(self) -> str:
        """The key as ``<type> <base64>``, and nothing else."""
        return f"{self.kind} {self.blob}"

    @property
    def said(self) -> str:
        """The key with what its owner calls it, as a line that is read and goes nowhere else."""
        return f"{self.line} {self.comment}" if self.comment else self.line

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` shows it."""
        return fingerprint_of(base64.b64decode(self.blob))


def fingerprint_of(blob: bytes) -> str:
    """Return the fingerprint of the bytes of a key."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def is_fingerprint(text: str) -> bool:
    """Whether a text is a fingerprint, as we write it."""
    return _FINGERPRINT.fullmatch(text) is not None


def parse_key(text: str) -> PublicKey:
    """Return the one key in *text*, a line as in a ``.pub`` file.

    Raises:
        PublicKeyError: With what is wrong; never anything else.
    """
    keys = parse_keys(text)
    if len(keys) > 1:
        raise PublicKeyError(f"holds {len(keys)} keys, and one is wanted")
    return keys[0]


def parse_keys(text: str) -> tuple[PublicKey, ...]:
    """Return the keys in *text*, as in an ``authorized_keys`` file without options.

    Raises:
        PublicKeyError: If there is none, one of them is refused, or there are too many.
    """
    if len(text) > TEXT_BYTES_MAX:
        raise PublicKeyError(f"is longer than {TEXT_BYTES_MAX // 1024} KiB: that is no key")
    if _PRIVATE in text:
        raise PublicKeyError("holds a private key: give the public one, of the file with .pub")
    lines = text.replace("\r\n", "\n").split("\n")
    wanted = [one.strip(" \t") for one in lines]
    wanted = [one for one in wanted if one and not one.startswith("#")]
    if not wanted:
        raise PublicKeyError("holds no public key")
    _parse_line(wanted[0])  # of a file that holds something else the number of lines says nothing
    if len(wanted) > KEYS_MAX:
        raise PublicKeyError(f"holds {len(wanted)} keys, more than {KEYS_MAX}")
    found = {key.line: key for key in map(_parse_line, wanted)}
    return tuple(found.values())


def read_key(line: str) -> PublicKey | None:
    """Return the key that a record holds: ``<type> <base64>``, exactly; None: it is none."""
    try:
        key = _parse_line(line)
    except PublicKeyError:
        return None
    return key if key.line == line else None


def _parse_line(line: str) -> PublicKey:
    if len(line) > LINE_CHARS_MAX:
        raise PublicKeyError(f"has a line of more than {LINE_CHARS_MAX} characters: that is no key")
    if any(not (each.isprintable() or each == "\t") for each in line):
        raise PublicKeyError("holds a control character or a line end in a key")
    kind, *rest = line.split(None, 2) or [""]
    if kind not in _READERS:
        raise PublicKeyError(_why_not(kind, line))
    if not rest:
        raise PublicKeyError(f"is cut: nothing follows {kind}")
    blob = _decoded(rest[0])
    _read(kind, blob)
    comment = "".join(each for each in "".join(rest[1:]) if each.isascii())
    comment = " ".join(comment[:COMMENT_CHARS_MAX].split())
    return PublicKey(kind=kind, blob=rest[0], comment=comment)


def _why_not(kind: str, line: str) -> str:
    known = ", ".join(_READERS)
    if kind.endswith(_CERTIFICATE):
        return "is a certificate, not a key"
    if any(one in line for one in _READERS):
        return "has options before the key, and they are refused: give the key alone"
    word = kind if kind in _OTHERS else "this"
    return f"is no public key of a type that is taken: {word} is none of {known}"


def _decoded(text: str) -> bytes:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    # Base64 has several texts for the same bytes, and a key must have one.
    if not blob or not _BASE64.fullmatch(text) or base64.b64encode(blob).decode() != text:
        raise PublicKeyError("is cut or damaged: the key is no base64")
    return blob


def _read(kind: str, blob: bytes) -> None:
    """Make sure that the bytes are a key of its type, to the last one.

    Raises:
        PublicKeyError: With what is wrong.
    """
    parts = _strings(blob)
    try:
        if next(parts) != kind.encode():
            raise PublicKeyError(f"says that it is of type {kind}, and the key is of another")
        _READERS[kind](parts)
    except StopIteration:
        raise PublicKeyError("is cut or damaged: a part of the key is missing") from None
    if next(parts, None) is not None:
        raise PublicKeyError("is damaged: something follows the key")


def _strings(blob: bytes) -> Iterator[bytes]:
    """Yield the strings of RFC 4251 in *blob*."""
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size or len(blob) < 4:  # noqa: PLR2004 - octets of the length
            raise PublicKeyError("is cut or damaged: a part of the key is missing")
        yield blob[4 : 4 + size]
        blob = blob[4 + size :]


def _ed25519(parts: Iterator[bytes]) -> None:
    if len(next(parts)) != _ED25519_BYTES:
        raise PublicKeyError("is damaged: a key of ed25519 has 32 bytes")


def _curve(name: str, field_bytes: int) -> Callable[[Iterator[bytes]], None]:
    def read(parts: Iterator[bytes]) -> None:
        if next(parts) != name.encode():
            raise PublicKeyError("is damaged: its curve is not that of its type")
        point = next(parts)
        if len(point) != 1 + 2 * field_bytes or point[0] != 4:  # noqa: PLR2004 - uncompressed
            raise PublicKeyError("is damaged: it has no point of its curve")

    return read


def _rsa(parts: Iterator[bytes]) -> None:
    exponent, modulus = _positive(next(parts)), _positive(next(parts))
    bits = modulus.bit_length()
    if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX:
        raise PublicKeyError(
            f"is a key of RSA with {bits} bits, and {RSA_BITS_MIN} to {RSA_BITS_MAX} are taken"
        )
    if exponent < 3 or not exponent & 1 or not modulus & 1:  # noqa: PLR2004 - the least
        raise PublicKeyError("is damaged: these are no numbers of a key of RSA")


def _positive(raw: bytes) -> int:
    """Return a positive number, in its one form of RFC 4251."""
    needless = raw[:1] == b"\0" and raw[1:2] < b"\x80"
    if not raw or raw[0] >= 128 or needless:  # noqa: PLR2004 - the sign
        raise PublicKeyError("is damaged: these are no numbers of a key of RSA")
    return int.from_bytes(raw, "big")


def _on_a_token(
    read: Callable[[Iterator[bytes]], None],
) -> Callable[[Iterator[bytes]], None]:
    """Return what reads a key of a FIDO token: beside the key there is what it was made for."""

    def both(parts: Iterator[bytes]) -> None:
        read(parts)
        application = next(parts)
        if not application.startswith(b"ssh:") or len(application) > _APPLICATION_BYTES_MAX:
            raise PublicKeyError("is a key of a token that was made for something else than SSH")

    return both


_P256: Final = _curve("nistp256", 32)
#: The types that are taken, with what reads the rest of each.
_READERS: Final[Mapping[str, Callable[[Iterator[bytes]], None]]] = {
    "ssh-ed25519": _ed25519,
    "sk-ssh-ed25519@openssh.com": _on_a_token(_ed25519),
    "ecdsa-sha2-nistp256": _P256,
    "ecdsa-sha2-nistp384": _curve("nistp384", 48),
    "ecdsa-sha2-nistp521": _curve("nistp521", 66),
    "sk-ecdsa-sha2-nistp256@openssh.com": _on_a_token(_P256),
    "ssh-rsa": _rsa,
}
