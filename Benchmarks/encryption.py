"""What TLS costs on either side: handshakes, small requests on kept connections, and bulk, with the same library, the same
certificate and the same clients for all proxies.
"""

import multiprocessing
import os
import re
import socket
import ssl
import statistics
import time
from contextlib import ExitStack, suppress

import echoes
import loads
import processes
from accounting import resident_bytes
from idle_memory import SETTLE_SECONDS
from proxies import HAProxy, Nginx, OwnListeners, Weir, WeirBefore
from report import duration, per_second, size
from tools import Failure, locate

TITLE = "TLS, P-256"
# As in `names`: many short runs, not few long ones.
RUNS_PER_ROUND = 2
SHORTEST_RUN = 2
# Clients that make new handshakes, one after the other each.
CLIENTS = 4
IDLE_CONNECTIONS = 1000
CLOSING = ("Connection: close",)
# New handshakes in a second beside the echoes of a plain route, and the clients that make them.
HANDSHAKES_PER_SECOND = 500
HANDSHAKE_CLIENTS = 2


class Certificate:
    """A leaf for 127.0.0.1 that is its own authority."""

    def __init__(self, directory):
        self.certificate, self.key = (os.path.join(directory, f"tls.{kind}") for kind in ("crt", "key"))
        self.both = os.path.join(directory, "tls.pem")
        if os.path.exists(self.both):
            return
        processes.run(
            [
                *(locate("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
                *("-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=weir.test"),
                *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            ], 30)
        with open(self.both, "w", encoding="ascii") as both:
            for path in (self.certificate, self.key):
                with open(path, encoding="ascii") as part:
                    both.write(part.read())


class Encrypting(OwnListeners):
    """A listener that terminates TLS, one that originates it, and a plain one for echoes. `upstreams` has the ports of
    their servers.
    """

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.plain_upstream, self.encrypted_upstream, self.echo_upstream = upstreams
        self.terminated, self.originated, self.plain = (processes.free_port() for _ in range(3))
        self.files = Certificate(directory)

    def listening_ports(self):
        return (self.terminated, self.originated, self.plain)


class NginxEncrypting(Encrypting, Nginx):
    def configuration(self):
        files = self.files
        text = (
            f"    server {{ listen 127.0.0.1:{self.terminated} ssl reuseport backlog=4096;\n"
            f"        ssl_certificate {files.certificate}; ssl_certificate_key {files.key};\n"
            "        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:sessions:10m;\n"
            f"        proxy_pass 127.0.0.1:{self.plain_upstream}; }}\n"
            f"    server {{ listen 127.0.0.1:{self.originated} reuseport backlog=4096;\n"
            f"        proxy_ssl on; proxy_ssl_trusted_certificate {files.certificate}; proxy_ssl_verify on;\n"
            "        proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_session_reuse on;\n"
            f"        proxy_pass 127.0.0.1:{self.encrypted_upstream}; }}\n"
            f"    server {{ listen 127.0.0.1:{self.plain} reuseport backlog=4096; proxy_pass 127.0.0.1:{self.echo_upstream}; }}\n"
        )
        return super().configuration().removesuffix("}\n") + text + "}\n"


class HAProxyEncrypting(Encrypting, HAProxy):
    def configuration(self):
        return self.head() + (
            f"listen terminated\n    bind 127.0.0.1:{self.terminated} ssl crt {self.files.both} backlog 4096\n"
            f"    server upstream 127.0.0.1:{self.plain_upstream}\n"
            f"listen originated\n    bind 127.0.0.1:{self.originated} backlog 4096\n"
            f"    server upstream 127.0.0.1:{self.encrypted_upstream} ssl verify required sni str(localhost) "
            f"verifyhost localhost ca-file {self.files.certificate}\n"
            f"listen plain\n    bind 127.0.0.1:{self.plain} backlog 4096\n    server upstream 127.0.0.1:{self.echo_upstream}\n"
        )


class WeirEncrypting(Encrypting, Weir):
    def configuration(self):
        files = self.files
        terminated = self.route("terminated", "tcp4", self.terminated, self.plain_upstream)
        originated = self.route("originated", "tcp4", self.originated, self.encrypted_upstream)
        pair = f"{{ certificate: {files.certificate}, key: {files.key} }}"
        upstream = f"{{ ca: {files.certificate}, server_name: localhost }}"
        return (
            f"tls: {{ certificates: [{pair}] }}\n" + self.head() + terminated.replace(" }\n", ", tls: true }\n")
            + originated.replace(" }\n", f", upstream_tls: {upstream} }}\n")
            + self.route("plain", "tcp4", self.plain, self.echo_upstream))

    def listening_ports(self):
        return (*super().listening_ports(), self.exporter_port)


class WeirBeforeEncrypting(WeirEncrypting, WeirBefore):
    """The other build."""


KINDS = {kind.key: kind for kind in (NginxEncrypting, HAProxyEncrypting, WeirBeforeEncrypting, WeirEncrypting)}


def _full_handshakes(port, seconds):
    """New handshakes by `openssl s_time`, none of which resumes a session; a request in each."""
    command = [
        locate("openssl"), "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds), "-www", "/small"]
    texts = loads.together([command] * CLIENTS, seconds)
    counts = [re.search(r"^(\d+) connections in \d+ real seconds", text, re.MULTILINE) for text in texts]
    if not all(counts):
        raise Failure(f"openssl s_time made no connections: {texts[0][-200:]}")
    return loads.Outcome(operations=sum(int(found[1]) for found in counts), seconds=seconds)


# Name, side, and the load on the port of that side.
LOADS = (
    ("full handshake", "terminated", _full_handshakes),
    ("resumed handshake", "terminated", lambda port, seconds: _requests(port, seconds, "https", "/small", CLOSING)),
    ("small request", "terminated", lambda port, seconds: _requests(port, seconds, "https", "/small")),
    ("1 MiB response", "terminated", lambda port, seconds: _requests(port, seconds, "https", "/1m")),
    ("new connection", "originated", lambda port, seconds: _requests(port, seconds, "http", "/small", CLOSING)),
    ("small request", "originated", lambda port, seconds: _requests(port, seconds, "http", "/small")),
    ("1 MiB response", "originated", lambda port, seconds: _requests(port, seconds, "http", "/1m")),
)


def _requests(port, seconds, scheme, path, headers=()):
    return loads.requests(port, path, seconds, headers, scheme=scheme)


def measure(keys, directory, backends, rounds, seconds, report, is_over):
    """All proxies right after each other for each load, in an order that turns: ratios are those of one run."""
    seconds = max(SHORTEST_RUN, seconds // RUNS_PER_ROUND)
    backends.http()
    upstreams = (backends.ports.http, backends.encrypted_http(Certificate(directory)), backends.ports.idle)
    lines = {
        (name, side): (
            report.line(TITLE, f"{side}, {name}: rate", per_second, better="higher"),
            report.line(TITLE, f"{side}, {name}: proxy CPU", duration),
        )
        for name, side, _ in LOADS
    }
    memory = report.line(TITLE, "terminated: memory of an idle connection", size)
    beside = f"plain echoes beside {HANDSHAKES_PER_SECOND} full handshakes/s"
    middle, tail = (report.line(TITLE, f"{beside}: {what}", duration) for what in ("p50", "p99"))
    made = report.line(TITLE, f"{beside}: handshakes made", per_second, better="higher")
    running = []
    with ExitStack() as stack:
        stack.callback(lambda: [proxy.stop() for proxy in running])
        stack.enter_context(processes.forked(echoes.serve, processes.listening(backends.ports.idle)))
        for key in keys:
            if key in KINDS:
                proxy = KINDS[key](directory, upstreams, "-tls")
                try:
                    proxy.start()
                except (Failure, OSError) as failure:
                    # An older build may know no TLS.
                    proxy.stop()
                    report.fail(TITLE, key, failure)
                    continue
                running.append(proxy)
        for proxy in running:
            _measure_idle(proxy, memory, report)
        for number in range(-1, rounds * RUNS_PER_ROUND):
            turn = number % max(1, len(running))
            for name, side, load in LOADS:
                if is_over():
                    report.fail(TITLE, "all", f"no time left for run {number + 1}")
                    return
                for proxy in running[turn:] + running[:turn]:
                    try:
                        port = getattr(proxy, side)
                        rate, cost = proxy.measured(lambda: load(port, seconds))
                    except (Failure, OSError) as failure:
                        report.fail(TITLE, proxy.key, f"{side}, {name}: {failure}")
                        continue
                    # The first run finds cold memory.
                    if number >= 0:
                        for line, value in zip(lines[name, side], (rate, cost)):
                            line.add(proxy.key, value)
            for proxy in running[turn:] + running[:turn]:
                try:
                    times, rate = _echoes_beside_handshakes(proxy, seconds)
                except (Failure, OSError) as failure:
                    report.fail(TITLE, proxy.key, f"{beside}: {failure}")
                    continue
                if number >= 0:
                    middle.add(proxy.key, statistics.median(times))
                    tail.add(proxy.key, statistics.quantiles(times, n=100)[98])
                    made.add(proxy.key, rate)


def _echoes_beside_handshakes(proxy, seconds):
    """The times of echoes through the plain listener, and the handshakes that were made meanwhile, a second."""
    counter = multiprocessing.get_context("fork").Value("L")
    with ExitStack() as stack:
        connections = stack.enter_context(echoes.clients(proxy.plain))
        for _ in range(HANDSHAKE_CLIENTS):
            stack.enter_context(processes.forked(lambda: _shake(proxy.terminated, counter)))
        time.sleep(echoes.RAMP_SECONDS)
        before, start = counter.value, time.monotonic()
        times = echoes.measure(connections, seconds)
        return times, (counter.value - before) / (time.monotonic() - start)


def _shake(port, counter):
    """Makes handshakes at a steady rate until this process is ended, none of which resumes a session."""
    context = ssl._create_unverified_context()  # noqa: S323 (the cost of the proxy is measured, on loopback)
    due = time.monotonic()
    while True:
        # A late one is made up for, but not those of a long stop.
        due = max(due + HANDSHAKE_CLIENTS / HANDSHAKES_PER_SECOND, time.monotonic() - 0.1)
        time.sleep(max(0, due - time.monotonic()))
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as plain:
            with context.wrap_socket(plain):
                pass
            with counter.get_lock():
                counter.value += 1


def _measure_idle(proxy, line, report):
    """Connections that have had one small request each, and are kept."""
    try:
        loads.requests(proxy.terminated, "/small", 1, scheme="https")
        time.sleep(SETTLE_SECONDS)
        before = resident_bytes(proxy.processes())
        with processes.forked(lambda: _hold(proxy.terminated)):
            deadline = time.monotonic() + 60
            while _established(proxy.terminated) < IDLE_CONNECTIONS and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(SETTLE_SECONDS)
            held = _established(proxy.terminated)
            if held < IDLE_CONNECTIONS:
                raise Failure(f"{held} of {IDLE_CONNECTIONS} connections were held")
            line.add(proxy.key, (resident_bytes(proxy.processes()) - before) / held)
    except (Failure, OSError) as failure:
        report.fail(TITLE, proxy.key, f"idle connections: {failure}")


def _hold(port):
    """Holds encrypted connections until this process is ended."""
    context = ssl._create_unverified_context()  # noqa: S323 (the cost of the proxy is measured, on loopback)
    held = []
    while len(held) < IDLE_CONNECTIONS:
        connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30))
        connection.sendall(b"GET /small HTTP/1.1\r\nHost: weir.test\r\n\r\n")
        connection.recv(4096)
        held.append(connection)
    while True:
        time.sleep(60)


def _established(port):
    """The connections that a port has accepted, by the kernel's table."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        next(table)
        return sum(1 for line in table if (fields := line.split(maxsplit=4))[3] == "01" and fields[1].endswith(wanted))
