"""The weight of a proxy: its program, its memory at the start, its start with 1,000 routes, and a reload of one of them."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import processes
from accounting import resident_bytes
from proxies import HAProxy, Weir
from report import duration, size
from scrapes import ROUTES, HAProxyWithManyRoutes, WeirWithManyRoutes
from tools import Failure, locate

TITLE = "weight"
SETTLE_SECONDS = 1.5
POLL_SECONDS = 0.001
LIMIT_SECONDS = 30


def measure(kinds, directory, backends, rounds, report, is_over):
    lines = {
        "program": report.line(TITLE, "program, stripped", size),
        "memory": report.line(TITLE, "memory at the start", size),
        "start": report.line(TITLE, f"start until {ROUTES:,} routes listen", duration),
        "reload": report.line(TITLE, f"reload that changes one of {ROUTES:,} routes", duration),
    }
    many = {HAProxy.key: HAProxyWithManyRoutes, Weir.key: WeirWithManyRoutes}
    ports = processes.free_ports(ROUTES)
    for number in range(rounds):
        for kind in kinds:
            if is_over():
                return
            try:
                _light(kind, directory, backends, number, lines)
                if kind.key in many:
                    _heavy(many[kind.key], directory, backends, ports, number, lines)
            except (Failure, OSError, subprocess.SubprocessError) as failure:
                report.fail(TITLE, kind.key, failure)


def _light(kind, directory, backends, number, lines):
    proxy = kind(directory, backends.ports, f"-weight-{number}")
    try:
        proxy.start()
        time.sleep(SETTLE_SECONDS)
        lines["memory"].add(proxy.key, resident_bytes(proxy.processes()))
        lines["program"].add(proxy.key, _stripped_size(proxy.processes()))
    finally:
        proxy.stop()


def _stripped_size(pids):
    """The program that the last process of a proxy runs: a script may have started it."""
    program = os.readlink(f"/proc/{pids[-1]}/exe")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        copy = os.path.join(folder, "program")
        shutil.copy(program, copy)
        processes.run([locate("strip"), copy], 60)
        return os.path.getsize(copy)


def _heavy(kind, directory, backends, ports, number, lines):
    proxy = kind(directory, backends.ports, f"-many-{number}", list(ports))
    try:
        wanted = set(proxy.route_ports)
        begun = time.monotonic()
        proxy.launch()
        _wait(lambda: wanted <= _listening(), proxy, "all routes listen")
        lines["start"].add(proxy.key, time.monotonic() - begun)
        # HAProxy replaces the process for that.
        if kind is WeirWithManyRoutes:
            proxy.wait_until_ready()
            lines["reload"].add(proxy.key, _reload(proxy))
    finally:
        proxy.stop()


def _reload(proxy):
    old = proxy.route_ports[ROUTES // 2]
    new = processes.free_port()
    proxy.route_ports[ROUTES // 2] = new
    path = os.path.join(proxy.directory, "configuration")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(proxy.configuration())
    os.replace(path + ".new", path)
    begun = time.monotonic()
    os.kill(proxy.processes()[0], signal.SIGHUP)

    def is_done():
        listening = _listening()
        return new in listening and old not in listening

    _wait(is_done, proxy, "the changed route listens")
    return time.monotonic() - begun


def _wait(condition, proxy, what):
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        proxy.processes()
        if time.monotonic() > deadline:
            raise Failure(f"{proxy.title}: {what} not within {LIMIT_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _listening():
    """All TCP ports on which a program listens, from the kernel's table."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        next(table)
        fields = (line.split(maxsplit=4) for line in table)
        return {int(field[1].rpartition(":")[2], 16) for field in fields if field[3] == "0A"}
