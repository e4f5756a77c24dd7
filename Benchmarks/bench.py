"""Compares Weir with nginx and HAProxy on this machine. Run it as scripts/bench; see Benchmarks/README.md."""

import argparse
import functools
import json
import os
import resource
import signal
import sys
import tempfile
import time

import agents
import capacity
import checks
import counting
import crowd
import denials
import encryption
import failover
import greedy
import health
import idle_memory
import listings
import names
import proxies
import ranges
import scraped
import scrapes
import sets
import throughput
import tools
import tracing
import weight
from backends import Backends
from report import Report

OTHER_ROWS = {
    "greedy": "latency of small echoes beside one iperf3 stream",
    "deny": "connections that are denied beside ones that are relayed (Weir alone)",
    "flood": "a UDP flow beside a flood that is denied (Weir alone)",
    "metrics": "throughput with counting beside the same engine without hooks",
    "full": "scrapes while 9,500 connections carry data (needs 20,000 descriptors)",
    "health": "how fast the health endpoints answer under full load (Weir alone)",
    "crowd": "how fast health and scrapes are answered beside 64 clients that ask for parts of the page (Weir alone)",
    "listed": "latency of small requests while 9,000 connections are listed (Weir alone; not with --quick)",
    "idle": "memory per idle connection",
    "weight": "size of the program, memory at the start, start and reload with 1,000 routes",
    "scrape": "time and size of a scrape at 1,000 routes",
    "scraped": "what a scrape every second takes of a proxy under full load (Weir alone)",
    "sets": "small requests and new connections over ten upstreams beside one (not with --quick)",
    "names": "new connections by the name of their TLS hello beside a plain route (not with --quick)",
    "ranges": "DNS through a range of 100 UDP ports beside one port, and wide ranges at the start (not with --quick)",
    "tls": "handshakes, small requests, bulk and idle connections with TLS on either side (not with --quick)",
    "agents": "echoes, requests, bulk and idle tunnels through an agent beside two stunnels (not with --quick)",
    "checks": "what the checks of 1,000 upstreams take of a core (not with --quick)",
    "failover": "how long clients fail after one of three upstreams does (not with --quick)",
    "calls": "system calls per request and per connection (needs strace)",
    "instructions": "instructions per request (needs valgrind; not with --quick)",
}
# Rows that start proxies of their own, to compare them within each round.
COMPARED = {"sets": sets, "names": names, "ranges": ranges, "tls": encryption, "agents": agents}
NOT_QUICK = ("sets", "names", "ranges", "tls", "agents", "checks", "failover", "listed", "instructions")
QUICK = {"rounds": 3, "seconds": 2, "limit": 265}
USUAL = {"rounds": 5, "seconds": 5, "limit": 3600}


def parse_arguments():
    rows = {row.key: row.title for row in throughput.ROWS} | OTHER_ROWS
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Compares Weir with nginx and HAProxy on this machine, over 127.0.0.1 only.",
        epilog="rows: " + "; ".join(f"{key}: {title}" for key, title in rows.items()),
    )
    parser.add_argument("--quick", action="store_true", help="short rounds, done within 5 minutes")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of every row (5; with --quick 3)")
    parser.add_argument("--seconds", type=int, metavar="N", help="length of one run (5; with --quick 2)")
    parser.add_argument("--time-limit", type=int, metavar="N", help="seconds after which no further run starts")
    parser.add_argument("--rows", metavar="A,B", help="only these rows")
    parser.add_argument(
        "--proxies", default=",".join(proxies.USUAL), metavar="A,B", help=f"any of {', '.join(proxies.ALL)}"
    )
    parser.add_argument("--weir", metavar="PROGRAM", help="measure this program instead of building one")
    parser.add_argument("--before", metavar="PROGRAM", help="another build of Weir, measured in the same rounds")
    parser.add_argument("--engine", metavar="PROGRAM", help="the engine without hooks, for the row `metrics`")
    parser.add_argument("--output", metavar="FILE", help="write the table to this file as well")
    parser.add_argument("--raw", metavar="FILE", help="write the values of all rounds as JSON")
    arguments = parser.parse_args()
    usual = QUICK if arguments.quick else USUAL
    arguments.rounds = arguments.rounds or usual["rounds"]
    arguments.seconds = arguments.seconds or usual["seconds"]
    arguments.time_limit = arguments.time_limit or usual["limit"]
    if min(arguments.rounds, arguments.seconds, arguments.time_limit) < 1:
        parser.error("rounds, seconds and the time limit are at least 1")
    chosen = arguments.rows.split(",") if arguments.rows else list(rows)
    if arguments.quick and not arguments.rows:
        chosen = [key for key in chosen if key not in NOT_QUICK]
    arguments.rows = chosen
    arguments.proxies = arguments.proxies.split(",")
    if arguments.before:
        proxies.WeirBefore.program = os.path.abspath(arguments.before)
        if proxies.WeirBefore.key not in arguments.proxies:
            arguments.proxies.append(proxies.WeirBefore.key)
    for name, known in (("rows", rows), ("proxies", proxies.ALL)):
        for key in getattr(arguments, name):
            if key not in known:
                parser.error(f"no {name} named '{key}': {', '.join(known)}")
    counting.use(arguments.engine)
    if arguments.weir:
        proxies.Weir.program = os.path.abspath(arguments.weir)
    return arguments


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


