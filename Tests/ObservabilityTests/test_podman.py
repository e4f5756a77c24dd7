"""Routes from the labels of containers of a real Podman, whose service answers as a Docker engine does, with differences:
lists are shorter, networks' events name no network, and no event tells that a container was told to stop. In a network
of the tests' own, whose bridges and firewall Podman changes. Needs root and a C compiler: `scripts/test --full`.
"""

import contextlib
import json
import socket

import pytest

from container_routes import IMAGE, Load, Weir, ask, ask_udp, becomes, import_echo, start
from networks import own_network
from podman import Podman
from support import free_port, run, wait_until, weir

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with own_network():
        made = Podman(tmp_path_factory.mktemp("podman"))
        try:
            import_echo(made, tmp_path_factory.mktemp("image"))
            made.docker("network", "create", "--disable-dns", "--subnet", "198.18.1.0/24", "edge")
            made.docker("network", "create", "--disable-dns", "--subnet", "198.18.2.0/24", "other")
            made.docker("network", "create", "--disable-dns", "--ipv6", "--subnet", "fd00:7e57::/64", "six")
            yield made
        finally:
            made.stop()


@pytest.fixture
def podman(service):
    """Without containers of earlier tests."""
    yield service
    service.docker("rm", "--force", "--all", "--time", "0")


@pytest.fixture
def following(podman, tmp_path):
    with Weir(podman, tmp_path) as started:
        yield started


def test_the_version_is_negotiated_and_everything_is_told_of_each_container(podman, tmp_path):
    start(podman, "web", labels={"weir.web.port": f"{free_port()}:7"})
    start(podman, "plain")
    with Weir(podman, tmp_path) as following:
        log = following.log()
        assert "a container engine is followed" in log and " api=1." in log, log
        assert following.value("weir_docker_containers", state="routed") == 1
        assert following.value("weir_docker_containers", state="not_stream") == 1
        checked = run(weir(), "check", "--docker", str(following.file))
        assert checked.returncode == 0, checked
        assert checked.stdout.startswith(
            "plain: not_stream: it has no label that begins with `weir.`\nweb: routed (web)\n"), checked


def test_a_container_with_labels_becomes_a_route_which_follows_its_life(podman, following):
    tcp, udp = free_port(), free_port()
    start(podman, "one", labels={
        "weir.web.port": f"{tcp}:7", "weir.dns.port": f"{udp}:7", "weir.dns.scheme": "udp"})
    becomes(tcp, "one", "it is a route")
    assert ask_udp(udp) == "one"
    podman.docker("rename", "one", "two")
    wait_until("the log knows the new name", lambda: "container=two" in following.log(), 5)
    podman.docker("pause", "two")
    becomes(tcp, None, "a paused container gets no clients")
    podman.docker("unpause", "two")
    becomes(tcp, "one", "it serves again")
    podman.docker("network", "disconnect", "edge", "two")
    becomes(tcp, None, "it has left its network")
    podman.docker("network", "connect", "edge", "two")
    becomes(tcp, "one", "it has an address again")
    podman.docker("restart", "--time", "5", "two")
    becomes(tcp, "one", "it is back after a restart")
    podman.docker("kill", "two")
    becomes(tcp, None, "it is gone")
    podman.docker("start", "two")
    becomes(tcp, "one", "it is back")
    assert ask_udp(udp) == "one"
    podman.docker("rm", "--force", "--time", "0", "two")
    wait_until("it is forgotten", lambda: following.value("weir_docker_containers"), 5, lambda found: found == 0)


def test_a_container_gets_clients_while_its_health_check_is_well(podman, following, tmp_path):
    port = free_port()
    check = ("--health-cmd", '["/server", "--check"]', "--health-retries", "1", "--health-interval", "disable")
    start(podman, "web", *check, labels={"weir.web.port": f"{port}:7"})
    wait_until("it is listed", lambda: following.value("weir_docker_containers", state="unhealthy") == 1, 5)
    assert ask(port) is None
    # Podman leaves it to systemd to run the check again and again.
    assert podman.ask("healthcheck", "run", "web").returncode == 0
    becomes(port, "web", "it is healthy")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as kept:
        assert kept.recv(100) == b"web\n"
        (tmp_path / "sick").touch()
        podman.docker("cp", str(tmp_path / "sick"), "web:/sick")
        assert podman.ask("healthcheck", "run", "web").returncode != 0
        becomes(port, None, "it is unhealthy")
        assert following.value("weir_docker_containers", state="unhealthy") == 1
        kept.sendall(b"still")
        assert kept.recv(100) == b"still"


