"""The certificate of the TLS port: the operator's own, or one that a local CA signs and renews by itself."""

import ipaddress
import os
import re
import ssl
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from packhouse.errors import Invalid
from packhouse.settings import Settings

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)
"""The longest that browsers and operating systems accept (CA/Browser Forum, 398 days)."""
RENEW_BEFORE = timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)
MAX_COMMON_NAME = 64
HOST_NAME = re.compile(r"(?:\*\.)?[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*")


@dataclass(frozen=True)
class Certificate:
    """Files for a TLS server, and what clients have to trust (None: what they trust already)."""

    chain: Path
    key: Path
    ca: Path | None


@dataclass(frozen=True)
class _Signed:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def certificate_for(settings: Settings, now: datetime | None = None) -> Certificate:
    """The settings' own certificate, or the local CA's in `data_dir`/tls, made or renewed when due.

    Raises `Invalid` when a file cannot be used.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        found = _from_local_authority(settings, now or _now())
    elif settings.tls_cert is None or settings.tls_key is None:
        raise Invalid("'tls_cert' and 'tls_key' belong together: set both, or neither for the local CA.")
    else:
        found = Certificate(settings.tls_cert.absolute(), settings.tls_key.absolute(), None)
    _check_usable(found)
    return found


def _from_local_authority(settings: Settings, now: datetime) -> Certificate:
    folder = settings.data_dir.absolute() / "tls"
    try:
        return _local_certificate(folder, settings.tls_names, now)
    except OSError as error:
        raise Invalid(f"Cannot keep certificates in '{folder}': {error.strerror}.") from error


def _now() -> datetime:
    return datetime.now(UTC)


def _check_usable(certificate: Certificate) -> None:
    for file in (certificate.chain, certificate.key):
        if not os.access(file, os.R_OK):
            raise Invalid(f"Cannot read '{file}', which TLS needs.")
    try:
        # The empty password makes an encrypted key an error; without it OpenSSL would ask the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            certificate.chain, certificate.key, lambda: ""
        )
    except (ssl.SSLError, OSError) as error:
        raise Invalid(
            f"'{certificate.chain}' and '{certificate.key}' are no PEM certificate with its unencrypted key."
        ) from error


def _local_certificate(folder: Path, names: list[str], now: datetime) -> Certificate:
    folder.mkdir(parents=True, exist_ok=True)
    files = Certificate(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    authority = _read_certificate(folder / "ca.pem")
    if authority is None or _is_due(authority, now):
        authority = _new_authority(folder, now)
    if not _is_good(_read_certificate(files.chain), _read_key(files.key), authority, names, now):
        _sign_server(folder, _signer(folder, authority), names, now)
    return files


def _is_good(
    server: x509.Certificate | None,
    key: ec.EllipticCurvePrivateKey | None,
    authority: x509.Certificate,
    names: list[str],
    now: datetime,
) -> bool:
    if server is None or key is None or _is_due(server, now):
        return False
    with suppress(Exception):  # whatever is wrong with the signature, a new one is the remedy
        server.verify_directly_issued_by(authority)
        return server.public_key() == key.public_key() and _names_of(server) == _alternative_names(names)
    return False


def _is_due(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc - now <= RENEW_BEFORE


def _names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _new_authority(folder: Path, now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Packhouse local CA {os.urandom(4).hex()}")  # clients tell old and new ones apart
    certificate = (
        _builder(name, name, key, now, now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(_identifier(key), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "ca.key", _key_bytes(key))
    _write(folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return certificate


def _signer(folder: Path, authority: x509.Certificate) -> _Signed:
    key = _read_key(folder / "ca.key")
    if key is None or key.public_key() != authority.public_key():
        raise Invalid(
            f"'{folder / 'ca.key'}' is not the key of '{folder / 'ca.pem'}'. Put the right one back, or "
            "remove ca.pem to have a new CA, which clients then have to trust anew."
        )
    return _Signed(authority, key)


def _sign_server(folder: Path, authority: _Signed, names: list[str], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = _alternative_names(names)
    last = min(now + SERVER_LIFE, authority.certificate.not_valid_after_utc)
    issuer_key = authority.key.public_key()
    certificate = (
        _builder(_name(str(alternatives[0].value)), authority.certificate.subject, key, now, last)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(_identifier(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    _write(folder / "server.key", _key_bytes(key))
    _write(folder / "server.pem", certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, last: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(last - CLOCK_SKEW)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:MAX_COMMON_NAME])])


def _alternative_names(names: list[str]) -> list[x509.DNSName | x509.IPAddress]:
    if not names:
        raise Invalid("Setting 'tls_names' is empty: name the hosts that clients will use.")
    return [_alternative_name(name) for name in names]


def _alternative_name(name: str) -> x509.DNSName | x509.IPAddress:
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    with suppress(ValueError):
        encoded = name.encode("idna").decode("ascii")
        if HOST_NAME.fullmatch(encoded):
            return x509.DNSName(encoded)
    raise Invalid(f"Setting 'tls_names': '{name}' is neither a host name nor an IP address.")


def _identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _usage(
    digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_certificate(file: Path) -> x509.Certificate | None:
    with suppress(FileNotFoundError, ValueError):
        return x509.load_pem_x509_certificate(file.read_bytes())
    return None


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey | None:
    with suppress(FileNotFoundError, ValueError, TypeError):
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
    return None


def _write(file: Path, content: bytes, mode: int = 0o600) -> None:
    """All or nothing, and a key is never readable by others, not even for a moment."""
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mkstemp gives 0600
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    Path(draft).replace(file)
