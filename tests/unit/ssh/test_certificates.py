"""Certificates for held machines: good for one, until its end, and for nothing else."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    SSHCertificate,
    load_ssh_public_identity,
)

from remuda.model.ids import NodeId
from remuda.model.publickey import parse_key
from remuda.ssh.certificates import EARLY_S, authority_line, principal_of, sign, trust_line
from remuda.ssh.errors import KeyFileError, KeySourceError
from tests.unit.model.test_publickey import CURVES, ED25519, RSA, TOKENS

NODE = NodeId("3000000001")


def authority(folder: Path, key: object = None) -> str:
    """Make an authority."""
    file = folder / "ca"
    made = key or ed25519.Ed25519PrivateKey.generate()
    file.write_bytes(
        made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())  # type: ignore[attr-defined]
    )
    return str(file)


@pytest.mark.parametrize("key", [ED25519, RSA, *CURVES], ids=lambda one: one.split()[0])
def test_a_certificate_is_good_for_one_hold(tmp_path: Path, key: str) -> None:
    """Of one machine, for its time; no agent is led on, and no file of the machine's is run."""
    path = authority(tmp_path)
    line = sign(path, parse_key(key), NODE, key_id="ada", from_s=10_000.0, until_s=13_600.5)
    made = load_ssh_public_identity(line.encode())
    assert isinstance(made, SSHCertificate)
    made.verify_cert_signature()
    assert made.valid_principals == [principal_of(NODE).encode()]
    assert (made.valid_after, made.valid_before) == (10_000 - EARLY_S, 13_600)
    assert set(made.extensions) == {b"permit-pty", b"permit-port-forwarding"}
    assert trust_line(authority_line(path), NODE).startswith(
        f'cert-authority,principals="remuda-hold-{NODE}" ssh-ed25519 '
    )


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")
@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())],
    ids=["rsa", "ecdsa"],
)
def test_openssh_reads_what_other_authorities_sign(tmp_path: Path, key: object) -> None:
    """As its own."""
    line = sign(
        authority(tmp_path, key),
        parse_key(ED25519),
        NODE,
        key_id="ada on 3000000001",
        from_s=1e9,
        until_s=2e9,
    )
    (tmp_path / "key-cert.pub").write_text(f"{line}\n")
    words = ["ssh-keygen", "-L", "-f", str(tmp_path / "key-cert.pub")]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30.0).stdout
    assert principal_of(NODE) in said
    assert '"ada on 3000000001"' in said


def test_what_cannot_be_signed_is_a_sentence(tmp_path: Path) -> None:
    """A token's key, no authority, one that is none or has a passphrase."""
    path = authority(tmp_path)
    with pytest.raises(KeySourceError, match="is made for a key on a token"):
        sign(path, parse_key(TOKENS[0]), NODE, key_id="", from_s=0.0, until_s=1.0)
    with pytest.raises(KeyFileError, match="No such file"):
        authority_line(str(tmp_path / "none"))
    (tmp_path / "ca").write_text("nonsense")
    with pytest.raises(KeyFileError, match="not a private key"):
        authority_line(path)
