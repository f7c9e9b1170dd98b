"""What is in the keys and certificates that a configuration names; only ``config check`` looks.

A process that serves tells when it uses them, and takes those that were renewed by then. Here a
person asks before that. Nothing of what is in a file is shown but the dates of certificates.
"""

import datetime as dt
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from remuda.config.document import Path
from remuda.config.hostfiles import HostFiles
from remuda.config.raw import entries, mapping
from remuda.config.sources import UnreadableError
from remuda.signing import (
    HOW_TO_SIGN,
    HOW_TO_VERIFY,
    SigningKeyError,
    VerifyingKey,
    read_signing_key,
    read_verifying_keys,
)
from remuda.ssh.errors import KeyFileError
from remuda.ssh.keyfile import load_key
from remuda.store.options import StoreTls
from remuda.store.tls import client_context, explain

#: A bundle of all public authorities is a fifth of it.
_BYTES_MAX: Final = 1024 * 1024
_TLS: Final[Path] = ("zookeeper", "tls")
_SIGNING: Final[Path] = ("image-signing",)
_LOGIN_KEY: Final = "write the name of one that ssh-keygen -t ed25519 -N '' -f FILE has made"
_PUBLIC_HALF: Final = "this is the public half; write the name of the private one"
_PUBLIC_STARTS: Final = ("ssh-", "ecdsa-", "sk-")
_NO_CERTIFICATE: Final = "write the name of a PEM file, with -----BEGIN CERTIFICATE----- in it"
_NO_KEY: Final = "write the name of a PEM file with the key that the certificate was made for"
_UNLOCK: Final = "write the name of one without, as openssl pkey -in FILE -out OTHER makes"
_OTHER_KEY: Final = "write the names of a certificate and of the key that it was made for"

_ADD_PUBLIC: Final = "add what openssl pkey -in KEY -pubout prints to public-key-file"

