"""The certificate: what it names, how long it holds, and that browsers are not made to warn twice."""

import datetime
import os
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509

from teachable import certificates
from teachable.addresses import network_name, own_names, url
from teachable.certificates import FILE, LONGEST_DAYS, ensure
from teachable.errors import InstallationError

NAMES = ("192.168.1.5", "fe80::1", "laptop", "Laptop.local", "localhost")
NOW = datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC)


def read(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / FILE).read_bytes())


def test_it_names_what_it_is_for_and_browsers_take_its_dates(tmp_path: Path) -> None:
    made = ensure(tmp_path / "classroom", NAMES, NOW)
    found = read(tmp_path / "classroom")
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["laptop", "laptop.local", "localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.168.1.5", "fe80::1"]
    assert found.not_valid_before_utc < NOW < found.not_valid_after_utc
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == LONGEST_DAYS
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.renewed
    assert len(made.fingerprint) == 95


def test_it_is_kept_as_long_as_it_will_do(tmp_path: Path) -> None:
    first = ensure(tmp_path, NAMES, NOW)
    again = ensure(tmp_path, NAMES[:2], NOW + datetime.timedelta(days=300))
    assert (again.fingerprint, again.renewed) == (first.fingerprint, False)


@pytest.mark.parametrize("days", [-10, 370])
def test_it_is_renewed_before_it_ends_and_where_the_clock_was_wrong(tmp_path: Path, days: int) -> None:
    first = ensure(tmp_path, NAMES, NOW)
    again = ensure(tmp_path, NAMES, NOW + datetime.timedelta(days=days))
    assert again.renewed
    assert again.fingerprint != first.fingerprint


def test_another_network_renews_it_and_the_way_back_does_not(tmp_path: Path) -> None:
    ensure(tmp_path, ["192.168.1.5", "laptop"], NOW)
    key = read(tmp_path).public_key()
    assert ensure(tmp_path, ["10.0.0.7", "laptop"], NOW).renewed
    assert read(tmp_path).public_key() == key
    assert not ensure(tmp_path, ["192.168.1.5", "laptop"], NOW).renewed


@pytest.mark.parametrize("damage", [b"", b"nothing of the kind", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_damaged_one_is_made_again(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    assert ensure(tmp_path, NAMES, NOW).renewed
    assert not ensure(tmp_path, NAMES, NOW).renewed


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such bits; the folder is the user's own")
def test_nobody_else_can_read_the_key(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES, NOW)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InstallationError, match="certificate"):
        ensure(tmp_path / "file" / "folder", NAMES, NOW)


def test_a_connection_can_be_made_with_it(tmp_path: Path) -> None:
    made = ensure(tmp_path, ["127.0.0.1"])
    trusting = ssl.create_default_context(cafile=str(made.path))
    mine, theirs = socket.socketpair()

    def serve() -> None:
        with made.context().wrap_socket(theirs, server_side=True) as connection:
            connection.sendall(b"hello")

    thread = threading.Thread(target=serve)
    thread.start()
    with trusting.wrap_socket(mine, server_hostname="127.0.0.1") as connection:
        assert connection.recv(5) == b"hello"
    thread.join()


def test_it_is_not_imported_before_it_is_needed() -> None:
    assert certificates.__name__ in sys.modules
    assert "from cryptography" not in Path(certificates.__file__).read_text(encoding="utf-8").split("class ")[
        0
    ].replace("    from cryptography", "")


def test_a_name_that_cannot_stand_in_one_is_left_out(tmp_path: Path) -> None:
    ensure(tmp_path, ("müllers-laptop", "laptop", "192.168.1.5"), NOW)
    names = read(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["laptop"]
    assert not ensure(tmp_path, ("müllers-laptop", "laptop"), NOW).renewed


def test_a_long_name_of_the_network_has_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Laptop.school.example")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    assert {"laptop.local", "laptop.school.example"} <= set(own_names())


def test_the_hotspot_of_a_class_is_found_though_it_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nowhere(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError("Network is unreachable")

    found = [(socket.AF_INET, 0, 0, "", (one, 0)) for one in ("127.0.1.1", "169.254.3.4", "192.168.137.1")]
    monkeypatch.setattr(socket, "socket", Nowhere)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    assert network_name("0.0.0.0") == "192.168.137.1"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    assert network_name("0.0.0.0") == socket.gethostname()


def test_this_computer_knows_its_names() -> None:
    names = own_names()
    assert {"localhost", "127.0.0.1"} <= set(names)
    assert network_name("0.0.0.0") in names or not network_name("0.0.0.0")[0].isdigit()
    assert len(names) == len(set(names))
    assert url("fe80::1", 80, "https") == "https://[fe80::1]:80"
