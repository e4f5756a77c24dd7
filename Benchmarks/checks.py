"""What health checks cost: a thousand upstreams, each checked by a connection every five seconds, and no traffic."""

import contextlib
import selectors
import time
import urllib.request

import processes
from accounting import precise_cpu_seconds
from proxies import HAProxy, Weir, WeirBefore
from report import share
from tools import Failure

TITLE = "checks of 1,000 upstreams"
ROUTES = 100
UPSTREAMS = 1000
INTERVAL_SECONDS = 5
# All first checks are over by then.
SETTLE_SECONDS = INTERVAL_SECONDS + 1
SHORTEST_RUN = 2 * INTERVAL_SECONDS
# Of a core, and of HAProxy's share.
BAR, BAR_BESIDE_HAPROXY = 0.03, 0.5


class Checked:
    """A hundred routes of ten upstreams each. `upstreams` are the ports of all."""

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.route_ports = processes.free_ports(ROUTES)

    def sets(self):
        """Number, listening port and upstream ports of each route."""
        size = len(self.upstreams) // ROUTES
        return [
            (number, port, self.upstreams[number * size : (number + 1) * size])
            for number, port in enumerate(self.route_ports)
        ]

    def listening_ports(self):
        return (self.route_ports[0], self.route_ports[-1])


class HAProxyThatChecks(Checked, HAProxy):
    def configuration(self):
        return self.head() + "".join(
            f"listen r{number}\n    bind 127.0.0.1:{port}\n    default-server check inter {INTERVAL_SECONDS}s\n"
            + "".join(f"    server s{upstream} 127.0.0.1:{upstream}\n" for upstream in upstreams)
            for number, port, upstreams in self.sets()
        )


class WeirThatChecks(Checked, Weir):
    def configuration(self):
        return self.head() + "".join(
            f"  r{number}:\n    scheme: tcp4\n    bind: 127.0.0.1\n    port: {port}\n"
            f"    health: {{ check: tcp, interval: {INTERVAL_SECONDS}s }}\n    upstreams:\n"
            + "".join(f'      - "127.0.0.1:{upstream}"\n' for upstream in upstreams)
            for number, port, upstreams in self.sets()
        )

    def checks(self):
        """How many checks have passed."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.exporter_port}/metrics", timeout=5) as page:
            return sum(
                float(line.rpartition(b" ")[2])
                for line in page
                if line.startswith(b"weir_health_checks_total{") and b'result="success"' in line
            )


class WeirBeforeThatChecks(WeirThatChecks, WeirBefore):
    """The other build."""


KINDS = {kind.key: kind for kind in (HAProxyThatChecks, WeirBeforeThatChecks, WeirThatChecks)}


def measure(keys, directory, rounds, seconds, report, is_over):
    """All proxies check at the same time, so that a slow minute meets all."""
    seconds = max(SHORTEST_RUN, seconds)
    line = report.line(
        TITLE, f"share of a core (Weir's bars: {BAR:.0%}, and {BAR_BESIDE_HAPROXY} of HAProxy's)", share
    )
    running = []
    ports = processes.free_ports(UPSTREAMS)
    with processes.forked(_accept, *(processes.listening(port, backlog=64) for port in ports)):
        try:
            for key in keys:
                if key in KINDS:
                    running.append(KINDS[key](directory, ports, "-checks"))
                    running[-1].start(seconds=30)
            time.sleep(SETTLE_SECONDS)
            for _ in range(rounds):
                if is_over():
                    report.fail(TITLE, "all", "no time left")
                    return
                _round(running, seconds, line)
        finally:
            for proxy in running:
                proxy.stop()


def _round(running, seconds, line):
    checks = {proxy.key: proxy.checks() for proxy in running if isinstance(proxy, WeirThatChecks)}
    before = {proxy.key: precise_cpu_seconds(proxy.processes()) for proxy in running}
    begun = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    after = {proxy.key: precise_cpu_seconds(proxy.processes()) for proxy in running}
    for proxy in running:
        if proxy.key in checks:
            done = proxy.checks() - checks[proxy.key]
            if done < 0.8 * UPSTREAMS * passed / INTERVAL_SECONDS:
                raise Failure(f"{proxy.title} passed only {done:.0f} checks in {passed:.1f} s")
        line.add(proxy.key, (after[proxy.key] - before[proxy.key]) / passed)


def _accept(*listeners):
    """Accepts at all of them, and ends what it accepts."""
    with selectors.DefaultSelector() as selector:
        for listener in listeners:
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                with contextlib.suppress(OSError):
                    key.fileobj.accept()[0].close()
