"""The local CA, and the operator's own certificate."""

import socket
import ssl
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import Invalid
from packhouse.settings import Settings, load_settings
from packhouse.web.certificates import RENEW_BEFORE, SERVER_LIFE, Certificate, certificate_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


def _handshake(certificate: Certificate, trusted: ssl.SSLContext, name: str) -> None:
    """A TLS handshake of Python's own client with a server of that certificate; raises if it fails."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.chain, certificate.key)
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with theirs:
            try:
                server.wrap_socket(theirs, server_side=True).close()
            except OSError:
                return

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with ours:
            trusted.wrap_socket(ours, server_hostname=name).close()
    finally:
        thread.join()


def _strict(ca: Path | None) -> ssl.SSLContext:
    """What `ssl.create_default_context` is from Python 3.13 on."""
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _loaded(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_strict_client_that_trusts_the_ca_accepts_every_name(settings: Settings, name: str) -> None:
    certificate = certificate_for(settings)

    _handshake(certificate, _strict(certificate.ca), name)


def test_a_name_that_is_not_in_the_settings_is_refused(settings: Settings) -> None:
    certificate = certificate_for(settings)

    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        _handshake(certificate, _strict(certificate.ca), "elsewhere.example")


def test_keys_are_for_the_owner_only_and_no_draft_is_left(settings: Settings) -> None:
    certificate_for(settings)

    modes = {file.name: file.stat().st_mode & 0o777 for file in (settings.data_dir / "tls").iterdir()}
    assert modes == {"ca.key": 0o600, "ca.pem": 0o644, "server.key": 0o600, "server.pem": 0o644}


def test_a_server_certificate_lives_no_longer_than_clients_accept(settings: Settings) -> None:
    server = _loaded(certificate_for(settings).chain)

    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=397)


def test_a_good_certificate_is_kept(settings: Settings) -> None:
    before = certificate_for(settings).chain.read_bytes()

    assert certificate_for(settings).chain.read_bytes() == before


def _renewed(settings: Settings, now: datetime | None = None) -> tuple[bool, bool]:
    """Whether the next start makes a new server certificate, and whether it makes a new CA."""
    folder = settings.data_dir / "tls"
    before = [(folder / name).read_bytes() for name in ("server.pem", "ca.pem") if (folder / name).exists()]
    certificate = certificate_for(settings, now)
    after = [(folder / name).read_bytes() for name in ("server.pem", "ca.pem")]
    assert certificate.ca is not None
    _handshake(certificate, _trusting_at(certificate.ca), "localhost")
    return before[0] != after[0], before[-1] != after[1]


def _trusting_at(ca: Path) -> ssl.SSLContext:
    """Trusts the CA, without a look at the clock, which some of these tests turn forward."""
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
    return context


def test_a_certificate_is_renewed_a_month_before_it_ends(settings: Settings) -> None:
    made = datetime.now(UTC)
    certificate_for(settings, made)
    due = made + SERVER_LIFE - RENEW_BEFORE

    assert _renewed(settings, due - timedelta(days=1)) == (False, False)
    assert _renewed(settings, due) == (True, False)


def test_a_ca_at_its_end_is_followed_by_another(settings: Settings) -> None:
    made = datetime.now(UTC)
    certificate_for(settings, made)

    assert _renewed(settings, made + timedelta(days=3640)) == (True, True)


def test_changed_names_make_a_new_certificate_of_the_same_ca(settings: Settings) -> None:
    certificate_for(settings)
    more = settings.model_copy(update={"tls_names": ["localhost", "packages.example.org"]})

    assert _renewed(more) == (True, False)
    _handshake(certificate_for(more), _strict(settings.data_dir / "tls" / "ca.pem"), "packages.example.org")


@pytest.mark.parametrize("lost", ["server.pem", "server.key"])
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_lost_half_makes_a_new_pair(settings: Settings, lost: str, how: str) -> None:
    file = certificate_for(settings).chain.with_name(lost)
    file.write_text("damaged")
    if how == "missing":
        file.unlink()

    certificate = certificate_for(settings)
    _handshake(certificate, _strict(certificate.ca), "localhost")


def test_a_key_of_another_pair_makes_a_new_pair(settings: Settings, tmp_path: Path) -> None:
    certificate = certificate_for(settings)
    other = certificate_for(load_settings(data_dir=tmp_path / "other"))
    certificate.key.write_bytes(other.key.read_bytes())

    assert _renewed(settings) == (True, False)


def test_a_good_certificate_needs_no_key_of_the_ca(settings: Settings) -> None:
    before = certificate_for(settings).chain.read_bytes()
    (settings.data_dir / "tls" / "ca.key").unlink()  # kept elsewhere, for safety

    assert certificate_for(settings).chain.read_bytes() == before


def test_a_renewal_without_the_key_of_the_ca_names_the_way_out(settings: Settings) -> None:
    certificate_for(settings)
    (settings.data_dir / "tls" / "ca.key").unlink()
    more = settings.model_copy(update={"tls_names": ["packages.example.org"]})

    with pytest.raises(Invalid, match=r"remove ca\.pem to have a new CA"):
        certificate_for(more)


@pytest.mark.parametrize("names", [[], [""], ["a" * 70 + ".org"], ["a..b"]])
def test_names_that_no_certificate_can_hold_are_refused(settings: Settings, names: Sequence[str]) -> None:
    with pytest.raises(Invalid, match="tls_names"):
        certificate_for(settings.model_copy(update={"tls_names": list(names)}))


@hypothesis.settings(deadline=None)  # each try makes keys and files
@given(name=st.text(max_size=80))
def test_any_name_makes_a_certificate_or_is_refused(name: str, tmp_path_factory: Any) -> None:
    settings = load_settings(data_dir=tmp_path_factory.getbasetemp() / "any-name", tls_names=[name])
    try:
        certificate = certificate_for(settings)
    except Invalid:
        return
    assert len(list(_loaded(certificate.chain).extensions)) == 6


def test_a_data_dir_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Invalid, match="Cannot keep certificates"):
        certificate_for(load_settings(data_dir=tmp_path / "file"))


def test_an_own_certificate_is_used_and_nothing_is_made(settings: Settings, tmp_path: Path) -> None:
    own = certificate_for(load_settings(data_dir=tmp_path / "other"))
    chosen = settings.model_copy(update={"tls_cert": own.chain, "tls_key": own.key})

    assert certificate_for(chosen) == Certificate(own.chain, own.key, None)
    assert not (settings.data_dir / "tls").exists()


def test_a_certificate_without_its_key_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="belong together"):
        certificate_for(settings.model_copy(update={"tls_cert": tmp_path / "own.pem"}))


def test_a_certificate_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"

    with pytest.raises(Invalid, match=r"Cannot read '.*missing\.pem'"):
        certificate_for(settings.model_copy(update={"tls_cert": missing, "tls_key": missing}))


def test_an_encrypted_key_is_refused_without_asking_the_terminal(settings: Settings, tmp_path: Path) -> None:
    own = certificate_for(load_settings(data_dir=tmp_path / "other"))
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    own.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(Invalid, match="unencrypted"):
        certificate_for(settings.model_copy(update={"tls_cert": own.chain, "tls_key": own.key}))
