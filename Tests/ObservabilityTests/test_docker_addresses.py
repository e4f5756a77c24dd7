"""The addresses at which containers of a real Docker engine are dialed: of one network and of several, of IPv6, of the host,
of another container, and the published ports of an engine whose containers cannot be reached. In networks of the
tests' own. Needs root and a C compiler: `scripts/test --full`.
"""

import os
import socket

import pytest

import machines
from container_routes import IMAGE, Load, Weir, ask, becomes, import_echo, start
from networks import own_network
from support import free_port, run, tool, wait_until, weir

pytestmark = pytest.mark.long

# Of the block for benchmarks (RFC 2544): the link between two hosts.
NEAR, FAR = "198.19.255.1", "198.19.255.2"


def ip(*arguments: str):
    done = run(tool("ip"), *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def own_engine(tmp_path_factory):
    with own_network():
        made = machines.Engine(tmp_path_factory.mktemp("engine"))
        try:
            import_echo(made, tmp_path_factory.mktemp("image"))
            for number, name in enumerate(("edge", "other", "p_inner")):
                made.docker("network", "create", "--subnet", f"198.19.{number}.0/24", name)
            made.docker("network", "create", "--ipv6", "--subnet", "198.19.9.0/24", "--subnet", "fd00:7e57::/64", "six")
            yield made
        finally:
            made.stop()


@pytest.fixture
def engine(own_engine):
    yield own_engine
    if left := own_engine.docker("ps", "--all", "--quiet").split():
        own_engine.docker("rm", "--force", *left)


@pytest.fixture(scope="module")
def far_engine(own_engine, tmp_path_factory):
    """An engine on another host, of which nothing is reached but the host itself, as of a rootless one."""
    with own_network():
        ip("link", "add", "far", "type", "veth", "peer", "name", "near", "netns", str(own_engine.daemon.process.pid))
        ip("address", "add", f"{FAR}/30", "dev", "far")
        ip("address", "add", "fd00:7e58::2/64", "dev", "far", "nodad")
        ip("link", "set", "far", "up")
        made = machines.Engine(tmp_path_factory.mktemp("far"), f"tcp://{FAR}:2375")
    try:
        ip("address", "add", f"{NEAR}/30", "dev", "near")
        ip("address", "add", "fd00:7e58::1/64", "dev", "near", "nodad")
        ip("link", "set", "near", "up")
        import_echo(made, tmp_path_factory.mktemp("image"))
        # The same addresses as those of the near engine's network.
        made.docker("network", "create", "--subnet", "198.19.0.0/24", "edge")
        yield made
    finally:
        made.stop()


def address(engine, name: str, network: str, key: str = "IPAddress") -> str:
    return engine.inspect(name)["NetworkSettings"]["Networks"][network][key]


def clients_of(engine, name: str) -> int:
    """How many clients and datagrams a container has seen."""
    return len(engine.docker("logs", name).splitlines()) - 1


def test_of_several_networks_one_must_be_named_by_the_file_or_a_label(engine, tmp_path):
    port, second = free_port(), free_port()
    start(engine, "web", labels={"weir.web.port": f"{port}:7"})
    with Weir(engine, tmp_path) as following:
        assert ask(port) == "web"
        engine.docker("network", "connect", "other", "web")
        wait_until("it must choose", lambda: "`edge`, `other`" in following.log(), 5)
        assert following.value("weir_docker_errors_total", reason="network") == 1
        checked = run(weir(), "check", "--docker", str(following.file))
        assert checked.returncode == 1 and "`docker.network`" in checked.stdout, checked
        engine.docker("network", "disconnect", "edge", "web")
        becomes(port, "web", "one is left")
    engine.docker("network", "connect", "edge", "web")
    # As compose names it: with the project in front.
    engine.docker("create", "--network", "edge", "--name", "named", "--label", f"weir.named.port={second}:7",
                  "--label", "weir.network=inner", "--label", "com.docker.compose.project=p", IMAGE, "named")
    engine.docker("network", "connect", "p_inner", "named")
    engine.docker("start", "named")
    with Weir(engine, tmp_path, "label_prefix: weir, bind: 127.0.0.1, network: other"):
        assert (ask(port), ask(second)) == ("web", "named")
        # It is dialed there: without that network there is no address, although it has another.
        engine.docker("network", "disconnect", "p_inner", "named")
        becomes(second, None, "its label names a network in which it is not")
        assert ask(port) == "web"


def test_a_network_with_ipv6_and_published_ports_of_ipv6(engine, tmp_path):
    port, published, tcp6 = free_port(), free_port(), free_port()
    start(engine, "web", labels={"weir.web.port": f"{port}:7"}, network="six")
    assert address(engine, "web", "six", "GlobalIPv6Address").startswith("fd00:7e57::")
    with Weir(engine, tmp_path):
        assert ask(port) == "web"
    engine.docker("rm", "--force", "web")
    # Its addresses are not dialed: the engine's host has the port on `::1` alone.
    start(engine, "web", labels={"weir.web.port": f"{port}:7"}, publish=f"[::1]:{published}:7/tcp")
    with Weir(engine, tmp_path, "label_prefix: weir, bind: 127.0.0.1, published_ports: true") as following:
        assert ask(port) == "web"
        assert following.value("weir_docker_containers", state="routed") == 1
    with Weir(engine, tmp_path, "label_prefix: weir, bind: '::1'"):
        start(engine, "six", labels={"weir.six.port": f"{tcp6}:7", "weir.six.scheme": "tcp6"}, network="six")

        def answer() -> bytes:
            try:
                with socket.create_connection(("::1", tcp6), timeout=5) as client:
                    return client.recv(100)
            except OSError:
                return b""

        wait_until("clients of IPv6 are served", answer, 5, lambda found: found == b"six\n")


def test_a_container_on_the_network_of_the_host(engine, tmp_path):
    port, inside = free_port(), free_port()
    start(engine, "web", labels={"weir.web.port": f"{port}:{inside}"}, network="host", port=inside)
    for more in ("", ", published_ports: true"):
        with Weir(engine, tmp_path, "label_prefix: weir, bind: 127.0.0.1" + more):
            assert ask(port) == "web"


def test_a_container_on_the_network_of_another_is_dialed_no_more_when_that_has_ended(engine, tmp_path):
    port, udp = free_port(), free_port()
    engine.docker("run", "--detach", "--network", "edge", "--ip", "198.19.0.77", "--name", "owner", IMAGE, "owner")
    labels = {"weir.guest.port": f"{port}:8", "weir.dns.port": f"{udp}:8", "weir.dns.scheme": "udp"}
    start(engine, "guest", labels=labels, network="container:owner", port=8)
    with Weir(engine, tmp_path, "label_prefix: weir, bind: 127.0.0.1, grace: 60s") as following, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as session:
        assert ask(port) == "guest"
        session.settimeout(5)
        session.connect(("127.0.0.1", udp))
        session.send(b"x")
        assert session.recv(100) == b"guest:x"
        # The owner ends, and with it the guest's address, although the guest runs on.
        engine.docker("kill", "owner")
        engine.docker("run", "--detach", "--network", "edge", "--ip", "198.19.0.77", "--name", "thief", IMAGE, "thief", "8")
        assert engine.inspect("guest")["State"]["Running"] and address(engine, "thief", "edge") == "198.19.0.77"
        wait_until("it is told", lambda: "the container whose network it shares does not run" in following.log(), 5)
        for _ in range(20):
            session.send(b"lost")
            assert ask(port) is None
        wait_until("all are dropped", lambda: following.value("weir_udp_sessions_rejected_total", route="dns"), 5)
        assert clients_of(engine, "thief") == 0
        engine.docker("rm", "--force", "thief")
        engine.docker("start", "owner")
        engine.docker("restart", "--time", "1", "guest")
        becomes(port, "guest", "both are back", 5)


def test_several_engines_one_of_which_has_containers_that_cannot_be_reached(engine, far_engine, tmp_path):
    near, far, hidden = free_port(), free_port(), free_port()
    start(engine, "web", labels={"weir.near.port": f"{near}:7"}, publish=f"127.0.0.1:{free_port()}:7/tcp")
    # The same name and, in its own network, the same address.
    start(far_engine, "web", labels={"weir.far.port": f"{far}:7"}, publish="7000:7/tcp")
    start(far_engine, "hidden", labels={"weir.hidden.port": f"{hidden}:7"}, publish="127.0.0.1:7001:7/tcp")
    start(far_engine, "host", labels={"weir.host.port": f"{free_port()}:2375"}, network="host", port=9)
    start(far_engine, "again", labels={"weir.near.port": f"{near}:7"}, publish="7002:7/tcp")
    assert address(engine, "web", "edge") == address(far_engine, "web", "edge")
    both = f"{{ near: '{engine.address}', far: 'tcp://{FAR}:2375' }}"
    with Weir(engine, tmp_path, "label_prefix: weir, bind: 127.0.0.1, published_ports: true", both) as following:
        assert (ask(near), ask(far)) == ("web", "web")
        assert clients_of(far_engine, "web") == 1 and clients_of(engine, "web") == 1
        assert following.value("weir_source_up", source="near") == following.value("weir_source_up", source="far") == 1
        checked = run(weir(), "check", "--docker", str(following.file))
        lines = checked.stdout.splitlines()
        assert "near/web: routed (near)" in lines and "far/web: routed (far)" in lines, checked
        for name, words in {
            "hidden": "on the loopback address of its engine's host", "host": "2375 is the port of its engine",
            "again": "is that of another container",
        }.items():
            line = next(line for line in lines if line.startswith(f"far/{name}: error"))
            assert words in line, line
        # One engine goes away; the other is followed, and all that is in force stays.
        later = free_port()
        os.kill(far_engine.daemon.process.pid, 19)
        try:
            start(engine, "later", labels={"weir.later.port": f"{later}:7"}, publish=f"127.0.0.1:{free_port()}:7/tcp")
            becomes(later, "later", "the near engine is followed")
            assert ask(far) == "web"
        finally:
            os.kill(far_engine.daemon.process.pid, 18)
    # Where published ports are not dialed, the far container's address is that of a near one: only the file can say so.
    with Weir(engine, tmp_path):
        assert ask(near) == "web" and clients_of(engine, "web") == 2


def test_an_engine_that_stands_still_for_a_minute_costs_no_client(engine, tmp_path):
    port, late = free_port(), free_port()
    start(engine, "web", labels={"weir.web.port": f"{port}:7"})
    with Weir(engine, tmp_path) as following, Load(port) as load:
        os.kill(engine.daemon.process.pid, 19)
        try:
            # The list of each minute gets no answer for half of one.
            wait_until("it is told", lambda: "a container engine is away, its routes stay" in following.log(), 150)
            assert following.value("weir_source_up") == 0
        finally:
            os.kill(engine.daemon.process.pid, 18)
        wait_until("it is followed again", lambda: following.value("weir_source_up") == 1, 60)
        start(engine, "late", labels={"weir.late.port": f"{late}:7"})
        becomes(late, "late", "events are followed again")
    assert set(load.answers) == {"web"} and load.answers["web"] > 1000, load.answers
