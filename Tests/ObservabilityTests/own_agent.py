"""The agent under test, with an echo server that it may dial and a server that it may not."""

import os
import socket
import threading
from contextlib import contextmanager

from support import Process, free_port, free_ports, http, run, wait_until, weir
from tunnels import HTTP, WEIR, Tunnel, context

NAME = "edge-1"


class Server:
    """A server at a port, in the network of the thread that makes it: `serve` has each of its connections, which are
    counted, and what it returns is kept.
    """

    def __init__(self, port: int, serve, address: str = "127.0.0.1"):
        self.socket = socket.create_server((address, port))
        self.count, self.serve, self.received = 0, serve, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection:
            try:
                self.received.append(self.serve(connection))
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Wakes accept(2), which close alone does not.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def echo(connection):
    """Sends all back, and then says so: the end of one direction leaves the other open."""
    while part := connection.recv(65536):
        connection.sendall(part)
    connection.sendall(b"end")


class Agent:
    """Weir as an agent, with an echo server that it may dial and a server that it may not."""

    def __init__(self, folder, settings: str = "", allow: str = ""):
        self.folder, self.settings, self.allow = folder, settings, allow
        made = run(weir(), "agent", "certificates", NAME, "--directory", str(folder))
        assert made.returncode == 0, made.stderr
        self.port = free_ports(3)
        self.echo_port, self.other_port, self.exporter = self.port + 1, self.port + 2, free_port()
        self.write()

    def write(self, settings: str | None = None):
        settings = self.settings if settings is None else settings
        (self.folder / "agent.yml").write_text(
            f"exporter: {{ listen: 127.0.0.1:{self.exporter} }}\n"
            "shutdown: { drain_timeout: 5s }\n"
            f"agent: {{ name: {NAME}, listen: '127.0.0.1:{self.port}', ca: ca.pem, certificate: server.pem, "
            f"key: server.key, allow: ['tcp:127.0.0.1:{self.port}-{self.echo_port}', 'tcp:0.0.0.0/0:80'{self.allow}]"
            f"{settings} }}\n")

    def __enter__(self):
        self.echo = Server(self.echo_port, echo)
        self.other = Server(self.other_port, echo)
        self.process = Process(self.folder, weir(), "agent", "--config", str(self.folder / "agent.yml"))
        url = f"http://127.0.0.1:{self.exporter}/readyz"
        wait_until("the agent is ready", lambda: self.process.check() or http(url)[0] == 200, 60)
        self.descriptors = self.open_descriptors()
        return self

    def __exit__(self, *_):
        self.process.stop()
        self.echo.__exit__()
        self.other.__exit__()

    def open_descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.process.pid}/fd"))

    def tunnel(self, alpn: str | None = WEIR, name: str | None = "client", **options) -> Tunnel:
        return Tunnel(self.port, context(self.folder, name, alpn), **options)

    def page(self) -> str:
        return http(f"http://127.0.0.1:{self.exporter}/metrics")[1]

    def value(self, series: str) -> float:
        """The value of a series of the page; 0 where there is none."""
        for line in self.page().splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0

    def await_line(self, *parts: str):
        """Waits until a line of its log has all of these."""
        wait_until(f"a line has {parts}", lambda: any(
            all(part in line for part in parts) for line in self.process.log.read_text().splitlines()))

    def requests(self, result: str) -> float:
        return self.value(f'weir_tunnel_requests_total{{protocol="tcp",result="{result}"}}')

    def failures(self, reason: str) -> float:
        return self.value(
            f'weir_tls_handshake_failures_total{{route="{NAME}",protocol="tcp",side="client",reason="{reason}"}}')

    @contextmanager
    def counts(self, *results: str):
        """Each of these results is counted once meanwhile."""
        before = [self.requests(result) for result in results]
        yield
        for result, count in zip(results, before):
            wait_until(f"{result} is counted", lambda: self.requests(result) == count + 1)

    def ask(self, path: str, name: str = "client", alpn: str | None = HTTP) -> tuple[int, str]:
        """Asks for a page of the agent itself."""
        with self.tunnel(alpn, name) as tunnel:
            tunnel.send(f"GET {path} HTTP/1.1\r\nHost: godoxy.agent\r\nConnection: close\r\n\r\n".encode())
            found = b""
            while part := tunnel.receive(65536):
                found += part
        head, _, body = found.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def assert_nothing_left(self):
        """All connections have ended and were counted once, and their descriptors are closed."""
        def counts():
            page = self.page()

            def total(name: str) -> float:
                return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
                           if line.startswith(f'weir_tcp_connections_{name}{{route="{NAME}"'))

            return total("active"), total("accepted_total") - total("closed_total") - total("rejected_total")

        wait_until("all connections have ended, and each is counted once", counts, accept=lambda found: found == (0, 0))
        wait_until("their descriptors are closed", self.open_descriptors,
                   accept=lambda found: found <= self.descriptors)
