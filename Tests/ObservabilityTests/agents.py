"""Agents written in Python: of Weir's own protocol and of the one that came before it, with the faults that a test asks
for.
"""

import contextlib
import socket
import ssl
import struct
import threading
import zipfile
import zlib
from pathlib import Path

from support import free_port, run

WEIR = "weir-agent/1"
PLAIN = "godoxy-agent-stream/1"
STATUS = ("ok", "refused", "timeout", "unreachable", "dns", "denied", "limit", "reset", "malformed", "version",
          "checksum", "draining", "other")


class Authority:
    """An authority and what it signs."""

    def __init__(self, folder: Path, name: str):
        self.folder = folder / name
        self.folder.mkdir()
        self.certificate, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                      "-subj", f"/CN={name}", "-keyout", str(self.key), "-out", str(self.certificate))

    @staticmethod
    def _openssl(*words: str):
        made = run("openssl", *words)
        assert made.returncode == 0, made.stderr

    def sign(self, name: str, usage: str, host: str = "godoxy.agent", days: int = 30) -> tuple[Path, Path]:
        """A certificate with its key."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={name}", "-keyout", str(key), "-out", str(request))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{host}\nextendedKeyUsage={usage}\n")
        self._openssl("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self.key),
                      "-CAcreateserial", "-days", str(days), "-extfile", str(extensions), "-out", str(certificate))
        key.chmod(0o600)
        return certificate, key

    def bundle(self, path: Path, pair: tuple[Path, Path], compression: int = zipfile.ZIP_STORED) -> Path:
        """An archive with the credentials of a client."""
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, file in (("ca.pem", self.certificate), ("cert.pem", pair[0]), ("key.pem", pair[1])):
                archive.writestr(name, file.read_text())
        path.chmod(0o600)
        return path


class Peer:
    """The agent's end of one connection: TLS over memory, so that a close_notify is an end of one direction."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext):
        self.connection = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def _call(self, function, *arguments):
        while True:
            try:
                return function(*arguments)
            except ssl.SSLWantReadError:
                self.flush()
                received = self.connection.recv(65536)
                if received:
                    self.incoming.write(received)
                else:
                    self.incoming.write_eof()
            finally:
                self.flush()

    def flush(self):
        waiting = self.outgoing.read()
        if waiting:
            self.connection.sendall(waiting)

    def handshake(self) -> str | None:
        self._call(self.tls.do_handshake)
        return self.tls.selected_alpn_protocol()

    def receive(self, count: int = 65536) -> bytes:
        """The next bytes; none at the end."""
        try:
            return self._call(self.tls.read, count)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self.receive(count - len(found))
            if not more:
                break
            found += more
        return found

    def send(self, payload: bytes):
        self._call(self.tls.write, payload)

    def finish(self):
        """Sends close_notify. The other direction goes on."""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLError):
            self.tls.unwrap()
        self.flush()


class Request:
    """A request, as it came."""

    def __init__(self, peer: Peer, protocol: str):
        head = peer.exactly(275)
        self.is_whole = len(head) == 275
        if not self.is_whole:
            return
        assert head[:8] == b"0.1.0\0\0\0" and struct.unpack(">I", head[271:])[0] == zlib.crc32(head[:271])
        self.host = head[9:9 + head[8]].decode()
        self.port = head[265:265 + head[264]].decode()
        self.is_probe = bool(head[270] & 1)
        self.milliseconds, self.client = None, None
        if protocol == WEIR:
            self.milliseconds = struct.unpack(">I", peer.exactly(4))[0]
            if head[270] & 2:
                block = peer.exactly(16)
                block += peer.exactly(struct.unpack(">H", block[14:])[0])
                self.client = socket.inet_ntoa(block[16:20]), struct.unpack(">H", block[24:26])[0]


class Agent:
    """An agent that serves each connection on a thread. `serve` gets the peer and the request of each one that is no
    probe, and the status is sent by `status`.
    """

    def __init__(self, authority: Authority, protocols: list[str], *, pair=None, clients: Authority | None = None,
                 port: int | None = None, serve=None, status: bytes = b"W\x01\x00\x00", slowly: bool = False):
        self.port = port or free_port()
        self.serve, self.status, self.slowly = serve or echo, status, slowly
        self.requests: list[Request] = []
        self.probes = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*(pair or authority.sign(f"server-{self.port}", "serverAuth")))
        self.context.load_verify_locations((clients or authority).certificate)
        self.context.verify_mode = ssl.CERT_REQUIRED
        if protocols:
            self.context.set_alpn_protocols(protocols)
        self.connections: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket):
        with contextlib.suppress(OSError, ssl.SSLError), contextlib.closing(connection):
            peer = Peer(connection, self.context)
            try:
                protocol = peer.handshake()
                if protocol not in (WEIR, PLAIN):
                    self.serve(peer, None)
                    return
                request = Request(peer, protocol)
            except ssl.SSLError:
                peer.flush()
                return
            if not request.is_whole:
                return
            if request.is_probe:
                self.probes += 1
            else:
                self.requests.append(request)
            if protocol == WEIR:
                for piece in [self.status[index:index + 1] for index in range(4)] if self.slowly else [self.status]:
                    peer.send(piece)
            if request.is_probe or protocol == WEIR and self.status != b"W\x01\x00\x00":
                peer.finish()
            else:
                self.serve(peer, request)

    def abort(self):
        """Ends every connection in the middle: with FIN, without close_notify."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.abort()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def echo(peer: Peer, _: Request | None):
    """Sends back what comes, and ends behind it."""
    while received := peer.receive():
        peer.send(received)
    peer.finish()
    # The other side closes the connection.
    peer.receive()


def greet(peer: Peer, _: Request | None):
    """Speaks first, ends, and goes on reading: the answer goes into another connection's place."""
    peer.send(b"hello\n")
    peer.finish()
    rest = b""
    while received := peer.receive():
        rest += received
    greeted.append(rest)


greeted: list[bytes] = []


def hang_up(peer: Peer, _: Request | None):
    """Ends without a byte, as an agent whose own dial has failed."""
    peer.finish()


def hang_up_after_question(peer: Peer, _: Request | None):
    peer.receive(1)
    peer.finish()
