"""Private key files: which are read, and what is said of others."""

import base64
import contextlib
import subprocess
from pathlib import Path

import pytest

from remuda.ssh.errors import KeyFileError
from remuda.ssh.keyfile import KeyRing, line_of, load_key


def _keygen(file: Path, *words: str) -> None:
    line = ["ssh-keygen", "-q", "-N", "", "-C", "", "-f", str(file), *words]
    subprocess.run(line, check=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "words",
    [
        ("-t", "ed25519"),
        ("-t", "ecdsa", "-b", "256"),
        ("-t", "rsa", "-b", "2048"),
        ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    ],
)
def test_the_usual_kinds_are_read(tmp_path: Path, words: tuple[str, ...]) -> None:
    """In the form of OpenSSH and in the old one."""
    file = tmp_path / "key"
    _keygen(file, *words)

    expected = (tmp_path / "key.pub").read_text().split()[:2]

    assert line_of(load_key(str(file))).split() == expected


def test_ecdsa_keys_without_a_comment_are_read(tmp_path: Path) -> None:
    """Every second one has a form that paramiko cannot read by itself."""
    for number in range(12):
        file = tmp_path / str(number)
        _keygen(file, "-t", "ecdsa", "-b", "256")

        assert load_key(str(file)).get_name() == "ecdsa-sha2-nistp256"


def test_a_passphrase_is_named(tmp_path: Path) -> None:
    """A daemon has nobody to ask."""
    file = tmp_path / "key"
    _keygen(file, "-t", "ed25519")
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(file)],
        check=True,
        stdout=subprocess.DEVNULL,
    )

    with pytest.raises(KeyFileError, match="it has a passphrase"):
        load_key(str(file))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_is_no_key_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    """With the file's name."""
    file = tmp_path / "key"
    file.write_text(text)

    with pytest.raises(KeyFileError, match="key: not an ed25519, RSA or ECDSA private key"):
        load_key(str(file))


def test_a_public_key_is_not_a_private_one(tmp_path: Path) -> None:
    """A common mistake."""
    _keygen(tmp_path / "key", "-t", "ed25519")

    with pytest.raises(KeyFileError, match="private key"):
        load_key(str(tmp_path / "key.pub"))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """By reading and by the ring."""
    for load in (load_key, KeyRing().key):
        with pytest.raises(KeyFileError, match="No such file"):
            load(str(tmp_path / "absent"))


def test_the_ring_reads_a_file_once(tmp_path: Path) -> None:
    """The same key comes back until the file changes."""
    file = tmp_path / "key"
    _keygen(file, "-t", "ed25519")
    ring = KeyRing()
    first = ring.key(str(file))
    same = ring.key(str(file))
    file.unlink()
    _keygen(tmp_path / "other", "-t", "ed25519")
    (tmp_path / "other").rename(file)

    assert first is same
    assert ring.key(str(file)) != first


def test_a_damaged_key_is_a_key_or_said_to_be_none(tmp_path: Path) -> None:
    """Whatever a byte of it has become: the libraries have more errors than one."""
    _keygen(tmp_path / "key", "-t", "ecdsa")
    head, *middle, tail = (tmp_path / "key").read_text().splitlines()
    body = base64.b64decode("".join(middle))

    for place in range(min(len(body), 240)):
        spoiled = bytes((*body[:place], body[place] ^ 6, *body[place + 1 :]))
        text = f"{head}\n{base64.encodebytes(spoiled).decode()}{tail}\n"
        (tmp_path / "spoiled").write_text(text)

        with contextlib.suppress(KeyFileError):
            load_key(str(tmp_path / "spoiled"))
