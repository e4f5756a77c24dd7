"""Real PostgreSQL servers that can be killed, stopped and started again, and clients that count what fails."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from support import Process, run, tool, wait_until

USER = "postgres"
# initdb refuses to run as root, and so does the server: they run as the user and group that own nothing.
UNPRIVILEGED = 65_534
NOT_ROOT = ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups", "--pdeathsig=KILL", "--"]


def _unprivileged(*command: str) -> list[str]:
    return [*(NOT_ROOT if os.geteuid() == 0 else []), *command]


class Template:
    """The files of a server with pgbench's tables and an empty table `writes`, made once."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="weir-postgres-"))
        self.data = self.folder / "template"
        if os.geteuid() == 0:
            shutil.chown(self.folder, UNPRIVILEGED)
        made = run(
            *_unprivileged(tool("initdb"), "--pgdata", str(self.data), "--auth=trust", f"--username={USER}",
                           "--no-sync", "--encoding=UTF8", "--locale=C"), cwd=self.folder)
        assert made.returncode == 0, made.stdout + made.stderr

    def fill(self, port: int):
        with Server(self, "template", "127.0.0.1", port, copies=False) as server:
            made = run(tool("pgbench"), "--initialize", "--quiet", *server.address_options, USER)
            assert made.returncode == 0, made.stderr
            server.ask("CREATE TABLE writes (number bigserial)")
            server.process.signal(signal.SIGINT)
            server.process.process.wait(60)

    def remove(self):
        shutil.rmtree(self.folder)


class Server:
    """One server, with a copy of the template's files."""

    def __init__(
            self, template: Template, name: str, host: str, port: int, copies: bool = True, settings: tuple = ()):
        self.template, self.host, self.port, self.settings = template, host, port, settings
        self.data = template.folder / name
        self.process: Process | None = None
        if copies:
            copied = run("cp", "--archive", str(template.data), str(self.data))
            assert copied.returncode == 0, copied.stderr
        self.start()

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def address_options(self) -> list[str]:
        return ["--host", self.host, "--port", str(self.port), "--username", USER]

    def start(self):
        settings = [f"listen_addresses={self.host}", f"port={self.port}", "unix_socket_directories=", "fsync=off",
                    "jit=off", "max_connections=60", "shared_buffers=16MB", "log_min_messages=fatal", *self.settings]
        options = [word for setting in settings for word in ("-c", setting)]
        self.process = Process(
            self.template.folder, *_unprivileged(tool("postgres"), "-D", str(self.data), *options))
        wait_until(f"{self.name} answers", lambda: self.process.check() or self._answers(), 60)

    def _answers(self) -> bool:
        return run(tool("psql"), *self.address_options, "--command", "SELECT 1", USER).returncode == 0

    def ask(self, question: str) -> str:
        done = run(tool("psql"), *self.address_options, "--tuples-only", "--no-align", "--command", question, USER)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _family(self) -> list[int]:
        """The server and the processes that it has for its clients and itself."""
        pid = self.process.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [pid, *(int(child) for child in children.read_text().split())]

    def _signal_all(self, number: int):
        # The server itself first: it makes no further process then.
        for pid in self._family():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def kill(self):
        """Ends it at once, as a crash does: its port refuses from then on."""
        self._signal_all(signal.SIGSTOP)
        family = self._family()
        self._signal_all(signal.SIGKILL)
        self.process.process.wait()
        # Its memory is shared until the last of them is gone, and a new server refuses to start before.
        wait_until("all its processes are gone", lambda: not any(_is_alive(pid) for pid in family))

    def stand_still(self):
        """Stops it: its port still accepts, and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self):
        self._signal_all(signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.process.poll() is None:
            self.kill()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Clients:
    """Clients that open a connection for every transaction (`pgbench -C`), until the end of a `with`. pgbench ends its
    client at the first failure, so each of these runs one after the other, with one client: a run that fails is a
    transaction that failed.
    """

    TRANSACTIONS = 20

    def __init__(self, port: int, *script: str, patience_seconds: int, count: int = 4):
        self.command = [
            tool("pgbench"), "--no-vacuum", "--connect", "--client=1", f"--transactions={self.TRANSACTIONS}", *script,
            "--host=127.0.0.1", f"--port={port}", f"--username={USER}", USER]
        self.environment = os.environ | {"PGCONNECT_TIMEOUT": str(patience_seconds)}
        self.count = count
        self._changed = threading.Condition()
        self._goes, self._is_over = True, False
        self._resting = 0
        self.done, self.failed = 0, 0
        self.complaints: list[str] = []
        self._runs: set[subprocess.Popen] = set()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
            for running in self._runs:
                running.kill()
        for thread in self._threads:
            thread.join()

    def _work(self):
        while True:
            with self._changed:
                self._resting += 1
                self._changed.notify_all()
                while not self._goes and not self._is_over:
                    self._changed.wait()
                if self._is_over:
                    return
                self._resting -= 1
                process = subprocess.Popen(
                    self.command, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self._runs.add(process)
            output, errors = process.communicate()
            processed = re.search(r"transactions actually processed: (\d+)", output)
            with self._changed:
                self._runs.remove(process)
                if self._is_over:
                    return
                self.done += int(processed[1]) if processed else 0
                if process.returncode != 0:
                    self.failed += 1
                    self.complaints.append(errors.strip())
                self._changed.notify_all()

    @contextmanager
    def at_rest(self):
        """No transaction is under way in the block."""
        with self._changed:
            self._goes = False
            assert self._changed.wait_for(lambda: self._resting == self.count, 120), "the clients do not come to rest"
        yield
        with self._changed:
            self._goes = True
            self._changed.notify_all()

    def advance(self, transactions: int, deadline: float = 120) -> bool:
        """Waits until so many more are done; false where that takes too long."""
        with self._changed:
            wanted = self.done + transactions
            return self._changed.wait_for(lambda: self.done >= wanted, deadline)
