"""What ``remuda config check`` finds in keys and certificates; it shows nothing of them."""

import datetime as dt
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from remuda.cli.config import config
from remuda.cli.context import CommandContext
from tests.fakes.clock import ManualClock
from tests.support.certificates import Authority
from tests.support.signing import make_signing_key

Check = Callable[..., Result]
_DAY_S = 86400.0


@pytest.fixture
def check(tmp_path: Path, good: str) -> Check:
    """A function that checks a good configuration with a text behind it."""

    def checker(text: str = "", *, key: str = "", at_s: float = 0.0, provider: str = "") -> Result:
        file = tmp_path / "config.yaml"
        with_key = f"cloud: osic\n    ssh-key-file: {key}"
        file.write_text((good.replace("cloud: osic", with_key) if key else good) + text)
        clock = ManualClock(dt.datetime.now(dt.UTC).timestamp() + at_s)
        words = ["check", *(["--provider", provider] if provider else []), str(file)]
        return CliRunner().invoke(config, words, obj=CommandContext(clock=clock))

    return checker


@pytest.fixture
def tls(tmp_path: Path) -> Callable[..., str]:
    """A function that returns the section of files; those of one authority unless told."""
    authority = Authority(tmp_path, "ours")
    ours = authority.vouch_for("me")
    authority.vouch_for("other")

    def section(*, cert: str = "me.pem", key: str = "me.key", ca: str = "ours-ca.pem") -> str:
        assert ours.cert.parent == tmp_path
        for name in (cert, key, ca):
            if (tmp_path / name).exists():
                (tmp_path / name).chmod(0o600)
        return f"zookeeper: {{tls: {{cert: {cert}, key: {key}, ca: {ca}}}}}\n"

    return section


def keygen(file: Path, passphrase: str = "") -> None:
    """Make a key as people do."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(file)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def complaints(result: Result) -> list[str]:
    """Return what was complained of, without the file's name and the place."""
    lines = [line.partition("config.yaml:")[2] for line in result.stderr.splitlines()]
    return [line.split(": ", 1)[1] for line in lines]


def test_good_files_are_good(check: Check, tls: Callable[..., str], tmp_path: Path) -> None:
    """A login key, and all three of TLS."""
    keygen(tmp_path / "key")

    result = check(tls(), key="key")

    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "not an ed25519, RSA or ECDSA private key; write the name of one that ssh-keygen"),
        ("hunter2hunter2", "not an ed25519, RSA or ECDSA private key; write the name of one"),
        ("public", "not an ed25519, RSA or ECDSA private key; this is the public half"),
        ("passphrase", "it has a passphrase; use one without; write the name of one that"),
        ("x" * (1024 * 1024 + 1), "is larger than the allowed 1,048,576 bytes; write"),
        ("\0\udcff", "is not UTF-8 text (byte 1); write the name of a PEM file"),
    ],
    ids=["empty", "no key", "public", "passphrase", "huge", "binary"],
)
def test_a_login_key_that_is_none(
    check: Check, tmp_path: Path, content: str, complaint: str
) -> None:
    """With its place, and what to write instead; nothing of it is shown."""
    file = tmp_path / "key"
    keygen(file, "secret" if content == "passphrase" else "")
    if content == "public":
        content = file.with_suffix(".pub").read_text()
    if content == "passphrase":
        content = file.read_text()
    file.write_bytes(content.encode(errors="surrogateescape"))

    result = check(key="key")

    assert result.exit_code == 2
    (line,) = complaints(result)
    assert line.startswith("providers.osic.ssh-key-file: ")
    assert complaint in line
    if content:
        assert content.strip() not in result.output


