"""The weight of a proxy: its program, its memory at the start, its start with 1,000 routes, and a reload of one of them."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import processes
from accounting import resident_bytes
from report import duration, size
from scrapes import ROUTES, HAProxyWithManyRoutes, WeirBeforeWithManyRoutes, WeirWithManyRoutes
from tools import Failure, locate

TITLE = "weight"
SETTLE_SECONDS = 1.5
POLL_SECONDS = 0.001
LIMIT_SECONDS = 30
# linux/netlink.h, linux/sock_diag.h and the states of net/tcp_states.h.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLM_F_DUMP, NLMSG_DONE, TCP_LISTEN = 4, 20, 1, 0x300, 3, 10


def measure(kinds, directory, backends, rounds, report, is_over):
    lines = {
        "program": report.line(TITLE, "program, stripped", size),
        "memory": report.line(TITLE, "memory at the start", size),
        "start": report.line(TITLE, f"start until {ROUTES:,} routes listen", duration),
        "reload": report.line(TITLE, f"reload that changes one of {ROUTES:,} routes", duration),
    }
    many = {kind.key: kind for kind in (HAProxyWithManyRoutes, WeirBeforeWithManyRoutes, WeirWithManyRoutes)}
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
        if issubclass(kind, WeirWithManyRoutes):
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
    """All TCP ports on which a program listens, from the kernel (sock_diag(7)): the table in /proc takes far longer."""
    # struct nlmsghdr, then struct inet_diag_req_v2 with an empty struct inet_diag_sockid.
    request = struct.pack("=BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, 1 << TCP_LISTEN)
    header = struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0)
    ports = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.sendall(header + request)
        while True:
            answer = kernel.recv(1 << 18)
            position = 0
            while position + 16 <= len(answer):
                length, kind = struct.unpack_from("=IH", answer, position)
                if kind == NLMSG_DONE:
                    return ports
                if kind != SOCK_DIAG_BY_FAMILY:
                    raise Failure(f"the kernel answers with a message of type {kind}")
                # struct inet_diag_msg: four bytes, then the own port in network order.
                ports.add(struct.unpack_from("!H", answer, position + 16 + 4)[0])
                position += (length + 3) & ~3
