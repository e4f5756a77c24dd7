"""Sessions that resume, and where they must not; certificates and authorities that change under load."""

import os
import re
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from encryption import NAME, VERSIONS, Authority, Echo, Pair, WeirWithTLS, connect, exchange
from support import run, tool, wait_until

CONNECTIONS = 120
EXCHANGES = 8


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.sign("server", f"DNS:{NAME}", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def device(authority):
    return authority.sign("device-7.example.net")


@pytest.fixture
def echo():
    with Echo() as made:
        yield made


def speak(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None = None):
    """A byte there and back. Returns whether the session was resumed, and the newest session."""
    with context.wrap_socket(connect(port), server_hostname=NAME, session=session) as peer:
        assert exchange(peer, b"x") == b"x"
        found = peer.session_reused, peer.session
        peer.unwrap().close()
        return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_worker_resumes_what_any_of_them_began(authority, server, echo, tmp_path, version):
    with WeirWithTLS(tmp_path, server, {"web": (echo.port, ", tls: true")}) as weir:
        context = authority.context(version)
        resumed, session = speak(context, weir.port)
        assert not resumed
        for _ in range(CONNECTIONS):
            resumed, session = speak(context, weir.port, session)
            assert resumed
        assert weir.handshakes(resumed="true") == CONNECTIONS
        assert weir.failures("web") == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_worker_resumes_a_session_of_s_client(authority, server, echo, tmp_path, version):
    file = tmp_path / "session"

    def shown(*options: str) -> str:
        done = run(
            tool("openssl"), "s_client", "-connect", f"127.0.0.1:{weir.port}", f"-tls{version.replace('.', '_')}",
            "-servername", NAME, "-CAfile", str(authority.certificate), "-sess_out", str(file), *options, input="x\n")
        assert done.returncode == 0, done.stderr
        return done.stdout

    with WeirWithTLS(tmp_path, server, {"web": (echo.port, ", tls: true")}) as weir:
        assert "New, TLS" in shown()
        # A client at the end of its input may end before the first ticket: a byte that came back came behind it.
        with authority.context(version).wrap_socket(connect(weir.port), server_hostname=NAME) as peer:
            assert exchange(peer, b"x") == b"x"
        for _ in range(20):
            if not file.exists():
                shown()
            assert "Reused, TLS" in shown("-sess_in", str(file))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_opens_no_route_that_verifies_its_clients_otherwise(
        authority, server, device, echo, tmp_path, version):
    other = Authority(tmp_path, "other")
    routes = {
        "open": (echo.port, ", tls: true"),
        "first": (echo.port, f", tls: {{ client_ca: {authority.certificate} }}"),
        "second": (echo.port, f", tls: {{ client_ca: {other.certificate} }}"),
        "same": (echo.port, f", tls: {{ client_ca: {authority.certificate} }}"),
    }
    with WeirWithTLS(tmp_path, server, routes) as weir:
        without, having = authority.context(version), authority.context(version, device)
        _, opened = speak(without, weir.ports["open"])
        _, verified = speak(having, weir.ports["first"])
        dials = weir.page().total("weir_dials_total")
        for context, session, route in (
                (without, opened, "first"), (without, opened, "second"), (having, verified, "second")):
            # With TLS 1.3 a client is done before it is refused.
            with pytest.raises((ssl.SSLError, ConnectionResetError, AssertionError)):
                speak(context, weir.ports[route], session)
        weir.await_failures({"no_certificate": 1}, "first")
        weir.await_failures({"no_certificate": 1, "unknown_ca": 1}, "second")
        assert weir.page().total("weir_dials_total") == dials
        # Neither does one of a verified client make another out of a route that verifies nothing.
        resumed, _ = speak(having, weir.ports["open"], verified)
        assert not resumed
        resumed, _ = speak(having, weir.ports["same"], verified)
        assert resumed


LIFE_SECONDS = 8


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_ends_with_the_certificate_of_its_client(authority, server, echo, tmp_path, version):
    fields = f", tls: {{ client_ca: {authority.certificate} }}"
    with WeirWithTLS(tmp_path, server, {"web": (echo.port, fields)}) as weir:
        device = authority.sign_for(LIFE_SECONDS, "guest.example.net")
        end = time.time() + LIFE_SECONDS
        context = authority.context(version, device)
        _, session = speak(context, weir.port)
        resumed, session = speak(context, weir.port, session)
        assert resumed
        wait_until("the certificate has ended", lambda: time.time() > end + 1)
        with pytest.raises((ssl.SSLError, ConnectionResetError, AssertionError)):
            speak(context, weir.port, session)
        weir.await_failures({"expired": 1}, "web")


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_ends_with_the_certificate_of_its_upstream(authority, server, tmp_path, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fields = f", upstream_tls: {{ ca: {authority.certificate} }}"
        with WeirWithTLS(tmp_path, server, {"up": (listener.getsockname()[1], fields)}) as weir:
            pair = authority.sign_for(LIFE_SECONDS, "short", "IP:127.0.0.1")
            end = time.time() + LIFE_SECONDS
            context.load_cert_chain(pair.certificate, pair.key)

            def serve() -> bool:
                with connect(weir.port) as client:
                    client.sendall(b"x")
                    upstream, _ = listener.accept()
                    with context.wrap_socket(upstream, server_side=True) as peer:
                        assert peer.recv(1) == b"x"
                        peer.sendall(b"y")
                        assert client.recv(1) == b"y"
                        return peer.session_reused

            assert not serve()
            assert serve()
            wait_until("the certificate has ended", lambda: time.time() > end + 1)
            with pytest.raises((ssl.SSLError, OSError)):
                serve()
            weir.await_failures({"expired": 1}, "up", "upstream")


def replace(file: Path, content: bytes):
    new = file.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, file)


@pytest.mark.long
def test_certificates_that_are_exchanged_every_second_under_load_fail_no_handshake(authority, echo, tmp_path):
    pairs = [authority.sign(f"server-{number}", f"DNS:{NAME}") for number in range(2)]
    used = Pair(tmp_path, "used")

    def use(pair: Pair):
        replace(used.key, pair.key.read_bytes())
        replace(used.certificate, pair.certificate.read_bytes())

    use(pairs[0])
    failures, seen, is_over = [], set(), threading.Event()
    counts = [0] * 3

    def work(index: int):
        context = authority.context()
        while not is_over.is_set():
            try:
                with context.wrap_socket(connect(weir.port), server_hostname=NAME) as peer:
                    assert exchange(peer, b"x") == b"x"
                    seen.add(peer.getpeercert()["subject"][0][0][1])
                counts[index] += 1
            except Exception as error:  # noqa: BLE001 (a thread tells of all)
                failures.append(repr(error))

    def served() -> str:
        with authority.context().wrap_socket(connect(weir.port), server_hostname=NAME) as peer:
            return peer.getpeercert()["subject"][0][0][1]

    with WeirWithTLS(tmp_path, used, {"web": (echo.port, ", tls: true")}) as weir:
        threads = [threading.Thread(target=work, args=(index,)) for index in range(len(counts))]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, EXCHANGES + 1):
                use(pairs[number % 2])
                began = time.monotonic()
                wait_until("the new one is served", served, accept=lambda name, number=number: (
                    name == f"server-{number % 2}"))
                wait_until("a second is over", lambda began=began: time.monotonic() - began > 1)
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert seen == {"server-0", "server-1"} and min(counts) > EXCHANGES
        assert weir.failures("web") == {}
        assert weir.page().total("weir_tls_certificate_last_reload_successful") == 1


