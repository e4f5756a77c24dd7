"""How long clients notice that one of three upstreams fails: one that refuses, and one that is stopped and still accepts."""

import contextlib
import os
import selectors
import signal
import socket
import time

import processes
from proxies import HAProxy, Nginx, Weir, WeirBefore
from report import count, duration
from tools import Failure

TITLE = "one of three upstreams fails"
SERVERS = 3
# Clients that come one after the other, however the ones before them fare.
CLIENTS_PER_SECOND = 200
PATIENCE_SECONDS = 2
# Equal for all: a check every second, and two that fail in a row decide.
CHECK_SECONDS, FALL, DIAL_SECONDS = 1, 2, 1
WARM_SECONDS = 2
# A trial is over when all clients of so long were served, or after the longest time.
QUIET_SECONDS = 2
LONGEST_SECONDS = 12
MAX_ROUNDS = 3
QUESTION, ANSWER = b"?", b"!"
FAULTS = {"killed, refuses": signal.SIGKILL, "stopped, accepts": signal.SIGSTOP}


class Failover:
    """One route over three upstreams. `upstreams` are their ports."""

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.port = processes.free_port()

    def pairs(self):
        return []

    def datagram_pairs(self):
        return []

    def listening_ports(self):
        return (self.port,)


class NginxFailover(Failover, Nginx):
    """Without checks, which only its commercial edition has: it counts failures of clients."""

    def configuration(self):
        servers = " ".join(f"server 127.0.0.1:{port} max_fails={FALL} fail_timeout=10s;" for port in self.upstreams)
        return super().configuration().removesuffix("}\n") + (
            f"    upstream set {{ zone set 64k; {servers} }}\n    server {{ listen 127.0.0.1:{self.port} reuseport "
            f"backlog=4096; proxy_connect_timeout {DIAL_SECONDS}s; proxy_pass set; }}\n}}\n"
        )


class HAProxyFailover(Failover, HAProxy):
    def configuration(self):
        return (
            self.head()
            + f"listen set\n    bind 127.0.0.1:{self.port} backlog 4096\n    balance roundrobin\n"
            + f"    timeout connect {DIAL_SECONDS}s\n    timeout check 1s\n    retries 3\n    option redispatch 1\n"
            + "    option tcp-check\n    tcp-check send ?\n    tcp-check expect string !\n"
            + f"    default-server check inter {CHECK_SECONDS}s fall {FALL}\n"
            + "".join(f"    server s{port} 127.0.0.1:{port}\n" for port in self.upstreams)
        )


class WeirFailover(Failover, Weir):
    def configuration(self):
        return self.head() + (
            f"  set:\n    scheme: tcp4\n    bind: 127.0.0.1\n    port: {self.port}\n"
            f"    dial_timeout: {3 * DIAL_SECONDS}s\n    attempt_timeout: {DIAL_SECONDS}s\n"
            f'    health: {{ check: send, send: "?", expect: "!", interval: {CHECK_SECONDS}s, timeout: 1s, '
            f"fall: {FALL} }}\n    upstreams:\n" + "".join(f'      - "127.0.0.1:{port}"\n' for port in self.upstreams)
        )


class WeirBeforeFailover(WeirFailover, WeirBefore):
    """The other build."""


KINDS = {kind.key: kind for kind in (NginxFailover, HAProxyFailover, WeirBeforeFailover, WeirFailover)}


def measure(keys, directory, rounds, report, is_over):
    lines = {
        fault: (
            report.line(TITLE, f"{fault}: time until no client fails", _until),
            report.line(TITLE, f"{fault}: clients that failed", count, better=None),
        )
        for fault in FAULTS
    }
    for number in range(min(rounds, MAX_ROUNDS)):
        for fault, (until, failed) in lines.items():
            for key in keys:
                if key not in KINDS:
                    continue
                if is_over():
                    report.fail(TITLE, key, f"no time left for round {number + 1}")
                    return
                try:
                    seconds, clients = _once(KINDS[key], directory, f"-failover-{number}-{FAULTS[fault]}", fault)
                except (Failure, OSError) as failure:
                    report.fail(TITLE, key, failure)
                    continue
                until.add(key, seconds)
                failed.add(key, clients)


def _until(seconds):
    longest = LONGEST_SECONDS - QUIET_SECONDS
    if seconds == 0:
        return "at once"
    return f"over {longest} s" if seconds > longest else duration(seconds)


def _once(kind, directory, label, fault):
    """How long clients failed after one server did, and how many."""
    ports = processes.free_ports(SERVERS)
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(processes.forked(_serve, processes.listening(port, backlog=1024))) for port in ports]
        proxy = kind(directory, ports, label)
        stack.callback(proxy.stop)
        proxy.start()
        return _watch(proxy.port, lambda: os.kill(servers[0].pid, FAULTS[fault]))


class _Client:
    """A client that asks one question on a connection of its own."""

    def __init__(self, port, now):
        self.begun = now
        self.is_served = False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))

    def go_on(self, selector):
        """Whether it is done."""
        try:
            if selector.get_key(self.socket).events == selectors.EVENT_WRITE:
                self.socket.send(QUESTION)
                selector.modify(self.socket, selectors.EVENT_READ, self)
                return False
            self.is_served = self.socket.recv(1) == ANSWER
        except OSError:
            self.is_served = False
        return True

    def leave(self, selector):
        selector.unregister(self.socket)
        self.socket.close()


def _watch(port, fail):
    """Sends clients before and after the fault. Returns the time from it to the start of the last one that failed."""
    open_clients = {}
    failures = []
    with selectors.DefaultSelector() as selector:
        started = next_client = time.monotonic()
        failed_at = None
        try:
            while True:
                now = time.monotonic()
                if failed_at is None and now - started > WARM_SECONDS:
                    if failures:
                        raise Failure(f"{len(failures)} clients failed before a server did")
                    fail()
                    failed_at = now
                if failed_at is not None:
                    # All clients that began before have been served, or have failed.
                    decided = now - PATIENCE_SECONDS
                    if decided > min(max([failed_at, *failures]) + QUIET_SECONDS, failed_at + LONGEST_SECONDS):
                        break
                while next_client <= now:
                    client = _Client(port, next_client)
                    selector.register(client.socket, selectors.EVENT_WRITE, client)
                    open_clients[client] = None
                    next_client += 1 / CLIENTS_PER_SECOND
                done = [key.data for key, _ in selector.select(0.002) if key.data.go_on(selector)]
                # In the order in which they began.
                for client in open_clients:
                    if client.begun + PATIENCE_SECONDS > now:
                        break
                    if client not in done:
                        done.append(client)
                for client in done:
                    del open_clients[client]
                    client.leave(selector)
                    if not client.is_served:
                        failures.append(client.begun)
        finally:
            for client in open_clients:
                client.leave(selector)
    return max([failed_at, *failures]) - failed_at, len(failures)


def _serve(listener):
    """Answers each connection once, and ends it."""
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                with contextlib.suppress(OSError):
                    if key.fileobj is listener:
                        selector.register(listener.accept()[0], selectors.EVENT_READ)
                        continue
                    try:
                        if key.fileobj.recv(16):
                            key.fileobj.sendall(ANSWER)
                    finally:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
