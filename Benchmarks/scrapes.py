"""Scrapes at 1,000 routes: time and size of the page, plain and compressed. HAProxy has such a page, too."""

import os
import time

import processes
from accounting import precise_cpu_seconds
from proxies import HAProxy, Weir, WeirBefore
from report import count, duration, size
from tools import Failure, locate

TITLE = "scrape at 1,000 routes"
ROUTES = 1000
SCRAPES = 20


class ManyRoutes:
    """What the two proxies share here: many ports, all to one upstream, and a page of metrics."""

    def __init__(self, directory, upstreams, label="", ports=None):
        super().__init__(directory, upstreams, label)
        self.route_ports = ports or processes.free_ports(ROUTES)

    def listening_ports(self):
        return (self.route_ports[0], self.route_ports[-1], self.page_port)


class WeirWithManyRoutes(ManyRoutes, Weir):
    @property
    def page_port(self):
        return self.exporter_port

    def configuration(self):
        return self.head() + "".join(
            self.route(f"route-{index:04}", "tcp4", port, self.upstreams.http)
            for index, port in enumerate(self.route_ports)
        )


class WeirBeforeWithManyRoutes(WeirWithManyRoutes, WeirBefore):
    """The other build."""


class HAProxyWithManyRoutes(ManyRoutes, HAProxy):
    def __init__(self, directory, upstreams, label="", ports=None):
        super().__init__(directory, upstreams, label, ports)
        self.page_port = processes.free_port()

    def configuration(self):
        routes = [
            f"listen route-{index:04}\n    bind 127.0.0.1:{port}\n"
            f"    server upstream 127.0.0.1:{self.upstreams.http}\n"
            for index, port in enumerate(self.route_ports)
        ]
        page = (
            f"frontend page\n    mode http\n    bind 127.0.0.1:{self.page_port}\n"
            "    http-request use-service prometheus-exporter if { path /metrics }\n"
        )
        return self.head() + page + "".join(routes)


def measure(keys, directory, backends, report):
    lines = {
        "plain": report.line(TITLE, f"time, median of {SCRAPES}", duration),
        "plain size": report.line(TITLE, "size", size, better=None),
        "gzip": report.line(TITLE, "time with gzip", duration),
        "gzip size": report.line(TITLE, "size with gzip", size, better=None),
        "cpu": report.line(TITLE, "proxy CPU per scrape", duration),
        "series": report.line(TITLE, "series", count, better=None),
        "per series": report.line(TITLE, "proxy CPU per series", duration),
    }
    for kind in (HAProxyWithManyRoutes, WeirBeforeWithManyRoutes, WeirWithManyRoutes):
        if kind.key not in keys:
            continue
        proxy = None
        try:
            proxy = kind(directory, backends.ports, "-scrape")
            proxy.start(seconds=30)
            _scrape(proxy, lines)
        except (Failure, OSError) as failure:
            report.fail(TITLE, kind.key, failure)
        finally:
            if proxy is not None:
                proxy.stop()


def _scrape(proxy, lines):
    path = os.path.join(proxy.directory, "page")
    # The first ones find cold buffers.
    for _ in range(3):
        _curl(proxy, path)
    with open(path, encoding="utf-8") as page:
        series = sum(1 for line in page if line.strip() and not line.startswith("#"))
    if series < ROUTES:
        raise Failure(f"the page has {series} series only")
    before = precise_cpu_seconds(proxy.processes())
    for _ in range(SCRAPES):
        seconds, length, _is_compressed = _curl(proxy, os.devnull)
        lines["plain"].add(proxy.key, seconds)
        lines["plain size"].add(proxy.key, length)
    cost = (precise_cpu_seconds(proxy.processes()) - before) / SCRAPES
    lines["cpu"].add(proxy.key, cost)
    lines["series"].add(proxy.key, series)
    lines["per series"].add(proxy.key, cost / series)
    for _ in range(SCRAPES):
        seconds, length, is_compressed = _curl(proxy, path, "Accept-Encoding: gzip")
        if not is_compressed:
            return
        lines["gzip"].add(proxy.key, seconds)
        lines["gzip size"].add(proxy.key, length)
        # A page that is kept compressed for equal scrapes would otherwise show the time of a copy.
        time.sleep(0.01)


def _curl(proxy, path, *headers):
    """Seconds from the request to the last byte, bytes of the body as sent, and whether they were compressed."""
    command = [locate("curl"), "-sS", "--max-time", "20", "-o", path]
    for header in headers:
        command += ["-H", header]
    command += ["-w", "%{http_code} %{time_pretransfer} %{time_total} %{size_download}"]
    answer = processes.run([*command, f"http://127.0.0.1:{proxy.page_port}/metrics"], 30)
    status, begun, ended, length = answer.split()
    if status != "200":
        raise Failure(f"the page of metrics answered {status}")
    is_compressed = False
    if path != os.devnull:
        with open(path, "rb") as page:
            is_compressed = page.read(2) == b"\x1f\x8b"
    return float(ended) - float(begun), float(length), is_compressed
