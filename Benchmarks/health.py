"""How fast the exporter answers while the proxy has all the work that the machine can give it."""

import http.client
import statistics
import threading
import time

import loads
from proxies import Weir
from report import duration
from tools import Failure

TITLE = "health endpoints under full load"
# So that a question meets the exporter's thread asleep, as that of a load balancer does.
PAUSE_SECONDS = 0.01
LIMIT_SECONDS = 0.05
PATHS = ("/healthz", "/readyz", "/metrics")


def measure(directory, backends, rounds, seconds, report, is_over):
    lines = {}
    for path in PATHS:
        lines[path] = (
            report.line(TITLE, f"{path}, median", duration, better=None),
            report.line(TITLE, f"{path}, p99", duration, better=None),
            report.line(TITLE, f"{path}, slowest", duration, better=None),
        )
    backends.http()
    proxy = Weir(directory, backends.ports, "-health")
    try:
        proxy.start()
        for round_number in range(1, rounds + 1):
            if is_over():
                report.fail(TITLE, proxy.key, f"no time left for round {round_number}")
                return
            times = _one(proxy, seconds)
            for path, (middle, tail, slowest) in lines.items():
                middle.add(proxy.key, statistics.median(times[path]))
                tail.add(proxy.key, statistics.quantiles(times[path], n=100)[98])
                slowest.add(proxy.key, max(times[path]))
            late = [path for path in PATHS[:2] if max(times[path]) > LIMIT_SECONDS]
            if late:
                report.fail(TITLE, proxy.key, f"{' and '.join(late)} took more than {LIMIT_SECONDS * 1000:.0f} ms")
    finally:
        proxy.stop()


def _one(proxy, seconds):
    """Seconds of each answer by path, on a new connection each, while wrk has both workers at full load."""
    load = _Load(proxy.ports.http, seconds)
    load.start()
    times = {path: [] for path in PATHS}
    try:
        # The load is there by then, and ends after the last question.
        time.sleep(0.5)
        deadline = time.monotonic() + seconds - 1
        while time.monotonic() < deadline:
            for path in PATHS:
                times[path].append(_ask(proxy.exporter_port, path))
                time.sleep(PAUSE_SECONDS)
    finally:
        load.join()
    if load.failure is not None:
        raise Failure(str(load.failure))
    if min(len(answers) for answers in times.values()) < 10:
        raise Failure("too few answers for a p99: too short a run")
    return times


def _ask(port, path):
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise Failure(f"{path} answered {answer.status}")
    return time.perf_counter() - start


class _Load(threading.Thread):
    """Small requests on 64 connections, as many as the proxy can carry."""

    def __init__(self, port, seconds):
        super().__init__()
        self.port = port
        self.seconds = seconds
        self.failure = None

    def run(self):
        try:
            loads.requests(self.port, "/small", self.seconds)
        except (Failure, OSError) as failure:
            self.failure = failure
