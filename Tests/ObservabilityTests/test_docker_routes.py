"""Routes from the labels of containers, in a real Docker engine: the containers hold one small static program, which says
its name to each client. Takes minutes, and needs root and a C compiler: `scripts/test --full`.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import statistics
import threading
import time
from pathlib import Path

import pytest

import machines
from container_routes import IMAGE, Datagrams, Load, Weir, ask, ask_udp, becomes, import_echo, start
from support import free_port, run, tool, wait_until, weir

# Of the block for benchmarks (RFC 2544), and of this run alone.
SUBNET = f"198.19.{os.getpid() % 250}"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def own_engine(tmp_path_factory):
    """An engine of this module's own, with an image of one program and a network whose addresses can be asked for."""
    made = machines.Engine(tmp_path_factory.mktemp("engine"))
    try:
        import_echo(made, tmp_path_factory.mktemp("image"))
        made.docker("network", "create", "--subnet", f"{SUBNET}.0/24", "edge")
        yield made
        if left := made.docker("ps", "--all", "--quiet").split():
            made.docker("rm", "--force", *left, timeout=600)
        # A bridge that stays would take the packets of the next run.
        # Endpoints of containers that were removed go a little later.
        wait_until("the network is removed", lambda: made.ask("network", "rm", "edge").returncode == 0, 60)
    finally:
        made.stop()


@pytest.fixture
def engine(own_engine):
    """Without containers of earlier tests."""
    yield own_engine
    if left := own_engine.docker("ps", "--all", "--quiet").split():
        own_engine.docker("rm", "--force", *left)


@pytest.fixture
def following(engine, tmp_path):
    with Weir(engine, tmp_path) as started:
        yield started


def test_a_container_with_labels_becomes_a_route_which_follows_its_life(engine, following, say):
    tcp, udp = free_port(), free_port()
    labels = {"weir.web.port": f"{tcp}:7", "weir.dns.port": f"{udp}:7", "weir.dns.scheme": "udp"}
    start(engine, "one", labels=labels)
    becomes(tcp, "one", "it is a route")
    assert ask_udp(udp) == "one"
    with socket.create_connection(("127.0.0.1", tcp), timeout=10) as kept:
        assert kept.recv(100) == b"one\n"
        # Another container's life does not matter to it.
        start(engine, "other", labels={"weir.other.port": f"{free_port()}:7"})
        engine.docker("rm", "--force", "other")
        engine.docker("rename", "one", "two")
        wait_until("the log knows the new name", lambda: "container=two" in following.log(), 5)
        kept.sendall(b"still")
        assert kept.recv(100) == b"still"
    engine.docker("pause", "two")
    becomes(tcp, None, "a paused container gets no clients")
    engine.docker("unpause", "two")
    becomes(tcp, "one", "it serves again")
    engine.docker("network", "disconnect", "edge", "two")
    becomes(tcp, None, "without a network it gets none")
    engine.docker("network", "connect", "--ip", f"{SUBNET}.77", "edge", "two")
    becomes(tcp, "one", "it is followed to another address")
    engine.docker("restart", "--time", "5", "two")
    becomes(tcp, "one", "it is back after a restart")
    engine.docker("kill", "two")
    becomes(tcp, None, "it is gone")
    engine.docker("start", "two")
    becomes(tcp, "one", "it is back")
    assert ask_udp(udp) == "one"
    assert following.value("weir_docker_errors_total") <= 1, following.log()[-2000:]


def test_from_the_start_event_to_the_first_byte(engine, following, say):
    port = free_port()
    start(engine, "timed", labels={"weir.timed.port": f"{port}:7"})
    becomes(port, "timed", "it is a route")
    times = []
    for _ in range(10):
        engine.docker("kill", "timed")
        wait_until("it is gone", lambda: ask(port, timeout=2) is None, 5)
        with engine.begin("start", "timed"):
            end = time.monotonic() + 10
            while ask(port, timeout=1) != "timed":
                assert time.monotonic() < end
            served = time.time()
        began = json.loads(engine.docker(
            "events", "--since", str(int(served) - 10), "--until", f"{served:.3f}", "--filter", "event=start",
            "--format", "{{json .}}").splitlines()[-1])["timeNano"] / 1e9
        times.append(served - began)
    say(f"start event to the first byte: median {statistics.median(times) * 1000:.0f} ms, "
        f"most {max(times) * 1000:.0f} ms")
    assert statistics.median(times) <= 0.3