def test_addresses_of_ipv6_networks_host_networking_and_shared_networks(podman, following):
    six, host, shared, several = (free_port() for _ in range(4))
    start(podman, "six", labels={"weir.six.port": f"{six}:7"}, network="six")
    becomes(six, "six", "it has an IPv6 address alone")
    inside = free_port()
    start(podman, "host", labels={"weir.host.port": f"{host}:{inside}"}, network="host", port=inside)
    becomes(host, "host", "it is on the network of its host")
    start(podman, "owner")
    start(podman, "guest", labels={"weir.guest.port": f"{shared}:8"}, network="container:owner", port=8)
    becomes(shared, "guest", "it is at the address of another container")
    start(podman, "both", "--network", "other", labels={"weir.both.port": f"{several}:7"})
    wait_until("it must choose", lambda: "`edge`, `other`" in following.log(), 5)
    podman.docker("rm", "--force", "--time", "0", "both")
    start(podman, "both", "--network", "other", labels={"weir.both.port": f"{several}:7", "weir.network": "other"})
    becomes(several, "both", "its label names one")
    address = json.loads(podman.docker("inspect", "both"))[0]["NetworkSettings"]["Networks"]["other"]["IPAddress"]
    assert address.startswith("198.18.2.")


def test_published_ports_are_dialed_where_the_file_says_so(podman, tmp_path):
    port, published = free_port(), free_port()
    start(podman, "web", labels={"weir.web.port": f"{port}:7"}, publish=f"127.0.0.1:{published}:7/tcp")
    with Weir(podman, tmp_path, "label_prefix: weir, bind: 127.0.0.1, published_ports: true") as following:
        # The kernel leads it from there on, which no listener shows.
        wait_until("it is routed", lambda: following.value("weir_docker_containers", state="routed") == 1, 5)
        checked = run(weir(), "check", "--docker", str(following.file))
        assert checked.stdout.startswith("web: routed (web)\n"), checked


def test_a_pod_and_its_containers_are_one_network(podman, following):
    port = free_port()
    made = podman.ask("pod", "create", "--name", "pod", "--network", "edge", "--infra-image", IMAGE,
                      "--infra-command", "/server", "--cgroup-parent", f"/{podman.cgroup}")
    assert made.returncode == 0, made.stderr
    try:
        podman.docker("create", "--pod", "pod", "--name", "web", "--label", f"weir.web.port={port}:8", IMAGE, "web", "8")
        assert podman.ask("pod", "start", "pod").returncode == 0
        becomes(port, "web", "it is at the address of its pod", 5)
    finally:
        podman.ask("pod", "rm", "--force", "--time", "0", "pod")


def test_clients_are_served_while_containers_come_and_go(podman, following):
    port = free_port()
    labels = {"weir.web.port": f"{port}:7", "com.docker.compose.project": "p", "com.docker.compose.service": "web"}
    start(podman, "p_web_1", labels=labels)
    becomes(port, "p_web_1", "one serves")
    with Load(port) as load:
        for _ in range(3):
            start(podman, "p_web_2", labels=labels)
            wait_until("there are two", lambda: following.value(
                "weir_upstream_members", route="web", state="up"), 10, lambda found: found == 2)
            # Podman does not tell that it ends before it has ended: clients that it has then may be lost.
            podman.docker("rm", "--force", "--time", "5", "p_web_2")
            wait_until("there is one", lambda: following.value("weir_docker_containers"), 10, lambda found: found == 1)
    assert load.answers["p_web_1"] > 50 and following.value("weir_tcp_connections_rejected_total", route="web") == 0


def test_everything_stays_while_the_service_is_away(podman, following):
    port, late = free_port(), free_port()
    start(podman, "web", labels={"weir.web.port": f"{port}:7"})
    becomes(port, "web", "it is a route")
    with Load(port) as load:
        podman.stop_service()
        wait_until("it is away", lambda: following.value("weir_source_up") == 0, 20)
        before = load.answers["web"]
        wait_until("clients are served meanwhile", lambda: load.answers["web"] > before + 100, 30)
        podman.begin_service()
        wait_until("it is back", lambda: following.value("weir_source_up") == 1, 30)
    assert set(load.answers) == {"web"}, load.answers
    start(podman, "late", labels={"weir.late.port": f"{late}:7"})
    becomes(late, "late", "events are followed again")
    with contextlib.suppress(AssertionError):
        podman.docker("kill", "web", "late")