#: Why a certificate, or its key, may be of no use to cryptography.
_BROKEN: Final = (ValueError, x509.InvalidVersion, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Looks into the files.

    Attributes:
        now_s: Wall clock, seconds since the epoch: what has expired by then?
    """

    now_s: float

    def check(self, data: object, host: HostFiles) -> None:
        """Report files that do not hold what they should.

        Args:
            data: The whole configuration, file names absolute; files that cannot be read are
                reported already.
            host: Reads files, and takes complaints.
        """
        for name, provider in entries(data, "providers"):
            _check_login_key(("providers", name, "ssh-key-file"), provider, host)
        made = mapping(mapping(mapping(data).get("holds")).get("certificates"))
        _check_login_key(("holds", "certificates", "ca-key-file"), made, host)
        _check_signing(mapping(mapping(data).get("image-signing")), host)
        tls = mapping(mapping(mapping(data).get("zookeeper")).get("tls"))
        authorities = self._authorities(tls, host)
        ours = self._ours(tls, host)
        key = _private_key(tls, host)
        if ours is None or key is None:
            return
        if not _belong(ours, key):
            host.report.problem(
                (*_TLS, "key"), "does not belong to the certificate (cert)", _OTHER_KEY
            )
        elif authorities:
            _check_together(tls, host)

    def _authorities(self, tls: Mapping[str, object], host: HostFiles) -> bool:
        """Report authorities of which none is any good, and return whether there are some."""
        path = (*_TLS, "ca")
        found = _certificates(path, tls, host)
        flaws = [flaw for one in found if (flaw := self._flaw(one))]
        if flaws and len(flaws) == len(found):
            host.report.problem(path, flaws[0], "have the authority's new certificate in it")
        elif flaws:
            said = f"one of {len(found)} certificates in it {flaws[0]}"
            host.report.warning(path, said, "take it out, or have the new one in it")
        return bool(found)

    def _ours(self, tls: Mapping[str, object], host: HostFiles) -> x509.Certificate | None:
        """Report a client certificate that is not valid now, and return it; the first counts."""
        path = (*_TLS, "cert")
        found = _certificates(path, tls, host)
        if found and (flaw := self._flaw(found[0])):
            host.report.problem(path, flaw, "have the authority make another one")
        return found[0] if found else None

    def _flaw(self, one: x509.Certificate) -> str | None:
        """Return how a certificate's time is not now, in words that follow a file's name."""
        now = dt.datetime.fromtimestamp(self.now_s, dt.UTC)
        if now > one.not_valid_after_utc:
            return f"expired on {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        if now < one.not_valid_before_utc:
            return f"is not valid before {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return None


def _check_login_key(path: Path, provider: Mapping[str, object], host: HostFiles) -> None:
    found = _text(path, provider, host)
    if found is None:
        return
    file, text = found
    try:
        load_key(str(file))
    except KeyFileError as error:
        public = text.startswith(_PUBLIC_STARTS)
        host.complain(path)(path, str(error), _PUBLIC_HALF if public else _LOGIN_KEY)


def _check_signing(signing: Mapping[str, object], host: HostFiles) -> None:
    """Report keys that cannot sign statements of builds, or that do not belong together."""
    public: Sequence[VerifyingKey] = ()
    path = (*_SIGNING, "public-key-file")
    if (found := _text(path, signing, host)) is not None:
        try:
            public = read_verifying_keys(str(found[0]))
        except SigningKeyError as error:
            host.complain(path)(path, f"{str(found[0])!r} {error}", HOW_TO_VERIFY)
            return
    path = (*_SIGNING, "key-file")
    if (found := _text(path, signing, host)) is None:
        return
    try:
        key = read_signing_key(str(found[0]))
    except SigningKeyError as error:
        host.complain(path)(path, f"{str(found[0])!r} {error}", HOW_TO_SIGN)
        return
    if public and key.public not in public:
        said = "is the private half of none of the keys in public-key-file"
        host.complain(path)(path, f"{str(found[0])!r} {said}", _ADD_PUBLIC)


def _certificates(
    path: Path, tls: Mapping[str, object], host: HostFiles
) -> Sequence[x509.Certificate]:
    found = _text(path, tls, host)
    if found is None:
        return ()
    file, text = found
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except _BROKEN:
        said = "is empty" if not text.strip() else "holds no certificate, or one that is broken"
        host.report.problem(path, f"{str(file)!r} {said}", _NO_CERTIFICATE)
        return ()


def _private_key(tls: Mapping[str, object], host: HostFiles) -> PrivateKeyTypes | None:
    path = (*_TLS, "key")
    found = _text(path, tls, host)
    if found is None:
        return None
    file, text = found
    try:
        return load_pem_private_key(text.encode(), None)
    except TypeError:  # what cryptography raises when a passphrase is missing
        host.report.problem(path, f"{str(file)!r} has a passphrase", _UNLOCK)
    except _BROKEN:
        said = "is empty" if not text.strip() else "holds no private key"
        host.report.problem(path, f"{str(file)!r} {said}", _NO_KEY)
    return None


def _belong(ours: x509.Certificate, key: PrivateKeyTypes) -> bool:
    try:
        halves = [
            half.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for half in (ours.public_key(), key.public_key())
        ]
    except _BROKEN:
        return True  # of a kind that we cannot compare: OpenSSL tells
    return halves[0] == halves[1]


def _check_together(tls: Mapping[str, object], host: HostFiles) -> None:
    """Have OpenSSL load all three as for a connection: what it refuses is wrong."""
    cert, key, ca = (FilePath(str(tls[name])) for name in ("cert", "key", "ca"))
    try:
        client_context(StoreTls(cert=cert, key=key, ca=ca))
    except OSError as error:
        why = explain(error) if isinstance(error, ssl.SSLError) else error.strerror
        host.report.problem(
            _TLS, f"OpenSSL does not take these files: {why}", "write PEM files", at_key=True
        )


def _text(
    path: Path, section: Mapping[str, object], host: HostFiles
) -> tuple[FilePath, str] | None:
    """Return a file and its text; None if there is none, which is reported by now."""
    value = section.get(str(path[-1]))
    if not isinstance(value, str) or not FilePath(value).is_absolute():
        return None
    file = FilePath(value)
    try:
        host.sources.probe(file)
    except UnreadableError:
        return None  # reported where the file was looked for
    try:
        return file, host.sources.read(file, bytes_max=_BYTES_MAX)
    except UnreadableError as error:
        host.complain(path)(path, f"{str(file)!r} {error}", "write the name of a PEM file")
        return None
