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
