"""Certificates with which Python's own TLS, and nothing else, is the judge."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from fedmvp_core.errors import ConfigError
from simulations.deploy.certificates import make_certificates
from simulations.deploy.checks_node import check_certificates
from simulations.deploy.findings import FAILED, failures


def handshake(server: Path, client: Path, name: str) -> str:
    """The error of a TLS handshake between two ends in memory, "" if it succeeds."""
    ours, theirs = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server / "server.crt", server / "server.key")

    def serve() -> None:
        try:
            context.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        trusting = ssl.create_default_context(cafile=str(client / "ca.crt"))
        trusting.wrap_socket(ours, server_hostname=name).close()
        return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        ours.close()
        thread.join()


def test_the_certificate_holds_for_its_names_and_no_others(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink", "10.0.0.7"], days=30)
    for name in ("superlink", "10.0.0.7", "localhost", "127.0.0.1"):
        assert handshake(tmp_path, tmp_path, name) == ""
    assert "mismatch" in handshake(tmp_path, tmp_path, "another")


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    make_certificates(tmp_path / "a", ["superlink"], days=30)
    make_certificates(tmp_path / "b", ["superlink"], days=30)
    assert "unable to get local issuer" in handshake(tmp_path / "a", tmp_path / "b", "superlink")


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink"], days=30)
    assert {p.name: p.stat().st_mode & 0o777 for p in tmp_path.glob("*.key")} == {
        "ca.key": 0o600,
        "server.key": 0o600,
    }


def test_renewing_keeps_the_authority_and_changes_the_certificate(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["one"], days=30)
    before = {name: (tmp_path / name).read_bytes() for name in ("ca.crt", "server.crt")}
    make_certificates(tmp_path, ["two"], days=60)
    assert (tmp_path / "ca.crt").read_bytes() == before["ca.crt"]
    assert (tmp_path / "server.crt").read_bytes() != before["server.crt"]
    assert handshake(tmp_path, tmp_path, "two") == ""


def test_the_certificate_lasts_as_long_as_asked(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["one"], days=30)
    certificate = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=29.9) < left < timedelta(days=30.1)


@pytest.mark.parametrize(
    ("hosts", "days", "words"),
    [(["one"], 0, "days is 0"), ([""], 9, "host"), (["http://one"], 9, "host")],
)
def test_bad_wishes_are_refused(tmp_path: Path, hosts: list[str], days: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_certificates(tmp_path, hosts, days)


def test_half_an_authority_is_refused(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["one"], days=9)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(ConfigError, match=r"holds ca\.crt alone"):
        make_certificates(tmp_path, ["one"], days=9)


def test_the_doctor_passes_what_was_just_made(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink"], days=30)
    (tmp_path / "ca.key").unlink()
    found = check_certificates(tmp_path, server=True, host="superlink")
    assert {finding.level for finding in found} == {"ok"}


@pytest.mark.parametrize(
    ("days_later", "words"), [(31, "has expired at"), (-1, "set the clock"), (20, "valid until")]
)
def test_the_doctor_looks_at_dates(tmp_path: Path, days_later: int, words: str) -> None:
    make_certificates(tmp_path, ["superlink"], days=30)
    now = datetime.now(UTC) + timedelta(days=days_later)
    found = [f for f in check_certificates(tmp_path, True, now=now) if "server.crt" in f.words]
    assert words in found[0].words
    assert found[0].level == ("warning" if days_later == 20 else FAILED)


def test_the_doctor_names_a_wrong_host_a_wrong_authority_and_a_missing_file(
    tmp_path: Path,
) -> None:
    make_certificates(tmp_path / "a", ["superlink"], days=30)
    make_certificates(tmp_path / "b", ["superlink"], days=30)
    [wrong] = failures(check_certificates(tmp_path / "a", True, host="elsewhere"))
    assert "superlink, localhost, 127.0.0.1, not for elsewhere" in wrong.words
    (tmp_path / "a" / "ca.crt").write_bytes((tmp_path / "b" / "ca.crt").read_bytes())
    [unsigned] = failures(check_certificates(tmp_path / "a", True))
    assert "is not signed by" in unsigned.words
    (tmp_path / "a" / "ca.crt").unlink()
    [missing] = failures(check_certificates(tmp_path / "a", False))
    assert "ca.crt cannot be read: No such file" in missing.words
    (tmp_path / "a" / "ca.crt").write_text("nothing")
    [strange] = failures(check_certificates(tmp_path / "a", False))
    assert "is no certificate" in strange.words


def test_the_doctor_warns_of_files_that_others_can_read(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink"], days=30)
    (tmp_path / "server.key").chmod(0o644)
    words = [f.words for f in check_certificates(tmp_path, True) if f.level == "warning"]
    assert any("can be read by others (mode 644)" in each for each in words)
    assert any("keep it away" in each for each in words)