def measure_all(arguments, directory, report):
    deadline = time.monotonic() + arguments.time_limit
    kinds = [proxies.ALL[key] for key in arguments.proxies]
    backends = Backends(directory)
    running = []

    def is_over():
        return time.monotonic() > deadline

    try:
        running = [kind(directory, backends.ports) for kind in kinds]
        for row in throughput.ROWS:
            if row.key in arguments.rows:
                say(row.title)
                guarded(row.title, report, is_over, lambda: throughput.measure(
                    row, running, backends, arguments.rounds, arguments.seconds, not arguments.quick, report, is_over
                ))
        steps = {
            "greedy": (
                greedy.TITLE,
                lambda: greedy.measure(
                    running, backends, arguments.rounds, arguments.seconds, report, is_over
                ),
            ),
            "deny": (
                denials.DENY_TITLE,
                lambda: denials.connections(
                    directory, backends, arguments.rounds, arguments.seconds, report, is_over
                ),
            ),
            "flood": (
                denials.FLOOD_TITLE,
                lambda: denials.flood(directory, backends, arguments.rounds, arguments.seconds, report, is_over),
            ),
            "calls": (
                tracing.CALLS_TITLE,
                lambda: (
                    tracing.system_calls(running, backends, report),
                    names.system_calls(arguments.proxies, directory, backends, report),
                ),
            ),
            "idle": (idle_memory.TITLE, lambda: idle_memory.measure(kinds, directory, backends, report)),
            "weight": (
                weight.TITLE,
                lambda: weight.measure(kinds, directory, backends, arguments.rounds, report, is_over),
            ),
            "scrape": (scrapes.TITLE, lambda: scrapes.measure(arguments.proxies, directory, backends, report)),
            "health": (
                health.TITLE,
                lambda: health.measure(
                    directory, backends, arguments.rounds, arguments.seconds, report, is_over
                ),
            ),
            "crowd": (
                crowd.TITLE,
                lambda: crowd.measure(
                    directory, backends, arguments.rounds, arguments.seconds, report, is_over
                ),
            ),
            "scraped": (
                scraped.TITLE,
                lambda: scraped.measure(
                    directory, backends, arguments.rounds, arguments.seconds, report, is_over
                ),
            ),
            "listed": (
                listings.TITLE,
                lambda: listings.measure(
                    directory, backends, arguments.rounds, arguments.seconds, report, is_over
                ),
            ),
            "metrics": (
                counting.TITLE,
                lambda: counting.measure(
                    directory, backends, arguments.rounds, arguments.seconds, arguments.quick, report, is_over
                ),
            ),
            "checks": (
                checks.TITLE,
                lambda: checks.measure(
                    arguments.proxies, directory, arguments.rounds, arguments.seconds, report, is_over
                ),
            ),
            "failover": (
                failover.TITLE,
                lambda: failover.measure(arguments.proxies, directory, arguments.rounds, report, is_over),
            ),
            "full": (capacity.TITLE, lambda: capacity.measure(directory, backends, report)),
            "instructions": (
                tracing.INSTRUCTIONS_TITLE,
                lambda: (
                    tracing.instructions(kinds, directory, backends, report),
                    names.instructions(arguments.proxies, directory, backends, report),
                ),
            ),
        }
        for key, row in COMPARED.items():
            steps[key] = (row.TITLE, functools.partial(
                row.measure, arguments.proxies, directory, backends, arguments.rounds, arguments.seconds, report,
                is_over))
        for key, (title, step) in steps.items():
            if key in arguments.rows:
                say(title)
                guarded(title, report, is_over, step)
    finally:
        for child in (*running, backends):
            child.stop()


def guarded(title, report, is_over, step):
    """One row that fails costs its own figures only."""
    if is_over():
        report.fail(title, "all", "no time left")
        return
    try:
        step()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other rows go on and the report names it
        report.fail(title, "all", f"{type(error).__name__}: {error}")


def main():
    arguments = parse_arguments()
    # An ordinary exit runs the clean-up that ends all children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = Report()
    machine = tools.machine()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
        # nginx started by root reads its files as an unprivileged user.
        os.chmod(directory, 0o755)
        try:
            measure_all(arguments, directory, report)
        except KeyboardInterrupt:
            report.remarks.append("interrupted: the table is not complete")
        for index, (what, proxy, reason) in enumerate(report.failures):
            report.failures[index] = (what, proxy, reason.replace(directory, "DIRECTORY"))
    settings = (
        f"medians of {arguments.rounds} interleaved rounds of {arguments.seconds} s, {proxies.WORKERS} workers per "
        f"proxy, over 127.0.0.1; {time.monotonic() - started:.0f} s in all"
    )
    titles = {key: proxies.ALL[key].title for key in arguments.proxies}
    if "agents" in arguments.rows:
        titles |= agents.PEERS
    table = report.markdown(machine, titles, settings)
    print(table)
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8") as file:
            file.write(table)
    if arguments.raw:
        raw = [{"what": line.what, "measure": line.measure, "values": line.values} for line in report.lines]
        with open(arguments.raw, "w", encoding="utf-8") as file:
            json.dump({"machine": dict(machine), "settings": settings, "lines": raw}, file, indent=1)


if __name__ == "__main__":
    main()
