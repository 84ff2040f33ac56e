"""Certificates of a federation: an authority of its own, and the SuperLink's certificate.

The folder holds ca.crt (to every SuperNode and every user), server.crt and server.key (to the
SuperLink), and ca.key (to nobody: keep it away from the network; it signs the next certificate).
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fedmvp_core.errors import ConfigError

CA_CERTIFICATE, CA_KEY = "ca.crt", "ca.key"
SERVER_CERTIFICATE, SERVER_KEY = "server.crt", "server.key"
# The SuperLink's own child process speaks to it over the loopback interface.
LOCAL_HOSTS = ("localhost", "127.0.0.1")
_CLOCK_SLACK = timedelta(minutes=5)  # another machine's clock may be a little behind

PrivateKey = ec.EllipticCurvePrivateKey


def make_certificates(folder: Path, hosts: Sequence[str], days: int) -> list[Path]:
    """Write the four files. An authority that the folder holds already is used again.

    hosts: names and addresses under which SuperNodes and users reach the SuperLink.

    Raises:
        ConfigError: days is below 1, a host is empty, or the folder holds half an authority.
    """
    if days < 1:
        raise ConfigError(f"days is {days}; allowed: 1 or more")
    if any(not host.strip() or "/" in host or "://" in host for host in hosts):
        raise ConfigError(f"a host of {list(hosts)} is no host name or address")
    folder.mkdir(parents=True, exist_ok=True)
    authority, authority_key = _authority(folder, days)
    key = ec.generate_private_key(ec.SECP384R1())
    everyone = tuple(dict.fromkeys((*hosts, *LOCAL_HOSTS)))
    builder = (
        _builder(_name("fedmvp superlink"), authority.subject, key, days)
        .add_extension(x509.SubjectAlternativeName(_alternatives(everyone)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_issuer_of(authority_key), critical=False)
    )
    certificate = builder.sign(authority_key, hashes.SHA384())
    write_private(folder / SERVER_KEY, _pem(key))
    (folder / SERVER_CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return [folder / name for name in (CA_CERTIFICATE, CA_KEY, SERVER_CERTIFICATE, SERVER_KEY)]


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from the moment that it exists."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)


def _authority(folder: Path, days: int) -> tuple[x509.Certificate, PrivateKey]:
    """The authority of the folder; a new one if there is none or it has expired."""
    certificate_file, key_file = folder / CA_CERTIFICATE, folder / CA_KEY
    if certificate_file.exists() != key_file.exists():
        present = certificate_file if certificate_file.exists() else key_file
        raise ConfigError(f"{folder} holds {present.name} alone; add the other half or remove it")
    if certificate_file.exists():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(key, PrivateKey)
        if certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=days):
            return certificate, key
    return _new_authority(certificate_file, key_file, days)


def _new_authority(
    certificate_file: Path, key_file: Path, days: int
) -> tuple[x509.Certificate, PrivateKey]:
    key = ec.generate_private_key(ec.SECP384R1())
    name = _name("fedmvp authority")
    usage = {
        "digital_signature": False,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": True,
        "crl_sign": True,
        "encipher_only": False,
        "decipher_only": False,
    }
    # Valid for longer than what it signs, so that certificates can be renewed without it.
    builder = (
        _builder(name, name, key, days + 365)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA384())
    write_private(key_file, _pem(key))
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _issuer_of(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _alternatives(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative(host) for host in hosts]


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
