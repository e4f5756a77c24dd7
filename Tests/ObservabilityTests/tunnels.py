"""A foreign client of agents: the protocols of tunnels over TLS, in Python's own library."""

import socket
import ssl
import struct
import zlib
from pathlib import Path

WEIR, PLAIN, HTTP = "weir-agent/1", "godoxy-agent-stream/1", "http/1.1"
PROBE, CLIENT = 1, 2
STATUSES = ("ok", "refused", "timeout", "unreachable", "dns", "denied", "limit", "reset", "malformed", "version",
            "checksum", "draining", "other")


def header(host: str, port: int | str, flags: int = 0, version: bytes = b"0.1.0", damage: int = 0) -> bytes:
    """The 275 bytes with which every request begins. `damage` is added to the checksum."""
    host, port = host.encode(), str(port).encode()
    body = version.ljust(8, b"\0") + bytes([len(host)]) + host.ljust(255, b"\0")
    body += bytes([len(port)]) + port.ljust(5, b"\0") + bytes([flags])
    assert len(body) == 271
    return body + struct.pack(">I", zlib.crc32(body) ^ damage)


def request(host: str, port: int | str, milliseconds: int = 0, client: tuple | None = None, **options) -> bytes:
    """A request of weir-agent/1. `client` is source and destination, each an IPv4 address with a port."""
    options["flags"] = options.get("flags", 0) | (CLIENT if client else 0)
    message = header(host, port, **options) + struct.pack(">I", milliseconds)
    if client:
        (source, source_port), (target, target_port) = client
        message += b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12)
        message += socket.inet_aton(source) + socket.inet_aton(target) + struct.pack(">HH", source_port, target_port)
    return message


def context(folder: Path, name: str | None = "client", alpn: str | None = WEIR, authority: str = "ca.pem"):
    """The settings of a client with the certificate of a name."""
    made = ssl.create_default_context(cafile=str(folder / authority))
    if name:
        made.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if alpn:
        made.set_alpn_protocols([alpn])
    return made


class Tunnel:
    """A TLS connection to an agent."""

    def __init__(self, port: int, settings: ssl.SSLContext, name: str = "godoxy.agent", timeout: float = 20):
        plain = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        try:
            self.socket = settings.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False)
        except BaseException:
            plain.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, message: bytes):
        self.socket.sendall(message)

    def receive(self, count: int) -> bytes:
        """So many bytes, or fewer where the peer ends before."""
        found = b""
        while len(found) < count:
            part = self.socket.recv(count - len(found))
            if not part:
                break
            found += part
        return found

    def status(self) -> str:
        """The status of the agent, by its name."""
        found = self.receive(4)
        assert len(found) == 4 and found[:2] == b"W\x01" and found[3] == 0, found
        return STATUSES[found[2]]

    def is_ended(self) -> bool:
        """Whether the peer ends with close_notify, and not with an alert, a reset or a bare FIN."""
        return self.socket.recv(1) == b""


class HalfTunnel(Tunnel):
    """One whose own direction can end: Python's sockets with TLS end both at once."""

    def __init__(self, port: int, settings: ssl.SSLContext):
        self.plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = settings.wrap_bio(self.incoming, self.outgoing, server_hostname="godoxy.agent")
        self._step(self.session.do_handshake)

    def __exit__(self, *_):
        self.plain.close()

    def _flush(self):
        if self.outgoing.pending:
            self.plain.sendall(self.outgoing.read())

    def _step(self, call):
        while True:
            try:
                found = call()
                self._flush()
                return found
            except ssl.SSLWantReadError:
                self._flush()
                part = self.plain.recv(65536)
                if part:
                    self.incoming.write(part)
                else:
                    self.incoming.write_eof()
            except ssl.SSLZeroReturnError:
                return b""

    def send(self, message: bytes):
        self._step(lambda: self.session.write(message))

    def finish(self):
        """Sends close_notify, and goes on reading."""
        try:
            self.session.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()

    def receive(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self._step(lambda: self.session.read(count - len(found)))
            if not part:
                break
            found += part
        return found
