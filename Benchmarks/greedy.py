"""Latency beside a greedy flow: small echoes through a proxy that carries one iperf3 stream at the same time."""

import statistics
import threading
import time

import echoes
import loads
import processes
from report import HIGHER, duration, gigabits_from_gibibytes
from tools import Failure

TITLE = "small echoes beside one iperf3 stream"
# A faster proxy leaves less of the processors to the echoes: both ends of the stream work more, too. So the echoes are
# measured beside a stream of a rate that every proxy carries with ease, as well.
PACED_BITS_PER_SECOND = 5_000_000_000
STREAMS = ((TITLE, 0), (f"{TITLE} of {PACED_BITS_PER_SECOND // 10**9} Gbit/s", PACED_BITS_PER_SECOND))


def measure(proxies, backends, rounds, seconds, report, is_over):
    for title, bits_per_second in STREAMS:
        _measure(title, bits_per_second, proxies, backends, rounds, seconds, report, is_over)


def _measure(title, bits_per_second, proxies, backends, rounds, seconds, report, is_over):
    rate = report.line(title, "rate of the stream", gigabits_from_gibibytes, HIGHER)
    middle = report.line(title, "p50 of the echoes", duration)
    tail = report.line(title, "p99 of the echoes", duration)
    with processes.forked(echoes.serve, processes.listening(backends.ports.idle)):
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
    with echoes.clients(proxy.ports.idle) as connections:
        stream = _Stream(proxy.ports.iperf, seconds, bits_per_second)
        stream.start()
        time.sleep(echoes.RAMP_SECONDS)
        times = echoes.measure(connections, seconds - 2 * echoes.RAMP_SECONDS)
        stream.join()
    if stream.failure is not None:
        raise Failure(str(stream.failure))
    return stream.outcome, times


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