def test_a_login_key_of_another_provider_is_only_warned_of(check: Check, tmp_path: Path) -> None:
    """It may well be another one on its own host."""
    (tmp_path / "key").touch(mode=0o600)
    ours = "  ours: {cloud: b, pools: {p: {labels: {small: {image: i, flavor: f}}}}}\n"

    assert check(ours, key="key").exit_code == 2
    result = check(ours, key="key", provider="ours")

    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert "not an ed25519, RSA or ECDSA private key" in result.stderr


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"ca": "none"}, "zookeeper.tls.ca: '{0}/none' is empty; write the name of a PEM file"),
        ({"ca": "me.key"}, "zookeeper.tls.ca: '{0}/me.key' holds no certificate, or one that is"),
        ({"cert": "me.key"}, "zookeeper.tls.cert: '{0}/me.key' holds no certificate, or one"),
        ({"key": "me.pem"}, "zookeeper.tls.key: '{0}/me.pem' holds no private key; write the"),
        ({"key": "none"}, "zookeeper.tls.key: '{0}/none' is empty; write the name of a PEM"),
        ({"key": "locked"}, "zookeeper.tls.key: '{0}/locked' has a passphrase; write the name"),
        ({"key": "other.key"}, "zookeeper.tls.key: does not belong to the certificate (cert);"),
        ({"cert": "cut"}, "zookeeper.tls.cert: '{0}/cut' holds no certificate, or one that is"),
    ],
)
def test_tls_files_that_do_not_hold_what_they_should(
    check: Check, tls: Callable[..., str], tmp_path: Path, files: dict[str, str], complaint: str
) -> None:
    """One sentence each, and no second one that follows from it."""
    key = load_pem_private_key((tmp_path / "me.key").read_bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (tmp_path / "locked").write_bytes(locked)
    (tmp_path / "cut").write_bytes((tmp_path / "me.pem").read_bytes()[:200])
    (tmp_path / "none").touch()

    result = check(tls(**files))

    assert result.exit_code == 2
    (line,) = complaints(result)
    assert line.startswith(complaint.format(tmp_path))
    for name in {"me.key", "me.pem", *files.values()}:
        for piece in (tmp_path / name).read_text().splitlines()[1:-1]:
            assert piece not in result.output


@pytest.mark.parametrize(("days", "flaw"), [(2.0, "expired on "), (-2.0, "is not valid before ")])
def test_certificates_whose_time_is_not_now(
    check: Check, tls: Callable[..., str], days: float, flaw: str
) -> None:
    """By the clock of this host: ours, and that of the only authority."""
    result = check(tls(), at_s=days * _DAY_S)

    assert result.exit_code == 2
    cert, ca = sorted(complaints(result), reverse=True)
    assert cert.startswith(f"zookeeper.tls.cert: {flaw}")
    assert cert.endswith("UTC; have the authority make another one")
    assert ca.startswith(f"zookeeper.tls.ca: {flaw}")


def test_an_old_authority_beside_a_new_one_is_only_warned_of(
    check: Check, tls: Callable[..., str], tmp_path: Path
) -> None:
    """That is how they are replaced."""
    authority = Authority(tmp_path, "old")
    old = authority.vouch_for("old", ends=dt.timedelta(seconds=-60)).cert.read_bytes()
    (tmp_path / "both").write_bytes(old + (tmp_path / "ours-ca.pem").read_bytes())

    result = check(tls(ca="both"))

    assert result.exit_code == 0
    assert "zookeeper.tls.ca: one of 2 certificates in it expired on " in result.stderr


def test_what_only_openssl_does_not_take_is_said_as_well(
    check: Check, tls: Callable[..., str], tmp_path: Path
) -> None:
    """It has the last word: a key may be too short for it, though the certificate is its own."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "short")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "me.pem").write_bytes(cert.public_bytes(Encoding.PEM))
    (tmp_path / "me.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )

    result = check(tls())

    assert result.exit_code == 2
    (line,) = complaints(result)
    assert line.startswith("zookeeper.tls: OpenSSL does not take these files: ")


def signing(tmp_path: Path, key: bytes, public: bytes = b"") -> str:
    """Write files of keys, and return the section that names them."""
    (tmp_path / "s.pem").touch(mode=0o600)
    (tmp_path / "s.pem").write_bytes(key)
    named = "key-file: s.pem"
    if public:
        (tmp_path / "s.pub").write_bytes(public)
        named += ", public-key-file: s.pub"
    return f"image-signing: {{{named}}}\n"


def ed25519(tmp_path: Path, name: str = "one") -> tuple[bytes, bytes]:
    """Return a private key and its public half."""
    private, public = make_signing_key(tmp_path, name)
    return private.read_bytes(), public.read_bytes()


def test_keys_that_sign_statements_are_good(check: Check, tmp_path: Path) -> None:
    """Also if the public file has those of keys that have signed before."""
    key, public = ed25519(tmp_path)
    _, before = ed25519(tmp_path, "two")

    assert check(signing(tmp_path, key)).exit_code == 0
    assert check(signing(tmp_path, key, before + public)).exit_code == 0


def _encrypted() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )


def _rsa(*, public: bool = False) -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    if public:
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_encrypted, "has a passphrase"),
        (_rsa, "holds a private key that is not ed25519"),
        (lambda: b"x", "holds no private key in PEM form"),
        (lambda: b"\xff", "is not UTF-8 text"),
    ],
)
def test_a_key_that_cannot_sign_is_a_problem(
    check: Check, tmp_path: Path, make: Callable[[], bytes], said: str
) -> None:
    """With its place, and what to write instead; on a launcher's host it is a warning."""
    section = signing(tmp_path, make())
    result = check(section)

    assert result.exit_code == 2
    assert said in result.output
    assert "image-signing.key-file" in result.output
    assert "write the name of" in result.output
    assert check(section, provider="osic").exit_code == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: b"x", "holds no public keys in PEM form"),
        (lambda: _rsa(public=True), "holds a public key that is not ed25519"),
        (_rsa, "holds a private key, which does not belong there"),
        (lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is broken"),
    ],
)
def test_public_keys_of_no_use_are_a_problem(
    check: Check, tmp_path: Path, make: Callable[[], bytes], said: str
) -> None:
    """Also if one of several is; what stands around them is no key."""
    key, public = ed25519(tmp_path)
    result = check(signing(tmp_path, key, make()))

    assert result.exit_code == 2
    assert "image-signing.public-key-file" in result.output
    assert said in result.output
    both = check(signing(tmp_path, key, public + make()))
    assert both.exit_code == (0 if make() == b"x" else 2)


def test_keys_that_do_not_belong_together_are_a_problem(check: Check, tmp_path: Path) -> None:
    """Nobody could verify what is signed."""
    (key, _), (_, other) = ed25519(tmp_path), ed25519(tmp_path, "two")
    result = check(signing(tmp_path, key, other))

    assert result.exit_code == 2
    assert "is the private half of none of the keys in public-key-file" in result.output


def test_a_signing_key_that_is_not_there_is_a_problem(check: Check) -> None:
    """As any other file that is named."""
    result = check("image-signing: {key-file: nowhere.pem}\n")

    assert result.exit_code == 2
    assert "'nowhere.pem' does not exist" in result.output
