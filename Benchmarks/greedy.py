"""Latency beside a greedy flow: small echoes through a proxy that carries one iperf3 stream at the same time."""

import contextlib
import selectors
import socket
import statistics
import threading
import time

import loads
import processes
from report import HIGHER, duration, gigabits_from_gibibytes
from tools import Failure

TITLE = "small echoes beside one iperf3 stream"
# A faster proxy leaves less of the processors to the echoes: both ends of the stream work more, too. So the echoes are
# measured beside a stream of a rate that every proxy carries with ease, as well.
PACED_BITS_PER_SECOND = 5_000_000_000
STREAMS = ((TITLE, 0), (f"{TITLE} of {PACED_BITS_PER_SECOND // 10**9} Gbit/s", PACED_BITS_PER_SECOND))
# Enough that both workers carry some, whichever of them has the stream.
CONNECTIONS = 16
MESSAGE = b"a small question".ljust(64)
PAUSE_SECONDS = 0.001
# The stream is at its rate by then.
RAMP_SECONDS = 0.5


def measure(proxies, backends, rounds, seconds, report, is_over):
    for title, bits_per_second in STREAMS:
        _measure(title, bits_per_second, proxies, backends, rounds, seconds, report, is_over)


def _measure(title, bits_per_second, proxies, backends, rounds, seconds, report, is_over):
    rate = report.line(title, "rate of the stream", gigabits_from_gibibytes, HIGHER)
    middle = report.line(title, "p50 of the echoes", duration)
    tail = report.line(title, "p99 of the echoes", duration)
    with processes.forked(_serve, processes.listening(backends.ports.idle)):
        for round_number in range(1, rounds + 1):
            for proxy in proxies:
                if is_over():
                    report.fail(title, proxy.key, f"no time left for round {round_number}")
                    return
                try:
                    outcome, times = _one(proxy, backends, seconds, bits_per_second)
                except (Failure, OSError) as failure:
                    report.fail(title, proxy.key, failure)
                    continue
                rate.add(proxy.key, outcome.operations / outcome.seconds)
                middle.add(proxy.key, statistics.median(times))
                tail.add(proxy.key, statistics.quantiles(times, n=100)[98])


def _one(proxy, backends, seconds, bits_per_second):
    backends.iperf()
    proxy.start()
    with contextlib.ExitStack() as clients:
        connections = []
        for _ in range(CONNECTIONS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", proxy.ports.idle), 10))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _ask(client)
            connections.append(client)
        stream = _Stream(proxy.ports.iperf, seconds, bits_per_second)
        stream.start()
        time.sleep(RAMP_SECONDS)
        times = []
        deadline = time.monotonic() + seconds - 2 * RAMP_SECONDS
        while time.monotonic() < deadline:
            for client in connections:
                times.append(_ask(client))
                time.sleep(PAUSE_SECONDS)
        stream.join()
    if stream.failure is not None:
        raise Failure(str(stream.failure))
    if len(times) < 100:
        raise Failure(f"only {len(times)} echoes: too few for a p99, or too short a run")
    return stream.outcome, times


def _ask(client):
    """One question and its answer, in seconds."""
    start = time.perf_counter()
    client.sendall(MESSAGE)
    left = len(MESSAGE)
    while left > 0:
        received = client.recv(left)
        if not received:
            raise Failure("an echo connection ended early")
        left -= len(received)
    return time.perf_counter() - start


class _Stream(threading.Thread):
    """iperf3 beside the echoes; it is a process of its own, this thread only waits for it."""

    def __init__(self, port, seconds, bits_per_second):
        super().__init__(daemon=True)
        self._arguments = (port, seconds, bits_per_second)
        self.outcome = self.failure = None

    def run(self):
        try:
            self.outcome = loads.stream(*self._arguments)
        except (Failure, OSError, KeyError) as failure:
            self.failure = failure


def _serve(listener):
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    with contextlib.suppress(OSError):
                        connection, _address = listener.accept()
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        selector.register(connection, selectors.EVENT_READ)
                    continue
                try:
                    received = key.fileobj.recv(4096)
                    key.fileobj.sendall(received)
                except OSError:
                    received = b""
                if not received:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
