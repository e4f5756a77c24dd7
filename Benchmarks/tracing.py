"""What a request costs in system calls (strace) and in instructions (callgrind). Counts, so noise hardly matters."""

import glob
import os
import re
import signal
import socket
import subprocess
import time

import loads
from processes import run
from proxies import Weir
from report import count
from tools import Failure, locate

CALLS_TITLE = "system calls"
INSTRUCTIONS_TITLE = "instructions (callgrind)"
TRACED_SECONDS = 2
# Two runs of different length; their difference is free of start and end.
SHORT_RUN, LONG_RUN = 200, 2200
CONNECTIONS = 8


def system_calls(proxies, backends, report):
    """All system calls of the proxy while wrk runs, over the requests answered in that time."""
    keep_alive = report.line(CALLS_TITLE, "per small keep-alive request", count)
    fresh = report.line(CALLS_TITLE, "per new connection, from accept to close, one request in it", count)
    backends.http()
    for proxy in proxies:
        try:
            proxy.start()
            keep_alive.add(proxy.key, _calls_per_request(proxy, ()))
            fresh.add(proxy.key, _calls_per_request(proxy, ("Connection: close",)))
        except (Failure, OSError) as failure:
            report.fail(CALLS_TITLE, proxy.key, failure)


def _calls_per_request(proxy, headers):
    summary = os.path.join(proxy.directory, "calls")
    command = [locate("strace"), "-c", "-f", "-o", summary]
    for pid in proxy.processes():
        command += ["-p", str(pid)]
    log_path = os.path.join(proxy.directory, "strace.log")
    with open(log_path, "wb") as log:
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_until_attached(tracer, log_path, proxy)
        outcome = loads.requests(proxy.ports.http, "/small", TRACED_SECONDS, headers, connections=16)
    finally:
        # On SIGINT strace lets the processes go and writes its summary.
        tracer.send_signal(signal.SIGINT)
        try:
            tracer.wait(10)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()
    with open(summary, encoding="utf-8", errors="replace") as file:
        total = re.search(r"^\s*100\.00\s+[\d.]+\s+(?:\d+\s+)?(\d+)\s+(?:\d+\s+)?total$", file.read(), re.MULTILINE)
    if total is None:
        raise Failure("strace wrote no total")
    return int(total[1]) / outcome.operations


def _wait_until_attached(tracer, log_path, proxy):
    """strace has each thread under its hand once the kernel names it as the tracer."""
    deadline = time.monotonic() + 5
    while True:
        traced = [_tracer_of(pid) == tracer.pid for pid in proxy.processes()]
        if all(traced):
            return
        if tracer.poll() is not None or time.monotonic() > deadline:
            with open(log_path, encoding="utf-8", errors="replace") as log:
                raise Failure(f"strace could not attach: {log.read().strip()[-200:]}")
        time.sleep(0.05)


def _tracer_of(pid):
    """The tracer of all threads of a process, or None while they differ."""
    tracers = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8", errors="replace") as status:
            tracers.add(next(int(line.split()[1]) for line in status if line.startswith("TracerPid:")))
    return tracers.pop() if len(tracers) == 1 else None


def instructions(kinds, directory, backends, report):
    line = report.line(INSTRUCTIONS_TITLE, "user space, per small keep-alive request", count)
    backends.http()
    for kind in kinds:
        try:
            runs = {}
            for requests in (SHORT_RUN, LONG_RUN):
                proxy = kind(directory, backends.ports, f"-callgrind-{requests}")
                if kind is Weir and kind.program:
                    proxy.program = _without_debug_information(kind.program, proxy.directory)
                runs[requests] = _instructions(proxy, requests)
            line.add(kind.key, (runs[LONG_RUN] - runs[SHORT_RUN]) / (LONG_RUN - SHORT_RUN))
        except (Failure, OSError) as failure:
            report.fail(INSTRUCTIONS_TITLE, kind.key, failure)


def _without_debug_information(program, directory):
    """A copy for valgrind, whose Debian version gives up on the debug information that Swift writes."""
    copy = os.path.join(directory, "program")
    run([locate("strip"), "--strip-debug", "-o", copy, program], 60)
    return copy


def _instructions(proxy, requests):
    pattern = os.path.join(proxy.directory, "callgrind.out")
    # Workers that nginx started as `nobody` write their own file.
    os.chmod(proxy.directory, 0o777)
    wrapper = [locate("valgrind"), "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={pattern}.%p"]
    try:
        proxy.start(wrapper, seconds=60)
        _ask(proxy.ports.http, requests)
    finally:
        proxy.stop(seconds=30)
    total = 0
    for path in glob.glob(glob.escape(pattern) + ".*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(r"^(?:totals|summary): (\d+)", file.read(), re.MULTILINE)
        total += int(found[1]) if found else 0
    if total == 0:
        raise Failure("callgrind wrote no totals")
    return total


def _ask(port, requests):
    """A fixed number of requests, in turn over a few connections that stay open."""
    connections = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(CONNECTIONS)]
    try:
        for index in range(requests):
            connection = connections[index % CONNECTIONS]
            connection.sendall(b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 64:
                received = connection.recv(4096)
                if not received:
                    raise Failure("a connection ended early")
                answer += received
    finally:
        for connection in connections:
            connection.close()
