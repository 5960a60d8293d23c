"""A certificate of this computer's own, because browsers give a camera only to pages that come encrypted.

Nobody has signed it, so that each browser warns once; it is kept, so that it is once for each device and not once for
each lesson. It owns the file, which holds certificate and key together: they are never of two different makings.
"""

import contextlib
import datetime
import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.errors import InstallationError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

FILE = "certificate.pem"
LONGEST_DAYS = 397
"""Safari and Chrome take no certificate that is good for longer (CA/Browser Forum, ballot SC-22)."""

_RENEW_DAYS = 30
_MOST_NAMES = 40
# A computer whose clock is a little behind is to take it too.
_BEFORE = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key.

    Attributes:
        path: PEM file with both.
        fingerprint: SHA-256 of the certificate, as browsers show it, `AB:CD:…`.
        renewed: it was made just now, and browsers warn once more.
    """

    path: Path
    fingerprint: str
    renewed: bool

    def context(self) -> ssl.SSLContext:
        """Return what encrypts connections with it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.path)
        context.set_alpn_protocols(["http/1.1"])
        return context


def ensure(folder: Path, names: Iterable[str], now: datetime.datetime | None = None) -> Certificate:
    """Return the certificate kept in a folder, or a new one where there is none that will do.

    It will do if it names all names, is good already and for a while, and can be read. A new one has the same key, and
    names what the one before named, as far as there is room: a laptop that comes back to a network it knows needs no
    other certificate, and nobody is warned again.

    Args:
        folder: made if missing; only this user may read it, where the system can say so.
        names: host names and addresses the computer is reached under.
        now: the present time, in UTC.

    Raises:
        InstallationError: the folder cannot be written.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    # A name with other letters cannot stand in one (RFC 5280, 4.2.1.6).
    wanted = tuple(dict.fromkeys(name.lower() for name in names if name.isascii()))
    path = folder / FILE
    kept = _read(path)
    if kept is not None and _will_do(kept[0], wanted, now):
        return Certificate(path, _fingerprint(kept[0]), renewed=False)
    from cryptography.hazmat.primitives.asymmetric import ec

    before = _names(kept[0]) if kept is not None else ()
    key = kept[1] if kept is not None else ec.generate_private_key(ec.SECP256R1())
    made = _make(key, tuple(dict.fromkeys((*wanted, *before)))[:_MOST_NAMES], now)
    try:
        _write(path, made, key)
    except OSError as error:
        raise InstallationError("certificate_not_written", folder=folder, reason=error.strerror or "") from error
    return Certificate(path, _fingerprint(made), renewed=True)


def _read(path: Path) -> "tuple[x509.Certificate, EllipticCurvePrivateKey] | None":
    """Return what a file holds, or None where it holds no pair that fits."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        data = path.read_bytes()
        certificate, key = x509.load_pem_x509_certificate(data), load_pem_private_key(data, None)
        if isinstance(key, EllipticCurvePrivateKey) and certificate.public_key() == key.public_key():
            return certificate, key
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        pass  # nothing depends on the old one: a new one only means one more warning
    return None


def _will_do(certificate: "x509.Certificate", wanted: Iterable[str], now: datetime.datetime) -> bool:
    begun = certificate.not_valid_before_utc <= now
    lasting = certificate.not_valid_after_utc - now > datetime.timedelta(days=_RENEW_DAYS)
    return begun and lasting and set(wanted) <= set(_names(certificate))


def _names(certificate: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return (*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress)))


def _make(key: "EllipticCurvePrivateKey", names: tuple[str, ...], now: datetime.datetime) -> "x509.Certificate":
    """Return a certificate for names, signed with its own key (RFC 5280; SANs alone count, RFC 9110 4.3.4)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Teachable")])
    use = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now - _BEFORE + datetime.timedelta(days=LONGEST_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(use, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _general(name: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, certificate: "x509.Certificate", key: "EllipticCurvePrivateKey") -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(parents=True, exist_ok=True)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    # Nobody else on this computer may ever have been able to read the key, not even for a moment.
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(certificate.public_bytes(Encoding.PEM) + secret)
        file.flush()
        os.fsync(file.fileno())
    try:
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _fingerprint(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import hashes

    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()
