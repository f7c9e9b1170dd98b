"""Certificates that live as long as a test: an authority, and who it vouches for."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """PEM files of one party.

    Attributes:
        both: Key and certificate in one file, as ZooKeeper's server wants them.
    """

    cert: Path
    key: Path
    both: Path


class Authority:
    """A certificate authority of its own folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self._cert = self._builder(self._name, self._key, usage).sign(self._key, hashes.SHA256())
        self.ca = folder / f"{name}-ca.pem"
        self.ca.write_bytes(self._cert.public_bytes(serialization.Encoding.PEM))

    def vouch_for(
        self,
        name: str,
        *,
        hosts: Sequence[str] = ("localhost",),
        addresses: Sequence[str] = ("127.0.0.1",),
        ends: dt.timedelta = _HOUR,
    ) -> Identity:
        """Make a key and a certificate for *name*.

        Args:
            name: Whose; files are called so.
            hosts: The host names that it is good for.
            addresses: The IP addresses that it is good for.
            ends: From now; negative: it has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.BasicConstraints(ca=False, path_length=None)
        cert = (
            self._builder(subject, key, usage, ends)
            .add_extension(
                x509.SubjectAlternativeName(
                    [
                        *(x509.DNSName(host) for host in hosts),
                        *(x509.IPAddress(ip_address(address)) for address in addresses),
                    ]
                ),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        key_pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        cert_pem = cert.public_bytes(serialization.Encoding.PEM)
        made = Identity(
            cert=self._folder / f"{name}.pem",
            key=self._folder / f"{name}.key",
            both=self._folder / f"{name}-both.pem",
        )
        made.cert.write_bytes(cert_pem)
        made.key.write_bytes(key_pem)
        made.both.write_bytes(key_pem + cert_pem)
        return made

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        usage: x509.BasicConstraints,
        ends: dt.timedelta = _HOUR,
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * _HOUR)
            .not_valid_after(now + ends)
            .add_extension(usage, critical=True)
        )
