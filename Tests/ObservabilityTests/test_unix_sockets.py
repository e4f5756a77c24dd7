"""Real servers behind Unix sockets: PostgreSQL with its own client, and Redis, through one Weir that dials paths."""

import hashlib
import signal
import subprocess

import pytest

from databases import USER, Server, Template
from networks import own_network
from peers import Weir
from support import Process, free_port, free_ports, run, tool, wait_until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def template():
    with own_network():
        made = Template()
        try:
            made.fill(free_ports(1))
            yield made
        finally:
            made.remove()


def ask(port: int, question: str) -> str:
    done = run(tool("psql"), "--host", "127.0.0.1", "--port", str(port), "--username", USER, "--tuples-only",
               "--no-align", "--command", question, USER)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_postgres(template, tmp_path):
    settings = (f"unix_socket_directories={template.folder}",)
    with Server(template, "unix", "127.0.0.1", free_port(), settings=settings) as server:
        path = f"unix:{template.folder}/.s.PGSQL.{server.port}"
        health = "health: { check: postgres, interval: 200ms, fall: 2, rise: 1 }"
        with Weir(tmp_path, [f'"{path}"'], route=health) as weir:
            weir.await_up(path)
            # The server sees a client of its socket, and no address.
            assert ask(weir.port, "SELECT coalesce(inet_client_addr()::text, 'none')") == "none"
            mass = "SELECT string_agg(md5(number::text), '') FROM generate_series(1, 1000000) AS number"
            through, direct = ask(weir.port, mass), server.ask(mass)
            assert len(through) == 32_000_000
            assert hashlib.sha256(through.encode()).digest() == hashlib.sha256(direct.encode()).digest()
            bench = run(tool("pgbench"), "--client=8", "--transactions=50", "--connect", "--host=127.0.0.1",
                        f"--port={weir.port}", f"--username={USER}", USER)
            assert bench.returncode == 0, bench.stderr
            # A crash leaves the file, and the next server takes its place.
            server.kill()
            weir.await_up()
            server.start()
            weir.await_up(path)
            assert ask(weir.port, "SELECT 42") == "42"
            page = weir.page()
            assert page.by_upstream("weir_dials_total")[path] > 400


def test_redis(tmp_path):
    path = tmp_path / "redis.sock"
    command = [tool("redis-server"), "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no",
               "--dir", str(tmp_path), "--daemonize", "no"]
    with Process(tmp_path, *command) as redis:
        wait_until("redis listens", lambda: redis.check() or path.exists())
        with Weir(tmp_path, [f'"unix:{path}"'], route="health: { check: redis, interval: 200ms }") as weir:
            weir.await_up(f"unix:{path}")
            client = [tool("redis-cli"), "-h", "127.0.0.1", "-p", str(weir.port)]
            value = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(3_200_000))
            done = subprocess.run([*client, "-x", "SET", "mass"], input=value, capture_output=True, timeout=120)
            assert done.stdout == b"OK\n", done
            got = subprocess.run([*client, "GET", "mass"], capture_output=True, timeout=120)
            assert hashlib.sha256(got.stdout.removesuffix(b"\n")).digest() == hashlib.sha256(value).digest()
            # A server that ends takes its file with it.
            redis.signal(signal.SIGTERM)
            wait_until("the file is gone", lambda: not path.exists())
            weir.await_up()
