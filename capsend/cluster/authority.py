"""The authority of a cluster: it issues the certificates by which home and nodes prove their identity. Needs the package `cryptography`."""

from __future__ import annotations

import datetime
import ipaddress
from typing import TYPE_CHECKING, Any, Final, Literal

from capsend.cluster.tls import Certificates
from capsend.exceptions import CapsendError

if TYPE_CHECKING:
    from collections.abc import Iterable

Role = Literal["any", "home", "node"]
"""The role of a certificate: home connects, a node set up by an operator listens, and nodes of one run do both."""

_EARLIER: Final = datetime.timedelta(days=1)
"""Certificates are valid from before they were made, as the clocks of machines differ."""
_DAYS: Final = 365.0


class Authority:
    """Signs certificates with a key that never leaves this program.

    Args:
        days: days of validity of the certificates that it signs.

    Raises:
        CapsendError: the package `cryptography` is not installed.
    """

    def __init__(self, *, days: float = _DAYS) -> None:
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives.asymmetric import ec
        except ImportError as error:
            raise CapsendError(
                "certificates cannot be made: the package cryptography is not installed. "
                "Install it with `pip install 'capsend[tls]'`, or give certificates of your own"
            ) from error
        self._until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "capsend authority")])
        self._certificate = self._sign(
            self._name, self._key.public_key(), (x509.BasicConstraints(ca=True, path_length=0), True)
        )
        self.certificate: str = _pem(self._certificate)

    def issue(self, names: Iterable[str], *, role: Role = "any") -> Certificates:
        """Make a certificate and its key.

        Args:
            names: the subjects of the certificate: ids of peers, host names, addresses.
            role: "home" for a certificate that can only connect, "node" for one that can only listen.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        usages = _usages()
        key = ec.generate_private_key(ec.SECP256R1())
        given = list(names)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, given[0][:64])])
        certificate = self._sign(
            subject,
            key.public_key(),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName([_general(name) for name in given]), False),
            (x509.ExtendedKeyUsage(usages[role]), False),
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Certificates(authority=self.certificate, certificate=_pem(certificate), key=secret.decode("ascii"))

    def _sign(self, subject: Any, public_key: Any, *extensions: tuple[Any, bool]) -> Any:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(datetime.datetime.now(datetime.UTC), self._until) - _EARLIER)
            .not_valid_after(self._until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(identifier, critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _usages() -> dict[Role, list[Any]]:
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

    return {"any": [Usage.CLIENT_AUTH, Usage.SERVER_AUTH], "home": [Usage.CLIENT_AUTH], "node": [Usage.SERVER_AUTH]}


def _pem(certificate: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return str(certificate.public_bytes(Encoding.PEM).decode("ascii"))


def _general(name: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
