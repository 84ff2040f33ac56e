"""Checks of certificates, and of a SuperNode's key."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from fedmvp_core.errors import FedMVPError
from simulations.deploy.certificates import (
    CA_CERTIFICATE,
    CA_KEY,
    SERVER_CERTIFICATE,
    SERVER_KEY,
)
from simulations.deploy.findings import FAILED, OK, WARNING, Finding
from simulations.deploy.keys import public_key

_SOON = timedelta(days=14)


def check_certificates(
    folder: Path, server: bool, host: str = "", now: datetime | None = None
) -> list[Finding]:
    """Check the authority's dates; of a server also its certificate's dates, signature and key.

    host: a name that the server's certificate must be for; "" = not looked at.
    """
    now = now or datetime.now(UTC)
    authority = _read(folder / CA_CERTIFICATE)
    if isinstance(authority, Finding):
        return [authority]
    findings = [_dates(authority, folder / CA_CERTIFICATE, now)]
    if not server:
        return findings
    certificate = _read(folder / SERVER_CERTIFICATE)
    if isinstance(certificate, Finding):
        return [*findings, certificate]
    findings += [
        _dates(certificate, folder / SERVER_CERTIFICATE, now),
        _signature(certificate, authority, folder),
        _private(folder / SERVER_KEY),
    ]
    if (folder / CA_KEY).exists():
        words = f"{folder / CA_KEY} lies beside the server's files; keep it away from the network"
        findings.append(Finding("certificate", WARNING, words))
    return [*findings, _host(certificate, host)] if host else findings


def check_key(path: Path) -> list[Finding]:
    """Whether a SuperNode's private key can be read, by its owner alone."""
    try:
        public_key(path)
    except FedMVPError as error:
        return [Finding("key", FAILED, str(error))]
    return [_private(path, "key")]


def _read(path: Path) -> x509.Certificate | Finding:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        words = f"{path} cannot be read: {error.strerror}; fedmvp deploy certificates makes it"
    except ValueError:
        words = f"{path} is no certificate in PEM form"
    return Finding("certificate", FAILED, words)


def _dates(certificate: x509.Certificate, path: Path, now: datetime) -> Finding:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        words = f"{path} has expired at {end:%Y-%m-%d %H:%M} UTC; fedmvp deploy certificates renews"
        return Finding("certificate", FAILED, words)
    if now < begin:
        words = (
            f"{path} is valid from {begin:%Y-%m-%d %H:%M} UTC only and this machine's clock says "
            f"{now:%Y-%m-%d %H:%M}; set the clock"
        )
        return Finding("certificate", FAILED, words)
    level = WARNING if end - now < _SOON else OK
    return Finding("certificate", level, f"{path} is valid until {end:%Y-%m-%d %H:%M} UTC")


def _signature(certificate: x509.Certificate, authority: x509.Certificate, folder: Path) -> Finding:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        words = (
            f"{folder / SERVER_CERTIFICATE} is not signed by {folder / CA_CERTIFICATE}; the files "
            "are of two authorities: make them again in one folder"
        )
        return Finding("certificate", FAILED, words)
    return Finding("certificate", OK, f"{SERVER_CERTIFICATE} is signed by {CA_CERTIFICATE}")


def _host(certificate: x509.Certificate, host: str) -> Finding:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    known = [*names, *map(str, addresses)]
    try:
        found = ip_address(host) in addresses
    except ValueError:
        found = host in names
    if not found:
        words = (
            f"{SERVER_CERTIFICATE} is for {', '.join(known)}, not for {host}; make it again with "
            f"--host {host}"
        )
        return Finding("certificate", FAILED, words)
    return Finding("certificate", OK, f"{SERVER_CERTIFICATE} is for {host}")


def _private(path: Path, check: str = "certificate") -> Finding:
    try:
        mode = path.stat().st_mode & 0o777
        with path.open("rb"):
            pass
    except OSError as error:
        return Finding(check, FAILED, f"{path} cannot be read: {error.strerror}")
    if mode & 0o077:
        words = f"{path} can be read by others (mode {mode:o}); chmod 600 {path}"
        return Finding(check, WARNING, words)
    return Finding(check, OK, f"{path} is readable by its owner alone")
