"""What scrapes cost a proxy that is busy: a scrape every second, with gzip as Prometheus asks for, beside small requests."""

import os
import time
import urllib.request

import loads
import processes
from accounting import precise_cpu_seconds
from proxies import Weir
from repeated import Repeated
from report import count, share
from tools import Failure

TITLE = "a scrape every second under full load"
MORE_ROUTES = 100
EXPORTER_THREAD = "weir-exporter"


class WeirWithMoreRoutes(Weir):
    """Pages of the size that a proxy of many routes has."""

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.more_ports = processes.free_ports(MORE_ROUTES)

    def configuration(self):
        return super().configuration() + "".join(
            self.route(f"more-{index:03}", "tcp4", port, self.upstreams.http)
            for index, port in enumerate(self.more_ports)
        )


def _scrape(port):
    """A page with gzip."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        answer.read()


def measure(directory, backends, rounds, seconds, report, is_over):
    """The exporter's thread does nothing else, so its processor time is what scrapes cost, exact where rates are not."""
    taken = report.line(TITLE, "share of the proxy's CPU", share)
    rate = report.line(TITLE, "rate ÷ rate without scrapes", lambda value: f"{value:.3f}", better=None)
    series = report.line(TITLE, "series", count, better=None)
    proxy = WeirWithMoreRoutes(directory, backends.ports, "-scraped")
    seconds = max(seconds, 3)
    try:
        backends.http()
        proxy.start()
        series.add("weir", _series(proxy))
        loads.requests(proxy.ports.http, "/small", 1)
        for number in range(rounds):
            if is_over():
                report.fail(TITLE, "weir", "no time left")
                return
            rates = {}
            for is_scraped in (True, False) if number % 2 == 0 else (False, True):
                outcome, exporter, whole = _once(proxy, seconds, is_scraped)
                rates[is_scraped] = outcome.operations / outcome.seconds
                if is_scraped:
                    taken.add("weir", exporter / whole)
            rate.add("weir", rates[True] / rates[False])
    finally:
        proxy.stop()


def _once(proxy, seconds, is_scraped):
    """The outcome, and the processor time of the exporter's thread and of the whole proxy."""
    before = (_exporter_seconds(proxy), precise_cpu_seconds(proxy.processes()))
    if is_scraped:
        with Repeated("a scrape", 1, lambda: _scrape(proxy.exporter_port)):
            outcome = loads.requests(proxy.ports.http, "/small", seconds)
    else:
        outcome = loads.requests(proxy.ports.http, "/small", seconds)
    time.sleep(0.1)
    after = (_exporter_seconds(proxy), precise_cpu_seconds(proxy.processes()))
    return outcome, after[0] - before[0], after[1] - before[1]


def _exporter_seconds(proxy):
    for pid in proxy.processes():
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as name:
                if name.read().strip() != EXPORTER_THREAD:
                    continue
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
                return int(stat.read().split()[0]) / 1e9
    raise Failure(f"no thread is named {EXPORTER_THREAD}")


def _series(proxy):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.exporter_port}/metrics", timeout=5) as answer:
        return sum(1 for line in answer if line.strip() and not line.startswith(b"#"))
