"""What a range of UDP ports costs beside one port, with the same clients and the same server; and what wide ones cost at
the start and in `weir check`.
"""

import os
import re
import time

import loads
import processes
from accounting import resident_bytes
from proxies import Weir, WeirBefore
from report import duration, per_second, size
from tools import Failure, locate

TITLE = "DNS through a range of 100 UDP ports, beside one port"
# As in `names`: many short runs, not few long ones.
RUNS_PER_ROUND = 2
SHORTEST_RUN = 2
RATE_BAR, COST_BAR = 0.88, 1.25
PORTS = 100
# At most this many questions of a client are unanswered at a time; together as many as in the row `dns`.
QUESTIONS = 2
SHAPES = ("one", "range")
# A wide range at the start, and as many ports as a host can have for `weir check`.
WIDE_PORTS, CHECKED_ROUTES, CHECKED_PORTS = 4000, 600, 100


class Ranged(Weir):
    """A route with one port and a route with a hundred, both to the same server. `upstreams` is its port."""

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.one = [processes.free_port()] * PORTS
        self.range = _consecutive_ports(PORTS)

    def configuration(self):
        span = f"{self.range[0]}-{self.range[-1]}"
        return (
            self.head() + self.route("one", "udp4", self.one[0], self.upstreams)
            + self.route("range", "udp4", span, self.upstreams))

    def listening_ports(self):
        return (self.exporter_port,)


class RangedBefore(Ranged, WeirBefore):
    """The other build."""


KINDS = {kind.key: kind for kind in (RangedBefore, Ranged)}


class Wide(Weir):
    """One route with 4,000 UDP ports, or, as its sibling, with the first of them alone."""

    count = WIDE_PORTS

    def configuration(self):
        first = _consecutive_ports(WIDE_PORTS)[0]
        return self.head() + self.route("wide", "udp4", f"{first}-{first + self.count - 1}", self.upstreams)

    def listening_ports(self):
        return (self.exporter_port,)


class WideBefore(Wide, WeirBefore):
    """The other build."""


class Narrow(Wide):
    count = 1


class NarrowBefore(Narrow, WeirBefore):
    """The other build."""


WIDE_KINDS = {kind.key: (kind, narrow) for kind, narrow in ((WideBefore, NarrowBefore), (Wide, Narrow))}


def _consecutive_ports(count):
    found = []
    # Below those that are given one by one there is room for many.
    for port in range(10_000, processes.PORTS.stop):
        found = [*found, port] if processes.is_free(port) else []
        if len(found) == count:
            return found
    raise Failure(f"no {count} free ports in a row")


def measure(keys, directory, backends, rounds, seconds, report, is_over):
    """Both shapes right after each other, in an order that turns: ratios are those of one run."""
    seconds = max(SHORTEST_RUN, seconds // RUNS_PER_ROUND)
    backends.dns()
    lines = {
        shape: (
            report.line(TITLE, f"rate, {shape}", per_second, better="higher"),
            report.line(TITLE, f"proxy CPU per question and answer, {shape}", duration),
        )
        for shape in SHAPES
    }
    rates = report.line(TITLE, f"rate, range ÷ one port (bar: {RATE_BAR})", _ratio, better=None)
    costs = report.line(TITLE, f"proxy CPU, range ÷ one port (bar: {COST_BAR})", _ratio, better=None)
    _measure_wide(keys, directory, backends, rounds, report, is_over)
    running = [KINDS[key](directory, backends.ports.dns, "-ranges") for key in keys if key in KINDS]
    try:
        for number in range(-1, rounds * RUNS_PER_ROUND):
            if is_over():
                report.fail(TITLE, "all", f"no time left for run {number + 1}")
                return
            for proxy in running:
                try:
                    found = {}
                    for shape in SHAPES if number % 2 else SHAPES[::-1]:
                        ports = getattr(proxy, shape)
                        found[shape] = proxy.measured(lambda: _ask(ports, seconds, backends.questions))
                except (Failure, OSError) as failure:
                    report.fail(TITLE, proxy.key, failure)
                    continue
                # The first run finds cold memory.
                if number < 0:
                    continue
                for shape, values in found.items():
                    for line, value in zip(lines[shape], values):
                        line.add(proxy.key, value)
                for line, one, many in zip((rates, costs), found["one"], found["range"]):
                    line.add(proxy.key, many / one)
    finally:
        for proxy in running:
            proxy.stop()


def _ask(ports, seconds, questions):
    """A client of dnsperf for each port, all at once; an operation is a question that was answered."""
    texts = loads.together(
        [
            [
                *(locate("dnsperf"), "-s", "127.0.0.1", "-p", str(port), "-d", questions, "-l", str(seconds)),
                *("-c", "1", "-T", "1", "-q", str(QUESTIONS), "-t", "1"),
            ]
            for port in ports
        ], seconds)
    counts = [re.search(r"Queries completed:\s+(\d+)", text) for text in texts]
    silent = sum(1 for found in counts if found is None or int(found[1]) == 0)
    if silent:
        raise Failure(f"{silent} of {len(ports)} clients got no answers")
    return loads.Outcome(operations=sum(int(found[1]) for found in counts), seconds=seconds)


def _measure_wide(keys, directory, backends, rounds, report, is_over):
    starts = {
        count: report.line(TITLE, f"start until {count:,} UDP ports are served", duration) for count in (1, WIDE_PORTS)
    }
    memory = report.line(TITLE, f"memory of a UDP port, of {WIDE_PORTS:,}", size)
    checks = report.line(TITLE, f"weir check of {CHECKED_ROUTES * CHECKED_PORTS:,} ports", duration)
    for number in range(rounds):
        for key in keys:
            if is_over() or key not in WIDE_KINDS:
                continue
            try:
                resident = {}
                for kind in WIDE_KINDS[key]:
                    proxy = kind(directory, backends.ports.dns, f"-{kind.count}-ports-{number}")
                    seconds, resident[kind.count] = _start(proxy)
                    starts[kind.count].add(key, seconds)
                memory.add(key, (resident[WIDE_PORTS] - resident[1]) / (WIDE_PORTS - 1))
                checks.add(key, _check(WIDE_KINDS[key][0].program, directory))
            except (Failure, OSError) as failure:
                report.fail(TITLE, key, failure)


def _start(proxy):
    """How long a start takes, and the memory after it."""
    begun = time.monotonic()
    try:
        proxy.launch()
        proxy.wait_until_ready()
        seconds = time.monotonic() - begun
        return seconds, resident_bytes(proxy.processes())
    finally:
        proxy.stop()


def _check(program, directory):
    """How long `weir check` takes for ranges that cover nearly all ports, none of which clash."""
    path = os.path.join(directory, "checked.yml")
    with open(path, "w", encoding="ascii") as file:
        file.write("routes:\n")
        for number in range(CHECKED_ROUTES):
            first = 1024 + number * CHECKED_PORTS
            span = f"{first}-{first + CHECKED_PORTS - 1}"
            file.write(f'  r{number}: {{ scheme: udp, bind: 192.0.2.1, host: 192.0.2.2, port: "{span}:9" }}\n')
    begun = time.monotonic()
    processes.run([program, "check", "--config", path], 60)
    return time.monotonic() - begun


def _ratio(value):
    return f"{value:.3f}"
