"""Child processes: started in the foreground with their output in a file, ended by process id."""

import contextlib
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import time

import accounting
from tools import Failure

# Below the range from which the kernel takes the ports of clients, so that no client sits on a port of ours.
PORTS = range(18000, 30000)


_fork = multiprocessing.get_context("fork")


def listening(port, backlog=256):
    """A socket that listens at a port of the loopback address."""
    return socket.create_server(("127.0.0.1", port), backlog=backlog)


@contextlib.contextmanager
def forked(work, *sockets):
    """A copy of this process that works with these sockets until the block is over: a server or a client that does not
    wait for the interpreter of the others. Only the copy keeps the sockets.
    """
    with contextlib.ExitStack() as stack:
        for one in sockets:
            stack.enter_context(one)
        process = _fork.Process(target=work, args=sockets, daemon=True)
        process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


class Child:
    """One running program. Its descendants are its own business, but `accounting.tree` counts them in."""

    def __init__(self, name, arguments, directory):
        self.name = name
        self.log_path = os.path.join(directory, f"{name}.log")
        with open(self.log_path, "ab") as log:
            try:
                self.process = subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=directory
                )
            except OSError as error:
                raise Failure(f"{name} cannot be started: {error.strerror}") from error

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def wait_until(self, condition, what, seconds=15.0):
        """Waits for a condition; fails at once, with the last lines of the log, when the program ends instead."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.is_running():
                raise Failure(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: {what} not within {seconds:.0f} s: {self.last_words()}")
            time.sleep(0.02)

    def last_words(self, lines=4):
        with open(self.log_path, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log_path) - 2000))
            text = log.read().decode("utf-8", "replace").splitlines()
        return " | ".join(line.strip() for line in text[-lines:] if line.strip()) or "it wrote nothing"

    def stop(self, seconds=5.0):
        """SIGTERM, and SIGKILL for what is still there after the time. Children go with their parent or after it."""
        family = []
        if self.is_running():
            family = [(pid, accounting.start_of(pid)) for pid in accounting.tree(self.pid)[1:]]
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid, start in family:
            # The kernel may have reused the process number; the start time tells.
            if start is not None and accounting.start_of(pid) == start:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def run(arguments, seconds, accept_failure=False):
    """Runs a program to its end within a time and returns what it printed."""
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=seconds
        )
    except subprocess.TimeoutExpired as expired:
        raise Failure(f"{os.path.basename(arguments[0])} took longer than {seconds:.0f} s") from expired
    if done.returncode != 0 and not accept_failure:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise Failure(f"{os.path.basename(arguments[0])} ended with {done.returncode}: {' | '.join(words)}")
    return done.stdout


def is_free(port):
    """Whether the port can be bound for TCP and for UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


_given = set()


def free_port():
    for _ in range(1000):
        port = random.choice(PORTS)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise Failure("no free port")


def free_ports(count):
    """Many free ports, in ascending order and close together."""
    found = []
    for port in range(random.randrange(PORTS.start, PORTS.stop - 3 * count), PORTS.stop):
        if port not in _given and is_free(port):
            found.append(port)
            if len(found) == count:
                _given.update(found)
                return found
    raise Failure(f"no {count} free ports")


def is_listening(port):
    """Whether a process listens on the TCP port. Read from the kernel's table: connecting would disturb iperf3."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        next(table)
        for line in table:
            fields = line.split(maxsplit=4)
            if fields[3] == "0A" and fields[1].endswith(wanted):
                return True
    return False