def test_authorities_that_cannot_be_read_change_nothing_and_are_told_until_they_are_mended(
        authority, server, device, echo, tmp_path):
    trusted = tmp_path / "devices.pem"
    good = authority.certificate.read_bytes()
    trusted.write_bytes(good)
    label = {"certificate": str(trusted)}

    def is_good() -> float | None:
        name = "weir_tls_certificate_last_reload_successful"
        found = [sample.value for sample in weir.page().samples
                 if sample.name == name and label.items() <= sample.labels.items()]
        return found[0] if found else None

    with WeirWithTLS(tmp_path, server, {"web": (echo.port, f", tls: {{ client_ca: {trusted} }}")}) as weir:
        speak(authority.context(own=device), weir.port)
        replace(trusted, good[:-100])
        wait_until("it is refused", is_good, accept=lambda value: value == 0)
        speak(authority.context(own=device), weir.port)
        # Of authorities there is no end that an alert could fire for.
        ends = {sample.labels["certificate"] for sample in weir.page().samples
                if sample.name == "weir_tls_certificate_expiry_timestamp_seconds"}
        assert ends == {str(server.certificate)}
        replace(trusted, good + Authority(tmp_path, "other").certificate.read_bytes())
        wait_until("it is taken", is_good, accept=lambda value: value == 1)
        speak(authority.context(own=device), weir.port)
        log = "\n".join(weir.log())
        assert re.search("cannot be used", log) and "authorities reloaded" in log
