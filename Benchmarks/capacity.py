"""A process that is full: as many connections as 20,000 descriptors take, all carrying data, and scrapes meanwhile."""

import contextlib
import os
import socket
import threading

import idle_memory
import processes
from accounting import resident_bytes
from proxies import Weir
from report import count, duration, size
from tools import Failure, locate

CONNECTIONS = 9500
# At least.
SCRAPES = 20
TITLE = f"{CONNECTIONS:,} connections that carry data"


def measure(directory, backends, report):
    lines = [
        report.line(TITLE, "scrape, median", duration, better=None),
        report.line(TITLE, "slowest scrape", duration, better=None),
        report.line(TITLE, "messages carried meanwhile", count, better=None),
        report.line(TITLE, "memory of the process", size, better=None),
    ]
    with contextlib.ExitStack() as cleanup:
        listener = cleanup.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", backends.ports.idle))
        listener.listen(1024)
        listener.settimeout(10)
        proxy = Weir(directory, backends.ports, "-capacity")
        cleanup.callback(proxy.stop)
        proxy.start()
        pairs = idle_memory.open_connections(cleanup, proxy.ports.idle, listener, CONNECTIONS)
        traffic = _Traffic(pairs)
        thread = threading.Thread(target=traffic.run)
        thread.start()
        try:
            times = []
            # Until every connection has carried something.
            while len(times) < SCRAPES or (traffic.messages < len(pairs) and thread.is_alive()):
                times.append(_scrape(proxy.exporter_port))
            times.sort()
        finally:
            traffic.is_over = True
            thread.join()
        if traffic.failure:
            raise Failure(traffic.failure)
        figures = (times[len(times) // 2], times[-1], traffic.messages, resident_bytes(proxy.processes()))
        for line, figure in zip(lines, figures, strict=True):
            line.add("weir", figure)


class _Traffic:
    """One message after the other, over all connections in turn."""

    def __init__(self, pairs):
        self.pairs = pairs
        self.messages = 0
        self.is_over = False
        self.failure = None

    def run(self):
        try:
            while not self.is_over:
                for client, upstream in self.pairs:
                    idle_memory.exchange(client, upstream)
                    self.messages += 1
                    if self.is_over:
                        return
        except (Failure, OSError) as failure:
            self.failure = str(failure)


def _scrape(port):
    command = [locate("curl"), "-sS", "--max-time", "20", "-o", os.devnull, "-w", "%{http_code} %{time_total}"]
    status, seconds = processes.run([*command, f"http://127.0.0.1:{port}/metrics"], 30).split()
    if status != "200":
        raise Failure(f"the page of metrics answered {status}")
    return float(seconds)
