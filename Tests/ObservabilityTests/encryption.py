"""What the tests of TLS share: an authority with its certificates, Weir with routes of a port each, and servers that
send back what they get.
"""

import itertools
import socket
import socketserver
import ssl
import threading
import time
from pathlib import Path

from peers import Weir
from support import free_port, run, wait_until

NAME = "a.example.net"
EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Pair:
    """A certificate and its key."""

    def __init__(self, folder: Path, name: str):
        self.certificate, self.key = folder / f"{name}.pem", folder / f"{name}.key"

    @property
    def yaml(self) -> str:
        return f"certificate: {self.certificate}, key: {self.key}"


class Authority(Pair):
    """An authority, and what it signs."""

    def __init__(self, folder: Path, name: str = "authority"):
        super().__init__(folder, name)
        self.folder = folder
        self._openssl(
            "req", "-x509", "-newkey", *EC, "-nodes", "-days", "9", "-subj", f"/CN={name}", "-keyout", str(self.key),
            "-out", str(self.certificate))

    def sign(self, name: str, *names: str, key: tuple[str, ...] = EC) -> Pair:
        """A certificate whose common name is `name`."""
        made = Pair(self.folder, name)
        alternatives = ",".join(names or [f"DNS:{name}"])
        self._openssl(
            "req", "-x509", "-newkey", *key, "-nodes", "-days", "5", "-subj", f"/CN={name}",
            "-CA", str(self.certificate), "-CAkey", str(self.key), "-addext", f"subjectAltName={alternatives}",
            "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", str(made.key), "-out", str(made.certificate))
        return made

    def sign_for(self, seconds: int, name: str, *names: str) -> Pair:
        """A certificate that ends so soon: openssl(1) takes an end only where it keeps a list of what it has signed."""
        made, request = self.sign(name, *names), self.folder / f"{name}.csr"
        alternatives = ",".join(names or [f"DNS:{name}"])
        (self.folder / "index").write_text("")
        settings = self.folder / "settings"
        settings.write_text(
            f"[ca]\ndefault_ca = a\n[a]\ndatabase = {self.folder}/index\nnew_certs_dir = {self.folder}\n"
            f"default_md = sha256\npolicy = p\nrand_serial = yes\nx509_extensions = e\n[p]\ncommonName = supplied\n"
            f"[e]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = {alternatives}\n")
        self._openssl("req", "-new", "-key", str(made.key), "-subj", f"/CN={name}", "-out", str(request))
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
        self._openssl(
            "ca", "-batch", "-notext", "-config", str(settings), "-cert", str(self.certificate), "-keyfile",
            str(self.key), "-startdate", "20200101000000Z", "-enddate", end, "-in", str(request), "-out",
            str(made.certificate))
        return made

    @staticmethod
    def _openssl(*arguments: str):
        made = run("openssl", *arguments)
        assert made.returncode == 0, made.stderr

    def context(self, version: str | None = None, own: Pair | None = None) -> ssl.SSLContext:
        """The settings of a client that trusts the authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        if version:
            context.minimum_version = context.maximum_version = VERSIONS[version]
        if own:
            context.load_cert_chain(own.certificate, own.key)
        return context


class WeirWithTLS(Weir):
    """Weir with routes of a port each. `routes` has the upstream's port and the further fields of each."""

    def __init__(self, folder: Path, server: Pair, routes: dict[str, tuple[int, str]], head: str = ""):
        self.ports = {name: free_port() for name in routes}
        self.port = next(iter(self.ports.values()))
        text = "".join(
            f"  {name}: {{ scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: '{self.ports[name]}:{upstream}'"
            f"{fields} }}\n" for name, (upstream, fields) in routes.items())
        self._start(folder, text, f"tls: {{ certificates: {{ {server.yaml} }} }}\n{head}")

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.process.pid}/fd").iterdir()))

    @property
    def memory(self) -> int:
        """The anonymous memory of the process, in bytes."""
        status = Path(f"/proc/{self.process.process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) << 10

    def handshakes(self, **labels: str) -> float:
        return self.page().total("weir_tls_handshakes_total", **labels)

    def failures(self, route: str, side: str = "client") -> dict[str, int]:
        """The handshakes of a route that failed, by reason."""
        return {
            sample.labels["reason"]: int(sample.value) for sample in self.page().samples
            if sample.name == "weir_tls_handshake_failures_total" and sample.value
            and sample.labels["route"] == route and sample.labels["side"] == side}

    def await_failures(self, expected: dict[str, int], route: str, side: str = "client"):
        """Waits for what a peer may have seen before it was counted, and for nothing else."""
        wait_until(
            "the failures are counted", lambda: self.failures(route, side), accept=lambda found: found == expected)

    def active(self) -> float:
        return self.page().total("weir_tcp_connections_active")


class Echo:
    """A server that sends back what it gets, and keeps it, until the end of a `with`. Ends pass as half-closes."""

    def __init__(self):
        self.received: dict[int, bytes] = {}
        self.changed = threading.Condition()
        numbers = itertools.count()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                number = next(numbers)
                outer._note(number, b"")
                try:
                    while data := self.request.recv(65_536):
                        outer._note(number, data)
                        self.request.sendall(data)
                    self.request.shutdown(socket.SHUT_WR)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 500

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def _note(self, number: int, data: bytes):
        with self.changed:
            self.received[number] = self.received.get(number, b"") + data
            self.changed.notify_all()

    def await_received(self, data: bytes):
        """Waits until a connection has got exactly this."""
        with self.changed:
            assert self.changed.wait_for(lambda: data in self.received.values(), 30), self.received

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def exchange(peer: socket.socket, data: bytes) -> bytes:
    """Sends bytes and reads as many."""
    peer.sendall(data)
    return read(peer, len(data))


def read(peer: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (piece := peer.recv(count - len(found))):
        found += piece
    return found