def test_a_service_is_scaled_under_load_without_a_failed_connection(engine, following, tmp_path):
    port = free_port()
    (tmp_path / "docker-compose.yml").write_text(f"""
version: "2.4"
services:
  web:
    image: {IMAGE}
    command: web
    stop_grace_period: 20s
    networks: [edge]
    labels:
      weir.web.port: "{port}:7"
networks:
  edge: {{ external: {{ name: edge }} }}
""")

    def scale(count: int):
        engine.compose("--project-name", "scaled", "--file", str(tmp_path / "docker-compose.yml"), "up", "--detach",
                       "--scale", f"web={count}", cwd=tmp_path)
        # A route that has had one upstream only has no set.
        wait_until(f"there are {count}", lambda: (
            following.value("weir_docker_containers", state="routed"),
            following.value("weir_upstream_members", route="web", state="up")),
            60, lambda found: found in ((count, count), (1, 0)) and found[0] == count)

    scale(1)
    becomes(port, "web", "one serves")
    with Load(port) as load:
        for _ in range(3):
            scale(3)
            scale(1)
    assert set(load.answers) == {"web"} and load.answers["web"] > 100, load.answers


@pytest.mark.parametrize("rounds", [100])
def test_no_byte_reaches_another_container_that_took_over_an_address(engine, tmp_path, rounds):
    port, udp = free_port(), free_port()
    labels = {
        "weir.web.port": f"{port}:7", "weir.dns.port": f"{udp}:7", "weir.dns.scheme": "udp",
        "com.docker.compose.project": "p", "com.docker.compose.service": "web"}
    for number in (1, 2, 3):
        start(engine, f"p-web-{number}", "--ip", f"{SUBNET}.{100 + number}", labels=labels)
    # It takes the address of one of them whenever that is free.
    engine.docker("create", "--network", "edge", "--ip", f"{SUBNET}.101", "--name", "thief", IMAGE, "thief")
    with Weir(engine, tmp_path) as following:
        wait_until("all are routed", lambda: following.value("weir_upstream_members", route="web", state="up") == 3, 20)
        with Load(port) as load, Datagrams(udp) as datagrams:
            for _ in range(rounds):
                engine.docker("kill", "p-web-1")
                engine.docker("start", "thief")
                engine.docker("kill", "thief")
                engine.docker("start", "p-web-1")
        assert "thief" not in load.answers and "thief" not in datagrams.answers, (load.answers, datagrams.answers)
        # It prints a line for each client.
        seen = engine.docker("logs", "thief").split("\n")
        assert set(seen) == {"thief listens"}, seen[:20]
        # Nothing but what was open to the container that was killed was lost, and no client was turned away.
        assert following.value("weir_tcp_connections_rejected_total", route="web") == 0
        assert load.answers.get(None, 0) <= rounds * len(load.threads), load.answers
        wait_until("all are routed", lambda: following.value("weir_upstream_members", route="web", state="up") == 3, 20)
        assert load.answers["p-web-1"] > 0 and load.answers["p-web-2"] > 0, load.answers


def test_everything_stays_while_the_engine_is_away_and_follows_when_it_is_back(engine, following):
    port, late = free_port(), free_port()
    start(engine, "web", "--restart", "always", labels={"weir.web.port": f"{port}:7"})
    becomes(port, "web", "it is a route")
    engine.daemon.stop()
    wait_until("the engine is away", lambda: following.value("weir_source_up") == 0, 20)
    assert "a container engine is away" in following.log()
    engine.begin_daemon()
    wait_until("the engine is back", lambda: following.value("weir_source_up") == 1, 60)
    wait_until("the container is served", lambda: ask(port), 30, lambda found: found == "web")
    start(engine, "late", labels={"weir.late.port": f"{late}:7"})
    becomes(late, "late", "events are followed again")


def certificates(folder: Path):
    """An authority, and certificates of it for a server and for a client."""
    def openssl(*arguments: str):
        done = run(tool("openssl"), *arguments, cwd=folder)
        assert done.returncode == 0, done.stderr

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=ca")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}-key.pem", "-out", f"{name}.csr",
                "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial",
                "-out", f"{name}.pem", "-extfile", "names")


