"""A network of the tests' own (network_namespaces(7)). It needs root."""

import ctypes
import os
from contextlib import contextmanager

from support import run, tool

NEW_NETWORK = 0x4000_0000  # CLONE_NEWNET of sched.h
libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int):
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


@contextmanager
def own_network():
    """The calling thread is in a network of its own, and so is every thread and program that it starts meanwhile."""
    assert os.geteuid() == 0, "a network of one's own needs root"
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", NEW_NETWORK)
        try:
            made = run(tool("ip"), "link", "set", "lo", "up")
            assert made.returncode == 0, made.stderr
            yield
        finally:
            _call("setns", home, NEW_NETWORK)
    finally:
        os.close(home)


class Network:
    """A network that a thread enters and leaves. It ends with this object and the last program in it."""

    def __init__(self):
        with own_network():
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    @contextmanager
    def entered(self):
        """The calling thread is in it, and so is every thread and program that it starts meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", self.descriptor, NEW_NETWORK)
            try:
                yield self
            finally:
                _call("setns", home, NEW_NETWORK)
        finally:
            os.close(home)

    def command(self, name: str, *arguments: str):
        """Runs a program here, to its end."""
        with self.entered():
            done = run(tool(name), *arguments)
        assert done.returncode == 0, done.stderr

    def connect(self, other: "Network", net: int):
        """A cable: 10.NET.0.1 here, 10.NET.0.2 there, on an interface `cableNET` at both ends. Packets on it are of the
        size that they have on a real one.
        """
        name, path = f"cable{net}", f"/proc/{os.getpid()}/fd/{other.descriptor}"
        self.command("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", path)
        for end, number in ((self, 1), (other, 2)):
            end.command("ip", "address", "add", f"10.{net}.0.{number}/24", "dev", name)
            end.command("ip", "link", "set", name, "gso_max_segs", "1", "up")

    def lose(self, net: int, share: float):
        """Drops this share of the packets that come over a cable. The kernel counts them (`lost`)."""
        self.command("iptables-legacy", "--append", "INPUT", "--in-interface", f"cable{net}", "--match", "statistic",
                     "--mode", "random", "--probability", str(share), "--jump", "DROP")

    def lost(self) -> int:
        """The packets that were dropped."""
        with self.entered():
            listed = run(tool("iptables-legacy"), "--list", "INPUT", "--verbose", "--exact", "--numeric")
        assert listed.returncode == 0, listed.stderr
        return sum(int(line.split()[0]) for line in listed.stdout.splitlines() if " DROP " in line)


class Silence:
    """Drops what comes for a TCP port, without an answer: as a server whose machine is gone."""

    def __init__(self, port: int):
        self.rule = ["INPUT", "--protocol", "tcp", "--destination-port", str(port), "--jump", "DROP"]

    def begin(self):
        self._change("--append")

    def end(self):
        self._change("--delete")

    def _change(self, how: str):
        done = run(tool("iptables-legacy"), how, *self.rule)
        assert done.returncode == 0, done.stderr
