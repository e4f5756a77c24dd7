"""Destinations of an agent, for tunnels and checks: those that it dials, and those that it never does."""

import json
import socket

import pytest

from own_agent import Agent
from tunnels import PLAIN, header, request

# Ways to the server that no entry allows.
ELSEWHERE = ("127.0.0.1", "localhost", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0", "::")
# An entry for every address does not mean these.
MEANT_BY_NO_ENTRY = ("0.0.0.0", "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe")


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    with Agent(tmp_path_factory.mktemp("agent")) as made:
        yield made


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_destination_outside_the_list_is_never_dialed(agent, host):
    before = agent.other.count
    with agent.counts("denied"), agent.tunnel() as tunnel:
        tunnel.send(request(host, agent.other_port))
        assert tunnel.status() == "denied" and tunnel.is_ended()
    with agent.counts("denied"), agent.tunnel(PLAIN) as tunnel:
        tunnel.send(header(host, agent.other_port))
        assert tunnel.is_ended()
    assert agent.other.count == before


@pytest.mark.parametrize("host", MEANT_BY_NO_ENTRY)
def test_what_a_wide_entry_does_not_mean(agent, host):
    with agent.counts("denied"), agent.tunnel() as tunnel:
        tunnel.send(request(host, 80))
        assert tunnel.status() == "denied"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_agents_own_port_is_never_dialed(agent, host):
    with agent.counts("denied"), agent.tunnel() as tunnel:
        tunnel.send(request(host, agent.port))
        assert tunnel.status() == "denied"


def test_a_mapped_address_is_the_one_inside(agent):
    with agent.tunnel() as tunnel:
        tunnel.send(request("::ffff:127.0.0.1", agent.echo_port))
        assert tunnel.status() == "ok"


def test_denials_are_logged_and_counted_and_are_no_dials(tmp_path):
    """Fewer than ten in a row: of more the log only tells how many."""
    with Agent(tmp_path) as agent:
        number, client = agent.other_port, (("198.51.100.9", 5), ("198.51.100.1", 6))
        cases = (
            ("127.0.0.1", number, f"127.0.0.1:{number}"), ("localhost", number, f"localhost:{number}"),
            ("::ffff:127.0.0.1", number, f":{number}"), ("64:ff9b::7f00:1", number, f"[64:ff9b::7f00:1]:{number}"),
            ("0.0.0.0", 80, "0.0.0.0:80"), ("169.254.169.254", 80, "169.254.169.254:80"))
        for host, port, shown in cases:
            with agent.counts("denied"), agent.tunnel() as tunnel:
                tunnel.send(request(host, port, client=client))
                assert tunnel.status() == "denied"
            agent.await_line("WARNING destination denied", "client=198.51.100.9:5 client_name=client", shown)
        with agent.counts("denied"):
            assert check(agent, "127.0.0.1", number)["healthy"] is False
        agent.await_line("WARNING destination denied", f"destination=127.0.0.1:{number} through=/health")
        dials = [line for line in agent.page().splitlines()
                 if line.startswith("weir_dials_total{") and not line.endswith(" 0")]
        assert dials and all('upstream="pages"' in line for line in dials), dials
        assert agent.other.count == 0
        # Its own port is found out where it would be dialed.
        with agent.counts("denied"), agent.tunnel() as tunnel:
            tunnel.send(request("127.0.0.1", agent.port, client=client))
            assert tunnel.status() == "denied"
        agent.await_line("dial failed", "client=198.51.100.9:5", "reason=loop", "client_name=client")


def check(agent, host: str, port: int, scheme: str = "tcp") -> dict:
    return json.loads(agent.ask(f"/godoxy/agent/health?scheme={scheme}&host={host}&port={port}")[1])


@pytest.mark.parametrize("scheme", ["tcp", "http", "udp"])
def test_checks_are_judged_by_the_address_that_they_mean(agent, scheme):
    before = agent.other.count
    cases = [(host, agent.other_port) for host in ELSEWHERE] + [(host, 80) for host in MEANT_BY_NO_ENTRY] + [
        ("127.0.0.1", agent.port), ("localhost", agent.port), ("127.0.0.1", agent.exporter)]
    for host, port in cases:
        with agent.counts("denied"):
            found = check(agent, host, port, scheme)
            assert found["healthy"] is False and "not allow" in found["detail"], host
    assert agent.other.count == before


def test_checks_keep_to_the_list(agent):
    path = "/godoxy/agent/health?scheme=tcp&host=127.0.0.1&port="
    found = json.loads(agent.ask(f"{path}{agent.echo_port}")[1])
    assert found["healthy"] is True and found["latency"] > 0
    before = agent.other.count
    with agent.counts("denied"):
        found = json.loads(agent.ask(f"{path}{agent.other_port}")[1])
        assert found["healthy"] is False and "not allow" in found["detail"]
    assert agent.other.count == before
    with agent.counts("denied"):
        assert json.loads(agent.ask(f"{path}{agent.port}")[1])["healthy"] is False
    assert agent.ask("/godoxy/agent/health?scheme=tcp")[0] == 400


def test_checks_over_udp_tell_what_a_connected_socket_does(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        with Agent(tmp_path, allow=f", 'udp:127.0.0.1:{port}'") as agent:
            for scheme in ("udp", "udp4"):
                assert check(agent, "127.0.0.1", port, scheme)["healthy"] is True
            # An entry is for its own transport.
            for scheme, number in (("tcp", port), ("udp", agent.echo_port)):
                with agent.counts("denied"):
                    found = check(agent, "127.0.0.1", number, scheme)
                    assert found["healthy"] is False and "not allow" in found["detail"]
            server.close()
            found = check(agent, "127.0.0.1", port, "udp")
            assert found["healthy"] is False and "refused" in found["detail"].lower()


def test_nothing_is_left_of_all_that(agent):
    agent.assert_nothing_left()
