"""Public keys of people: what is one, and everything else refused in one sentence."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from remuda.model.publickey import (
    COMMENT_CHARS_MAX,
    KEYS_MAX,
    LINE_CHARS_MAX,
    TEXT_BYTES_MAX,
    PublicKeyError,
    is_fingerprint,
    parse_key,
    parse_keys,
    read_key,
)


def string(raw: bytes) -> bytes:
    """Return a string of RFC 4251."""
    return len(raw).to_bytes(4, "big") + raw


def line(kind: str, *parts: bytes) -> str:
    """Return a key that is made of these parts."""
    blob = b"".join(string(one) for one in (kind.encode(), *parts))
    return f"{kind} {base64.b64encode(blob).decode()}"


def openssh(key: object) -> str:
    """Return the line of a key of cryptography."""
    public = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)  # type: ignore[attr-defined]
    return public.decode()


ED25519 = openssh(ed25519.Ed25519PrivateKey.generate().public_key())
RSA = openssh(rsa.generate_private_key(65537, 2048).public_key())
CURVES = [
    openssh(ec.generate_private_key(curve).public_key())
    for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
]
POINT = b"\4" + bytes(64)
TOKENS = [
    line("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
    line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINT, b"ssh:work"),
]
GOOD = [ED25519, RSA, *CURVES, *TOKENS]


@pytest.mark.parametrize("key", GOOD, ids=lambda one: one.split()[0])
def test_keys_of_all_types_on_the_list_are_taken(key: str) -> None:
    """With a comment and blanks around, and nothing of that goes on."""
    found = parse_key(f"  {key}\tada@host (work)  \r\n")
    assert (found.line, found.comment) == (key, "ada@host (work)")
    assert is_fingerprint(found.fingerprint)
    assert read_key(key) == parse_key(key)
    assert read_key(f"{key} ada") is None


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")
@pytest.mark.parametrize("key", [ED25519, RSA, *CURVES], ids=lambda one: one.split()[0])
def test_fingerprints_are_those_of_openssh(tmp_path: Path, key: str) -> None:
    """Or nobody could compare them."""
    (tmp_path / "key.pub").write_text(f"{key}\n")
    words = ["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30.0).stdout
    assert said.split()[1] == parse_key(key).fingerprint


def test_a_file_may_hold_several_with_remarks() -> None:
    """As an answer of a forge does; each once."""
    text = f"# of ada\n\n{ED25519} laptop\n{TOKENS[0]}\n{ED25519} again\n"
    assert [one.line for one in parse_keys(text)] == [ED25519, TOKENS[0]]
    with pytest.raises(PublicKeyError, match="holds 2 keys, and one is wanted"):
        parse_key(text)


_KIND, _BLOB = ED25519.split()
REFUSED = {
    "": "holds no public key",
    "# nothing\n": "holds no public key",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nxyz": "holds a private key",
    f'command="sh" {ED25519}': "has options before the key",
    f"no-pty {ED25519}": "has options before the key",
    f'cert-authority,principals="x" {ED25519}': "has options before the key",
    f"ssh-ed25519-cert-v01@openssh.com {_BLOB}": "is a certificate, not a key",
    f"ssh-dss {_BLOB}": "ssh-dss is none of ssh-ed25519",
    "<html>nothing here</html>": "this is none of ssh-ed25519",
    "hunter2": "this is none of ssh-ed25519",
    "sk-SECRET@1 x": "this is none of ssh-ed25519",
    _KIND: "is cut: nothing follows",
    f"{_KIND} {_BLOB[:-4]}": "a part of the key is missing",
    f"{_KIND} {_BLOB[:-1]}": "is no base64",
    f"{_KIND} {_BLOB}====": "is no base64",
    f"{_KIND} {_BLOB}\v# x": "control character",
    f"{_KIND} {_BLOB}\x1b[31m": "control character",
    f"{_KIND} {_BLOB}\r# second line": "control character",
    f"{_KIND} {_BLOB}\u2028x": "control character",
    f"ssh-rsa {_BLOB}": "says that it is of type ssh-rsa",
    f"{_KIND} {base64.b64encode(b'ab').decode()}": "a part of the key is missing",
    line(_KIND): "a part of the key is missing",
    line(_KIND, bytes(31)): "has 32 bytes",
    line(_KIND, bytes(32), b"more"): "something follows the key",
    line("ecdsa-sha2-nistp256", b"nistp384", POINT): "not that of its type",
    line("ecdsa-sha2-nistp256", b"nistp256", b"\2" + bytes(32)): "no point",
    line("sk-ssh-ed25519@openssh.com", bytes(32), b"https://x"): "made for something else",
    line("ssh-rsa", b"\3", b"\x00\x80" + bytes(126) + b"\1"): "with 1024 bits",
    line("ssh-rsa", b"\3", b"\1" * 4000): "bits, and 2048 to 16384 are taken",
    line("ssh-rsa", b"\2", b"\x7f" * 257): "no numbers of a key",
    line("ssh-rsa", b"", b"\x7f" * 257): "no numbers of a key",
    line("ssh-rsa", b"\3", b"\0\1" * 200): "no numbers of a key",
    line("ssh-rsa", b"\3", b"\xff" * 257): "no numbers of a key",
    f"{ED25519} {'x' * LINE_CHARS_MAX}": "has a line of more than",
    "#" * (TEXT_BYTES_MAX + 1): "is longer than 64 KiB",
    "\n".join([ED25519] * (KEYS_MAX + 1)): f"more than {KEYS_MAX}",
    "root:x:0:0:root:/root:/bin/bash\n"
    * (KEYS_MAX + 1): "is no public key of a type that is taken",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda one: REFUSED[one][:24])
def test_everything_else_is_refused_in_a_sentence(text: str) -> None:
    """With the reason, and without the text."""
    with pytest.raises(PublicKeyError, match=r"^[a-z]") as caught:
        parse_keys(text)
    assert REFUSED[text] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "xyz" not in str(caught.value)
    assert read_key(text) is None


def test_old_kinds_are_refused() -> None:
    """They are said by name."""
    with pytest.raises(PublicKeyError, match="ssh-dss is none of"):
        parse_key(line("ssh-dss", b"p", b"q", b"g", b"y"))


def test_comments_are_cut_and_plain() -> None:
    """They are shown."""
    found = parse_key(f"{ED25519} \u00e9{'x' * 200}")
    assert found.comment == "x" * COMMENT_CHARS_MAX


def with_one_more(key: str) -> st.SearchStrategy[str]:
    """Return keys with a character too many."""
    return st.integers(0, len(key)).map(lambda place: f"{key[:place]}A{key[place:]}")


@given(st.text(max_size=300) | st.sampled_from(GOOD).flatmap(with_one_more))
def test_no_text_raises_anything_else(text: str) -> None:
    """And what is taken is a line of its own, without options."""
    try:
        found = parse_keys(text)
    except PublicKeyError:
        return
    for key in found:
        assert read_key(key.line) is not None
        assert len(key.line.split()) == 2


@given(st.sampled_from(GOOD), st.binary(max_size=40), st.integers(0, 600))
def test_no_bytes_raise_anything_else(key: str, more: bytes, where: int) -> None:
    """A key with other bytes at a place is a key, or refused."""
    kind, text = key.split()
    raw = bytearray(base64.b64decode(text))
    raw[where : where + len(more)] = more
    broken = f"{kind} {base64.b64encode(bytes(raw)).decode()}"
    found = read_key(broken)
    assert found is None or found.line == broken
