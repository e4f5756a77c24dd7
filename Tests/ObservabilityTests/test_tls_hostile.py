"""Peers of TLS that send garbage, stop, flood or lie: each ends with its reason, and leaves nothing behind. Most of
them are made by hand, with tlslite-ng.
"""

import ctypes
import ctypes.util
import re
import socket
import ssl
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import ContentType, KeyUpdateMessageType
from tlslite.errors import TLSError
from tlslite.messages import Message

from encryption import EC, NAME, VERSIONS, Authority, Echo, WeirWithTLS, connect, exchange
from support import run, tool, wait_until

NUMBERS = {"1.2": (3, 3), "1.3": (3, 4)}
FLOOD = 2_000
# Every chapter ends by itself; a client that waits longer than this has been forgotten.
PATIENCE = 30


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(authority):
    return authority.sign("server", f"DNS:{NAME}", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def echo():
    with Echo() as made:
        yield made


@pytest.fixture
def weir(authority, server, echo, tmp_path):
    routes = {
        "web": (echo.port, ", tls: true, handshake_timeout: 5s"),
        "hasty": (echo.port, ", tls: true, handshake_timeout: 300ms"),
        "named": (echo.port, f", sni: {NAME}, tls: {{ minimum: '1.3' }}"),
    }
    with WeirWithTLS(tmp_path, server, routes) as made:
        before = made.descriptors
        yield made
        wait_until("all connections have ended", made.active, accept=lambda count: count == 0)
        wait_until("all descriptors are back", lambda: made.descriptors, accept=lambda count: count <= before + 2)
        made.process.check()


def handmade(port: int, version: str) -> TLSConnection:
    """A connection of tlslite's after its handshake."""
    peer = connect(port)
    peer.settimeout(PATIENCE)
    made = TLSConnection(peer)
    # Also where it meets an error: the test looks how the connection ends.
    made.closeSocket = False
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = NUMBERS[version]
    made.handshakeClientCert(settings=settings, serverName=NAME)
    return made


def send(peer: TLSConnection, kind: int, body: bytes):
    """Sends one encrypted record of any type."""
    for _ in peer._sendMsg(Message(kind, bytearray(body)), randomizeFirstBlock=False):
        pass


def is_cut_off(peer: socket.socket) -> bool:
    """Whether the other side ends or resets the connection, whatever it sends before."""
    try:
        while peer.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def reset(peer: socket.socket):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def client_hello() -> bytes:
    """A hello of OpenSSL's."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=NAME).do_handshake()
    return outgoing.read()


def record(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body) if length is None else length) + body


# Before and within the handshake

FIRST_BYTES = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "garbage": bytes(range(128, 256)) * 40,
    "SSL 2": bytes.fromhex("802b0100020012000000100100800700c0030080060040020080040080") + bytes(20),
    "an oversized record": record(22, b"\1" * 500, 0x4801),
    "a heartbeat": record(24, bytes([1, 0x40, 0])),
    "data": record(23, b"x" * 30),
    "an unknown message": record(22, bytes([99, 0, 0, 0])),
    "a hello without an end": record(22, b"\1\xff\xff\xff" + b"x" * 200),
    "a hello that is cut": record(22, b"\1\0\0\5" + b"xxxxx"),
}


@pytest.mark.parametrize("kind", FIRST_BYTES)
def test_what_is_no_hello_is_a_fault_of_the_protocol(weir, kind):
    for _ in range(5):
        with connect(weir.port) as peer:
            peer.sendall(FIRST_BYTES[kind])
            assert is_cut_off(peer)
    weir.await_failures({"protocol": 5}, "web")
    wait_until("all are told", lambda: weir.page().total(
        "weir_tcp_connections_rejected_total", route="web", reason="tls"), accept=lambda count: count == 5)


def test_a_handshake_that_stops_is_a_timeout_wherever_it_stops(weir):
    hello = client_hello()
    pieces = (hello[:1], hello[:5], hello[:40], hello[:-1], hello, hello + record(20, b"\1"))
    peers = [connect(weir.ports["hasty"]) for _ in pieces]
    for peer, piece in zip(peers, pieces, strict=True):
        peer.sendall(piece)
    for peer in peers:
        assert is_cut_off(peer)
        peer.close()
    weir.await_failures({"timeout": len(pieces)}, "hasty")
    assert weir.page().total("weir_timeouts_total", route="hasty", kind="handshake") == len(pieces)


def test_a_client_that_leaves_is_closed_or_no_failure_before_its_first_byte(weir):
    hello = client_hello()
    for piece in (b"", hello[:40], hello):
        for end in (socket.socket.close, reset):
            peer = connect(weir.port)
            peer.sendall(piece)
            if piece == hello:
                assert peer.recv(1)
            end(peer)
    counts = wait_until("all are told", lambda: (
        weir.failures("web"), weir.page().total("weir_tcp_connections_rejected_total", reason="probe")),
        accept=lambda found: found[1] == 2 and sum(found[0].values()) == 4)
    assert counts[0] == {"closed": 4}


def test_alerts_and_what_is_not_shared_have_their_reasons(authority, weir):
    with connect(weir.port) as peer:
        peer.sendall(client_hello())
        assert peer.recv(1)
        peer.sendall(record(21, b"\2\x2a"))
        assert is_cut_off(peer)
    weir.await_failures({"alert": 1}, "web")

    def refused(route: str, change):
        context = authority.context("1.2")
        change(context)
        with pytest.raises((ssl.SSLError, ConnectionError)), connect(weir.ports[route]) as peer:
            context.wrap_socket(peer, server_hostname=NAME)

    refused("web", lambda context: context.set_ciphers("AES128-SHA256"))
    weir.await_failures({"alert": 1, "cipher": 1}, "web")
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError), connect(weir.port) as peer:
        stranger.wrap_socket(peer, server_hostname=NAME)
    weir.await_failures({"alert": 2, "cipher": 1}, "web")
    refused("named", lambda context: None)
    weir.await_failures({"version": 1}, "named")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_whose_segments_are_of_one_byte_is_served(authority, weir, version):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.context(version).wrap_bio(incoming, outgoing, server_hostname=NAME)
    with connect(weir.port) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def perform(step):
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                for byte in outgoing.read():
                    peer.sendall(bytes([byte]))
                if result is not None:
                    return result
                incoming.write(peer.recv(65_536))

        perform(lambda: client.do_handshake() or True)
        assert client.write(b"slow") == 4
        assert perform(lambda: client.read(4)) == b"slow"
    assert weir.handshakes(route="web", version=version) == 1


# Behind the handshake


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_without_close_notify_is_told_and_what_came_before_it_arrives(authority, weir, echo, version):
    data = f"the last words of TLS {version}".encode()
    peer = authority.context(version).wrap_socket(connect(weir.port), server_hostname=NAME)
    assert exchange(peer, data) == data
    # The socket below ends without the session's knowledge.
    with socket.socket(fileno=peer.detach()) as below:
        below.settimeout(PATIENCE)
        below.shutdown(socket.SHUT_WR)
        assert is_cut_off(below)
    echo.await_received(data)
    assert weir.page().total("weir_tls_truncated_total", route="web", side="client") == 1
    with authority.context(version).wrap_socket(connect(weir.port), server_hostname=NAME) as peer:
        assert exchange(peer, data) == data
        peer.unwrap().close()
    assert weir.page().total("weir_tls_truncated_total") == 1


FLOODS = {
    "changes of keys that are to be answered": ("1.3", lambda peer: list(
        peer.send_keyupdate_request(KeyUpdateMessageType.update_requested))),
    "changes of keys": ("1.3", lambda peer: list(
        peer.send_keyupdate_request(KeyUpdateMessageType.update_not_requested))),
    "renegotiations": ("1.2", lambda peer: send(peer, ContentType.handshake, b"\1\0\0\0")),
    "empty records of 1.2": ("1.2", lambda peer: send(peer, ContentType.application_data, b"")),
    "empty records of 1.3": ("1.3", lambda peer: send(peer, ContentType.application_data, b"")),
    "warnings of 1.2": ("1.2", lambda peer: send(peer, ContentType.alert, b"\1\x5a")),
    "warnings of 1.3": ("1.3", lambda peer: send(peer, ContentType.alert, b"\1\x5a")),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_records_without_data_is_cut_off(weir, kind):
    version, flood = FLOODS[kind]
    peer = handmade(weir.port, version)
    # More than any implementation sends, and fewer than what would fill a socket.
    with suppress(OSError, TLSError):
        for _ in range(FLOOD):
            flood(peer)
    assert is_cut_off(peer.sock.socket)
    peer.sock.socket.close()
    wait_until("it has ended", weir.active, accept=lambda count: count == 0)
    assert weir.page().total("weir_tcp_connections_closed_total", route="web", reason="error") == 1


ONCE = {
    "a heartbeat": lambda peer: send(peer, 24, bytes([1, 0, 3, 1, 2, 3]) + bytes(16)),
    "a type of no meaning": lambda peer: send(peer, 99, b"abc"),
    "a record that was never encrypted": lambda peer: peer.sock.socket.sendall(record(23, b"x" * 64)),
    "a record of another key": lambda peer: peer.sock.socket.sendall(record(23, bytes(range(64)))),
    "an oversized record": lambda peer: peer.sock.socket.sendall(record(23, b"x" * 0x4801)),
    "a message of no meaning": lambda peer: send(peer, ContentType.handshake, b"\x63\0\0\0"),
    "a change of ciphers": lambda peer: send(peer, ContentType.change_cipher_spec, b"\1"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ONCE)
def test_a_record_out_of_place_ends_the_connection_and_gives_nothing(weir, echo, kind, version):
    peer = handmade(weir.port, version)
    data = f"before {kind} {version}".encode()
    peer.send(data)
    assert bytes(peer.read(min=len(data), max=len(data))) == data
    ONCE[kind](peer)
    assert is_cut_off(peer.sock.socket)
    peer.sock.socket.close()
    echo.await_received(data)
    wait_until("it has ended", weir.active, accept=lambda count: count == 0)
    assert weir.page().total("weir_tcp_connections_closed_total", route="web", reason="error") == 1


def test_openssls_client_that_renegotiates_is_refused(authority, weir):
    client = subprocess.Popen(
        [tool("openssl"), "s_client", "-connect", f"127.0.0.1:{weir.port}", "-tls1_2", "-servername", NAME, "-CAfile",
         str(authority.certificate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
    with client:
        client.stdin.write("R\n")
        client.stdin.flush()
        shown = client.stdout.read()
    assert "RENEGOTIATING" in shown and "no renegotiation" in shown, shown
    wait_until("it has ended", weir.active, accept=lambda count: count == 0)
    # s_client does not even try where the server does not offer RFC 5746.
    assert "Secure Renegotiation IS supported" in shown


def test_early_data_is_never_taken(authority, weir, echo, tmp_path):
    """The ticket is changed to one that allows it, as a client may claim what it likes."""
    file, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(b"early words")

    def s_client(*options: str) -> str:
        client = subprocess.Popen(
            [tool("openssl"), "s_client", "-connect", f"127.0.0.1:{weir.port}", "-tls1_3", "-servername", NAME,
             "-CAfile", str(authority.certificate), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        with client:
            client.stdin.write("later words\n")
            client.stdin.flush()
            lines = []
            for line in client.stdout:
                lines.append(line)
                if line == "later words\n":
                    client.stdin.close()
                    break
            lines += client.stdout.readlines()
        return "".join(lines)

    s_client("-sess_out", str(file))
    allow_early_data(file)
    shown = s_client("-sess_in", str(file), "-early_data", str(early))
    assert "Early data was rejected" in shown, shown
    assert "Reused" in shown
    echo.await_received(b"later words\n")
    assert not any(b"early" in data for data in echo.received.values())


def allow_early_data(file: Path):
    """Writes into the session of a file that it may send early data."""
    library = ctypes.CDLL(ctypes.util.find_library("ssl"))
    crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
    for function in (crypto.BIO_new_file, library.PEM_read_bio_SSL_SESSION):
        function.restype = ctypes.c_void_p

    def opened(mode: bytes) -> ctypes.c_void_p:
        return ctypes.c_void_p(crypto.BIO_new_file(str(file).encode(), mode))

    reader = opened(b"r")
    session = ctypes.c_void_p(library.PEM_read_bio_SSL_SESSION(reader, None, None, None))
    assert session.value and library.SSL_SESSION_set_max_early_data(session, 16_384) == 1
    writer = opened(b"w")
    assert library.PEM_write_bio_SSL_SESSION(writer, session) == 1
    for bio in (reader, writer):
        crypto.BIO_free(bio)


@pytest.mark.long
def test_crowds_of_bad_peers_leave_no_descriptor_and_no_memory(weir):
    hello = client_hello()
    before = weir.descriptors

    def crowd():
        for index, bad in enumerate((*FIRST_BYTES.values(), hello[:60], hello, b"") * 20):
            peer = connect(weir.port)
            with suppress(OSError):
                peer.sendall(bad)
            if index % 2:
                reset(peer)
            else:
                peer.close()
        for _ in range(3):
            peer = handmade(weir.port, "1.3")
            with suppress(OSError, TLSError):
                for _ in range(200):
                    peer.send_keyupdate_request(KeyUpdateMessageType.update_requested)
            peer.sock.socket.close()
        wait_until("all have ended", weir.active, accept=lambda count: count == 0)
        wait_until("descriptors are back", lambda: weir.descriptors, accept=lambda count: count <= before + 2)

    # The first ones fill what is kept: arenas, pools, the stage of each worker.
    for _ in range(3):
        crowd()
    first = weir.memory
    for _ in range(5):
        crowd()
    # 1,200 connections more, of which one that stayed would have 4 KiB at least.
    assert weir.memory - first < 4 << 20


# Upstreams


@pytest.mark.parametrize("ciphers", ["AES128-SHA256", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256"])
def test_upstreams_without_forward_secrecy_or_authenticated_ciphers_are_refused(authority, tmp_path, ciphers):
    key = ("rsa:2048",) if ciphers.startswith("AES") else EC
    server = authority.sign("weak", f"DNS:{NAME}", "IP:127.0.0.1", key=key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.load_cert_chain(server.certificate, server.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fields = f", upstream_tls: {{ ca: {authority.certificate} }}"
        with WeirWithTLS(tmp_path, server, {"weak": (listener.getsockname()[1], fields)}) as weir:
            with connect(weir.port) as client:
                upstream, _ = listener.accept()
                with upstream, pytest.raises((ssl.SSLError, OSError)):
                    context.wrap_socket(upstream, server_side=True)
                assert is_cut_off(client)
            weir.await_failures({"alert": 1}, "weak", "upstream")


def test_a_flood_of_an_upstream_is_cut_off(authority, server, tmp_path):
    """Of requests for renegotiation, which TLS 1.2's servers may send."""
    from tlslite.api import X509CertChain, parsePEMKey

    chain = X509CertChain()
    chain.parsePemList(server.certificate.read_text())
    key = parsePEMKey(server.key.read_text(), private=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fields = f", upstream_tls: {{ ca: {authority.certificate} }}"
        with WeirWithTLS(tmp_path, server, {"bad": (listener.getsockname()[1], fields)}) as weir, \
                connect(weir.port) as client:
            upstream, _ = listener.accept()
            with upstream:
                peer = TLSConnection(upstream)
                peer.closeSocket = False
                settings = HandshakeSettings()
                settings.maxVersion = (3, 3)
                peer.handshakeServer(certChain=chain, privateKey=key, settings=settings)
                with suppress(OSError, TLSError):
                    for _ in range(FLOOD):
                        send(peer, ContentType.handshake, bytes(4))
                assert is_cut_off(upstream)
            assert is_cut_off(client)
            wait_until("it has ended", weir.active, accept=lambda count: count == 0)
