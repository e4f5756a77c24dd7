"""What a request costs in system calls (strace) and in instructions (callgrind). Counts, so noise hardly matters."""

import glob
import os
import re
import signal
import socket
import struct
import subprocess
import time

import loads
from backends import NAMES, ZONE
from processes import run
from proxies import Weir
from report import count
from tools import Failure, locate

CALLS_TITLE = "system calls"
INSTRUCTIONS_TITLE = "instructions (callgrind)"
TRACED_SECONDS = 2
TRACED_CONNECTIONS = 16
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
            for line, headers in ((keep_alive, ()), (fresh, ("Connection: close",))):
                def load(headers=headers):
                    return loads.requests(
                        proxy.ports.http, "/small", TRACED_SECONDS, headers, connections=TRACED_CONNECTIONS)

                line.add(proxy.key, calls_per_operation(proxy, load))
        except (Failure, OSError) as failure:
            report.fail(CALLS_TITLE, proxy.key, failure)


def calls_per_operation(proxy, load):
    """All system calls of a running proxy during a load, over its operations."""
    summary = os.path.join(proxy.directory, "calls")
    command = [locate("strace"), "-c", "-f", "-o", summary]
    for pid in proxy.processes():
        command += ["-p", str(pid)]
    log_path = os.path.join(proxy.directory, "strace.log")
    with open(log_path, "wb") as log:
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_until_attached(tracer, log_path, proxy)
        outcome = load()
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
    backends.http()
    backends.dns()
    for name, unit, ask, scale in (
        ("small", "per small keep-alive request", _keep_alive("/small", 64), 1),
        ("new", "per new connection, one request in it", _new_connections, 1),
        ("1m", "per MiB of responses", _keep_alive("/1m", 1 << 20), 10),
        ("dns", "per DNS question and answer", _questions, 1),
    ):
        line = report.line(INSTRUCTIONS_TITLE, f"user space, {unit}", count)
        for kind in kinds:
            if name == "dns" and not kind.carries_udp:
                continue
            try:
                value = instructions_per_operation(kind, directory, backends.ports, name, ask, scale)
            except (Failure, OSError) as failure:
                report.fail(INSTRUCTIONS_TITLE, kind.key, failure)
            else:
                line.add(kind.key, value)


def instructions_per_operation(kind, directory, upstreams, name, ask, scale=1):
    """The difference of two runs of a proxy over their operations. `ask(proxy, times)` makes it work."""
    runs = {}
    for length in (SHORT_RUN, LONG_RUN):
        proxy = kind(directory, upstreams, f"-callgrind-{name}-{length}")
        if issubclass(kind, Weir) and kind.program:
            proxy.program = _without_debug_information(kind.program, proxy.directory)
        runs[length] = _instructions(proxy, ask, length // scale)
    return (runs[LONG_RUN] - runs[SHORT_RUN]) / (LONG_RUN // scale - SHORT_RUN // scale)


def _without_debug_information(program, directory):
    """A copy for valgrind, whose Debian version gives up on the debug information that Swift writes."""
    copy = os.path.join(directory, "program")
    run([locate("strip"), "--strip-debug", "-o", copy, program], 60)
    return copy


def _instructions(proxy, ask, times):
    pattern = os.path.join(proxy.directory, "callgrind.out")
    # Workers that nginx runs as an unprivileged user write their own file.
    os.chmod(proxy.directory, 0o777)
    wrapper = [locate("valgrind"), "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={pattern}.%p"]
    try:
        proxy.start(wrapper, seconds=60)
        ask(proxy, times)
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


def _keep_alive(path, size):
    """Asks a fixed number of times, in turn over a few connections that stay open."""

    def ask(proxy, times):
        connections = [socket.create_connection(("127.0.0.1", proxy.ports.http), 30) for _ in range(CONNECTIONS)]
        try:
            for index in range(times):
                _request(connections[index % CONNECTIONS], path, size)
        finally:
            for connection in connections:
                connection.close()

    return ask


def _new_connections(proxy, times):
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", proxy.ports.http), 30) as connection:
            _request(connection, "/small", 64, b"Connection: close\r\n")
            if connection.recv(1):
                raise Failure("a connection went on after its end")


def _request(connection, path, size, headers=b""):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path.encode(), headers))
    answer = bytearray()
    body = None
    while body is None or len(answer) - body < size:
        received = connection.recv(1 << 18)
        if not received:
            raise Failure("a connection ended early")
        answer += received
        if body is None and (end := answer.find(b"\r\n\r\n")) >= 0:
            body = end + 4


def _questions(proxy, times):
    """Questions for one name (RFC 1035 section 4.1), in turn from a few ports."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(CONNECTIONS)]
    host = f"host{NAMES[0]}.{ZONE}"
    name = b"".join(bytes([len(label)]) + label.encode() for label in host.split(".")) + b"\0"
    try:
        for one in sockets:
            one.settimeout(30)
            one.connect(("127.0.0.1", proxy.ports.dns))
        for index in range(times):
            one = sockets[index % CONNECTIONS]
            one.send(struct.pack("!6H", index & 0xFFFF, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1))
            if one.recv(4096)[:2] != struct.pack("!H", index & 0xFFFF):
                raise Failure("an answer to another question")
    finally:
        for one in sockets:
            one.close()
