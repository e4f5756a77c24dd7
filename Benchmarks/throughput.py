"""The rows of traffic: rate, processor time of the proxy and busy time of the machine per operation."""

import time
from dataclasses import dataclass
from typing import Callable

import loads
from accounting import Reading
from proxies import SETTLE_SECONDS
from report import HIGHER, count, duration, gigabits_from_gibibytes, per_second, share
from tools import Failure


@dataclass(frozen=True)
class Row:
    key: str
    title: str
    operation: str
    # Starts what the row needs behind the proxies.
    prepare: Callable
    # (proxy, seconds, backends) -> Outcome
    load: Callable
    is_udp: bool = False
    form: Callable[[float], str] = per_second
    # Whether latency belongs to the result, and whether the rate is given rather than measured.
    shows_latency: bool = False
    is_paced: bool = False


def _http(path, headers=()):
    return lambda proxy, seconds, backends: loads.requests(proxy.ports.http, path, seconds, headers)


def _datagram_rate(per_second_value):
    bits = per_second_value * loads.DATAGRAM_BYTES * 8
    return f"{count(per_second_value)}/s ({bits / 1e9:.2f} Gbit/s)"


def _web(backends):
    backends.http()


ROWS = [
    Row("small", "small request, 64 keep-alive connections", "request", _web, _http("/small")),
    Row(
        "paced",
        "small request at the same offered load",
        "request",
        _web,
        lambda proxy, seconds, backends: loads.paced_requests(
            proxy.ports.http, "/small", seconds, backends.directory
        ),
        shows_latency=True,
        is_paced=True,
    ),
    Row("new", "new connection per request", "request", _web, _http("/small", ("Connection: close",))),
    Row("16k", "16 KiB response", "request", _web, _http("/16k")),
    Row("1m", "1 MiB response", "request", _web, _http("/1m")),
    Row(
        "bulk",
        "bulk, iperf3 one stream",
        "GiB",
        lambda backends: backends.iperf(),
        lambda proxy, seconds, backends: loads.stream(proxy.ports.iperf, seconds),
        form=gigabits_from_gibibytes,
    ),
    Row(
        "dns",
        "DNS through UDP",
        "query",
        lambda backends: backends.dns(),
        lambda proxy, seconds, backends: loads.queries(proxy.ports.dns, seconds, backends.questions),
        is_udp=True,
    ),
    Row(
        "udp",
        "UDP bulk, iperf3 1,200 bytes",
        "datagram",
        lambda backends: backends.iperf(),
        lambda proxy, seconds, backends: loads.datagrams(proxy.ports.iperf, seconds),
        is_udp=True,
        form=_datagram_rate,
    ),
]


def measure(row, proxies, backends, rounds, seconds, warm_up, report, is_over):
    """Runs one row: the proxies take turns (A B C A B C …), so that a slow minute of the machine meets all."""
    if row.is_paced:
        rate = report.line(row.title, "given rate", row.form, better=None)
    else:
        rate = report.line(row.title, "rate", row.form, HIGHER)
    proxy_time = report.line(row.title, f"proxy CPU per {row.operation}", duration)
    busy_time = report.line(row.title, f"busy time of the machine per {row.operation}", duration)
    latency = report.line(row.title, "p99 latency", duration) if row.shows_latency else None
    loss = report.line(row.title, "lost", share, better=None) if row.is_udp else None
    for round_number in range(0 if warm_up else 1, rounds + 1):
        for proxy in proxies:
            if row.is_udp and not proxy.carries_udp:
                continue
            if is_over():
                report.fail(row.title, proxy.key, f"no time left for round {round_number}")
                return
            try:
                outcome, cost = _once(row, proxy, backends, 1 if round_number == 0 else seconds)
            except Failure as failure:
                report.fail(row.title, proxy.key, failure)
                continue
            if round_number == 0:
                continue
            rate.add(proxy.key, outcome.operations / outcome.seconds)
            proxy_time.add(proxy.key, cost.proxy_seconds / outcome.operations)
            busy_time.add(proxy.key, cost.busy_seconds / outcome.operations)
            if latency is not None and outcome.p99_seconds is not None:
                latency.add(proxy.key, outcome.p99_seconds)
            if loss is not None and outcome.lost_share is not None:
                loss.add(proxy.key, outcome.lost_share)


def _once(row, proxy, backends, seconds):
    row.prepare(backends)
    proxy.start()
    pids = proxy.processes()
    time.sleep(SETTLE_SECONDS)
    before = Reading.take(pids)
    outcome = row.load(proxy, seconds, backends)
    try:
        cost = Reading.take(pids).since(before)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Failure(f"{proxy.title} lost a process under load") from error
    if outcome.seconds <= 0:
        raise Failure("no time passed")
    return outcome, cost