@contextlib.contextmanager
def encrypted(engine, folder: Path):
    """The engine's API at a port of this machine, for clients with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    def pass_on(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(client: socket.socket):
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as inside:
            with socket.socket(socket.AF_UNIX) as outside:
                outside.connect(engine.address.removeprefix("unix://"))
                back = threading.Thread(target=pass_on, args=(outside, inside))
                back.start()
                pass_on(inside, outside)
                back.join()

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_an_engine_is_asked_over_tls_with_a_certificate_of_ours(engine, tmp_path):
    port = free_port()
    certificates(tmp_path)
    start(engine, "web", labels={"weir.web.port": f"{port}:7"}, publish="127.0.0.1::7/tcp")
    settings = "label_prefix: weir, published_ports: true, ca: ca.pem"
    with encrypted(engine, tmp_path) as address:
        with Weir(engine, tmp_path, f"{settings}, certificate: client.pem, key: client-key.pem", address):
            becomes(port, "web", "it is a route", 10)
        for less in ("label_prefix: weir, ca: ca.pem", "label_prefix: weir",
                     "label_prefix: weir, certificate: client.pem, key: client-key.pem"):
            file = tmp_path / "less.yml"
            file.write_text(f"docker: {{ endpoint: '{address}', {less} }}\n")
            refused = run(weir(), "check", "--docker", str(file))
            assert refused.returncode == 1 and "engine `docker`" in refused.stderr, refused


def test_ports_without_quotes_are_told_by_docker_compose_1(engine, following, tmp_path):
    (tmp_path / "docker-compose.yml").write_text(f"""
version: "2.4"
services:
  ssh: {{ image: {IMAGE}, command: ssh, networks: [edge], labels: {{ weir.ssh.port: 2222:22 }} }}
networks:
  edge: {{ external: {{ name: edge }} }}
""")
    compose = ("--project-name", "unquoted", "--file", str(tmp_path / "docker-compose.yml"))
    engine.compose(*compose, "up", "--detach", cwd=tmp_path)
    wait_until("it is told", lambda: "133342" in following.log() and "`2222:22`" in following.log(), 10)
    assert following.value("weir_docker_containers", state="error") == 1
    checked = run(weir(), "check", "--docker", str(following.file))
    assert checked.returncode == 1 and "`2222:22`" in checked.stdout, checked


def test_labels_of_an_http_proxy_open_no_port(engine, tmp_path):
    for number in range(20):
        start(engine, f"web{number}", labels={
            "proxy.aliases": f"app{number}", f"proxy.app{number}.port": "7", "proxy.*.scheme": "http",
            "proxy.idle_timeout": "1h", f"proxy.app{number}.homepage.name": "x", "proxy.#1.middlewares.a.use": "b"})
    with Weir(engine, tmp_path, "label_prefix: proxy") as following:
        wait_until("all are judged",
                   lambda: following.value("weir_docker_containers", state="not_stream"), 20, lambda found: found == 20)
        assert following.value("weir_docker_errors_total") == 0 and following.value("weir_route_info") == 0
        assert " WARNING " not in following.log() and " ERROR " not in following.log()


def test_two_hundred_containers_start_at_once(engine, following, say):
    first = 20_000
    for number in range(200):
        engine.docker("create", "--network", "edge", "--name", f"c{number}",
                      "--label", f"weir.c{number}.port={first + number}:7", IMAGE, f"c{number}")
    status = Path(f"/proc/{following.process.process.pid}")

    def cpu() -> float:
        fields = (status / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def anonymous() -> int:
        return int((status / "status").read_text().partition("RssAnon:")[2].split()[0])

    before = (cpu(), anonymous())
    engine.docker("start", *[f"c{number}" for number in range(200)], timeout=600)
    wait_until("all are routed", lambda: following.value("weir_docker_containers", state="routed"), 60,
               lambda found: found == 200)
    after = (cpu(), anonymous())
    assert ask(first) == "c0" and ask(first + 199) == "c199"
    say(f"200 containers: {after[0] - before[0]:.1f} s of CPU, {(after[1] - before[1]) / 1024:.1f} MiB of memory")
    wait_until("the last list is over", lambda: time.sleep(2) or True, 5)
    resting = cpu()
    time.sleep(10)
    say(f"at rest: {(cpu() - resting) * 100:.0f} ms of CPU in 10 s")
    engine.docker("rm", "--force", *[f"c{number}" for number in range(200)], timeout=600)
    wait_until("all routes are gone", lambda: following.value("weir_route_info"), 60, lambda found: found == 0)
