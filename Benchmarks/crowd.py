"""How fast the exporter answers while a crowd asks for parts of the page, as much as four sources can."""

import multiprocessing
import socket
import statistics
import threading
import time

from health import LIMIT_SECONDS
from report import duration
from scrapes import ROUTES, WeirWithManyRoutes
from tools import Failure

TITLE = f"health and scrapes beside a crowd, {ROUTES:,} routes"
CLIENTS = 64
SOURCES = 4
REQUESTS_IN_A_ROW = 10
VALUES = 16
LIMIT_RATIO = 2
PAUSE_SECONDS = 0.01
SCRAPES = 7
TIMEOUT_SECONDS = 20
GZIP = "Accept-Encoding: gzip\r\n"


def measure(directory, backends, rounds, seconds, report, is_over):
    health = report.line(TITLE, "/healthz, p99", duration, better=None)
    slowest = report.line(TITLE, "/healthz, slowest", duration, better=None)
    scrapes = {
        fields: (
            report.line(TITLE, f"{name} alone, median", duration, better=None),
            report.line(TITLE, f"{name} beside the crowd, median", duration, better=None),
            report.line(TITLE, f"{name}, beside the crowd ÷ alone", _ratio, better=None),
        )
        for fields, name in (("", "scrape"), (GZIP, "scrape with gzip"))
    }
    proxy = WeirWithManyRoutes(directory, backends.ports, "-crowd")
    try:
        proxy.start()
        for number in range(1, rounds + 1):
            if is_over():
                report.fail(TITLE, proxy.key, f"no time left for round {number}")
                return
            alone = {fields: _scrape(proxy, fields) for fields in scrapes}
            crowd = multiprocessing.get_context("spawn").Process(target=_crowd, args=(proxy.exporter_port,), daemon=True)
            crowd.start()
            try:
                time.sleep(1)
                times = _health(proxy, seconds)
                beside = {fields: _scrape(proxy, fields) for fields in scrapes}
            finally:
                crowd.terminate()
                crowd.join()
            health.add(proxy.key, statistics.quantiles(times, n=100)[98])
            slowest.add(proxy.key, max(times))
            for fields, (before, during, factor) in scrapes.items():
                before.add(proxy.key, alone[fields])
                during.add(proxy.key, beside[fields])
                factor.add(proxy.key, beside[fields] / alone[fields])
                if beside[fields] > LIMIT_RATIO * alone[fields]:
                    report.fail(TITLE, proxy.key, f"a scrape took {beside[fields] / alone[fields]:.1f} times as long")
            if max(times) > LIMIT_SECONDS:
                report.fail(TITLE, proxy.key, f"/healthz took more than {LIMIT_SECONDS * 1000:.0f} ms")
    finally:
        proxy.stop()


def _health(proxy, seconds):
    """Seconds of each answer, on a new connection each."""
    times = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or len(times) < 100:
        times.append(_ask(proxy.exporter_port, "/healthz"))
        time.sleep(PAUSE_SECONDS)
    return times


def _scrape(proxy, fields):
    return statistics.median(_ask(proxy.exporter_port, "/metrics", fields) for _ in range(SCRAPES))


def _ask(port, path, fields=""):
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Connection: close\r\n\r\n".encode())
        start = client.recv(1 << 20)
        while client.recv(1 << 20):
            pass
    if not start.startswith(b"HTTP/1.1 200"):
        raise Failure(f"{path} answered {start[9:12].decode(errors='replace')}")
    return time.perf_counter() - begun


def _crowd(port):
    """Clients that send several requests at once and come again when they are reset; a process of their own."""
    for number in range(CLIENTS):
        threading.Thread(target=_client, args=(port, number), daemon=True).start()
    threading.Event().wait()


def _client(port, number):
    # Other routes for each, so that no two share a page.
    routes = "&".join(f"route=route-{(VALUES * number + index) % ROUTES:04}" for index in range(VALUES))
    request = f"GET /metrics?{routes} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    source = f"127.0.0.{1 + number % SOURCES}"
    while True:
        try:
            with socket.create_connection(
                ("127.0.0.1", port), timeout=TIMEOUT_SECONDS, source_address=(source, 0)
            ) as client:
                client.sendall(request.encode() * REQUESTS_IN_A_ROW)
                while client.recv(1 << 20):
                    pass
        except OSError:
            time.sleep(0.01)


def _ratio(value):
    return f"{value:.2f}"
