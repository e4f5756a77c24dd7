"""What counting costs: Weir, which always counts, beside its own engine with no hooks, in interleaved rounds."""

import os
import time

import loads
from accounting import Reading
from proxies import WORKERS, Proxy, Weir
from tools import Failure

TITLE = "counting: Weir ÷ its engine without hooks"
# A difference of a few per cent drowns in what one run differs from the next: many short pairs, not few long ones.
PAIRS_PER_ROUND = 4
SHORTEST_RUN = 1


class EngineAlone(Proxy):
    """Benchmarks/Engine: the same streams without counting and logging."""

    key, title = "engine", "Weir's engine without hooks"
    program = None

    def configuration(self):
        return ""

    def command(self, configuration):
        if self.program is None:
            raise Failure("there is no engine to run: give --engine PROGRAM")
        arguments = [self.program, str(WORKERS)]
        for scheme, pairs in (("tcp4", self.pairs()), ("udp4", self.datagram_pairs())):
            for _name, port, upstream in pairs:
                arguments += [f"{scheme}://127.0.0.1:{port}", f"127.0.0.1:{upstream}"]
        return arguments


LOADS = {
    "small requests": (
        lambda backends: backends.http(),
        lambda proxy, seconds, backends: loads.requests(proxy.ports.http, "/small", seconds),
    ),
    "new connections": (
        lambda backends: backends.http(),
        lambda proxy, seconds, backends: loads.requests(proxy.ports.http, "/small", seconds, ("Connection: close",)),
    ),
    "DNS queries": (
        lambda backends: backends.dns(),
        lambda proxy, seconds, backends: loads.queries(proxy.ports.dns, seconds, backends.questions),
    ),
}


def measure(directory, backends, rounds, seconds, is_quick, report, is_over):
    """One ratio per pair of short runs right after each other; their order alternates."""
    pairs = rounds if is_quick else rounds * PAIRS_PER_ROUND
    seconds = max(SHORTEST_RUN, seconds // PAIRS_PER_ROUND)
    pair = [Weir(directory, backends.ports, "-counting"), EngineAlone(directory, backends.ports)]
    try:
        for name, (prepare, load) in LOADS.items():
            if is_quick and name != "small requests":
                continue
            rate = report.line(TITLE, f"rate, {name}", _ratio, better=None)
            cost = report.line(TITLE, f"proxy CPU per operation, {name}", _ratio, better=None)
            prepare(backends)
            for proxy in pair:
                proxy.start()
                load(proxy, 1, backends)
            for number in range(pairs):
                if is_over():
                    report.fail(TITLE, "weir", f"no time left for {name}")
                    return
                order = pair if number % 2 == 0 else pair[::-1]
                found = {proxy.key: _once(proxy, load, seconds, backends) for proxy in order}
                rate.add("weir", found["weir"][0] / found["engine"][0])
                cost.add("weir", found["weir"][1] / found["engine"][1])
    finally:
        for proxy in pair:
            proxy.stop()


def _once(proxy, load, seconds, backends):
    """Operations per second, and processor time per operation."""
    pids = proxy.processes()
    time.sleep(0.2)
    before = Reading.take(pids)
    outcome = load(proxy, seconds, backends)
    cost = Reading.take(pids).since(before)
    return outcome.operations / outcome.seconds, max(cost.proxy_seconds, 0.01) / outcome.operations


def _ratio(value):
    return f"{value:.3f}"


def use(program):
    if program:
        EngineAlone.program = os.path.abspath(program)
