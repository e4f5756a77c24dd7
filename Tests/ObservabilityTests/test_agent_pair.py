"""Weir at both ends of tunnels: each fault has its reason at the proxy and at the agent, leaves nothing behind, and
does not disturb other routes.
"""

import signal
import socket
import ssl
import threading
from contextlib import closing
from pathlib import Path

import pytest

# The fixtures are named by the arguments of tests.
from agent_pair import Proxy, authority, client, make_agent, server, stack  # noqa: F401
from agents import Authority
from encryption import Authority as OtherAuthority
from encryption import Echo, exchange
from support import free_port, free_ports, run, wait_until

# How long the certificate of an agent is good that ends during a test: longer than both ends take to start.
BRIEF_SECONDS = 15


def fingerprint(certificate: Path) -> str:
    made = run("openssl", "x509", "-in", str(certificate), "-noout", "-fingerprint", "-sha256")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip().split("=")[1].replace(":", "").lower()


def test_each_fault_has_its_reason_at_both_ends(stack, authority, server, client, tmp_path):
    echo = stack.enter_context(Echo())
    stranger = Authority(tmp_path, "stranger")
    late = authority.sign("late", "clientAuth", days=-1)
    revoked = authority.sign("revoked", "clientAuth")
    port, unused, forbidden = (number + free for free in [free_ports(3)] for number in range(3))
    pins = ", ".join(fingerprint(certificate) for certificate, _ in (client, late))
    limits = ", limits: { max_connections_per_certificate: 2 }"
    agent = make_agent(
        stack, tmp_path, port, authority, server, [echo.port, unused], f", clients: [{pins}]{limits}")
    address, ca = f"127.0.0.1:{port}", authority.certificate
    agents = {
        "good": (address, ca, client),
        "stranger": (address, ca, stranger.sign("stranger", "clientAuth")),
        "late": (address, ca, late),
        "revoked": (address, ca, revoked),
        "distrust": (address, stranger.certificate, client),
    }
    routes = {name: (name, echo.port, "") for name in agents}
    routes |= {"unused": ("good", unused, ""), "forbidden": ("good", forbidden, ""), "near": ("", echo.port, "")}
    proxy = Proxy(stack, tmp_path, agents, routes)
    baselines = [(end, end.descriptors()) for end in (proxy, agent)]
    with closing(proxy.connect("near")) as near, closing(proxy.connect("good")) as far:
        for peer in (near, far):
            assert exchange(peer, b"before") == b"before"
        # The route, the proxy's reason, and the agent's, which sees a handshake that fails or gets an alert.
        for route, reason, failure in (
                ("stranger", "rejected", "unknown_ca"), ("late", "rejected", "expired"),
                ("revoked", "rejected", "unknown_ca"), ("distrust", "unknown_ca", "alert")):
            def both() -> tuple[float, float]:
                return (proxy.total("weir_agent_handshake_failures_total", agent=route, reason=reason),
                        agent.total("weir_tls_handshake_failures_total", route="edge", reason=failure))

            before = both()
            proxy.fails(route)
            wait_until(f"{route} is counted at both ends", both,
                       accept=lambda now: now == (before[0] + 1, before[1] + 1))
            assert proxy.total("weir_dial_failures_total", route=route, reason="agent") == 1

        # What the agent says in its status.
        for route, reason, result in (("unused", "refused", "dial_failed"), ("forbidden", "agent_denied", "denied")):
            proxy.fails(route)
            proxy.await_counted(1, "weir_dial_failures_total", route=route, reason=reason)
            agent.await_counted(1, "weir_tunnel_requests_total", result=result)
        agent.await_counted(1, "weir_dial_failures_total", reason="refused")
        with closing(proxy.connect("good")) as second:
            assert exchange(second, b"y") == b"y"
            proxy.fails("good")
            proxy.await_counted(1, "weir_agent_handshake_failures_total", agent="good", reason="limit")
            agent.await_counted(1, "weir_tunnel_requests_total", result="limit")

        for peer in (near, far):
            assert exchange(peer, b"behind") == b"behind"
    for end, descriptors in baselines:
        end.settles(descriptors)
    assert proxy.total("weir_agent_tunnels_active") == 0


@pytest.mark.long
def test_an_agent_whose_certificate_ends_while_it_runs(stack, authority, client, tmp_path):
    echo, port = stack.enter_context(Echo()), free_port()
    brief = OtherAuthority(tmp_path, "brief")
    pair = brief.sign_for(BRIEF_SECONDS, "godoxy.agent")
    agent = make_agent(stack, tmp_path, port, authority, (pair.certificate, pair.key), [echo.port])
    proxy = Proxy(stack, tmp_path, {"edge": (f"127.0.0.1:{port}", brief.certificate, client)},
                  {"far": ("edge", echo.port, "")})
    with closing(proxy.connect("far")) as first:
        assert exchange(first, b"x") == b"x"

        def expired() -> float:
            try:
                with closing(proxy.connect("far")) as late:
                    exchange(late, b"x")
            except ConnectionResetError:
                pass
            return proxy.total("weir_agent_handshake_failures_total", agent="edge", reason="expired")

        wait_until("the agent's certificate has ended", expired, 60)
        agent.await_counted(1, "weir_tls_handshake_failures_total", route="edge", reason="alert")
        assert exchange(first, b"an open tunnel goes on") == b"an open tunnel goes on"


def test_an_agent_that_hangs_dies_and_comes_back(stack, authority, server, client, tmp_path):
    echo, port = stack.enter_context(Echo()), free_port()
    agent = make_agent(stack, tmp_path, port, authority, server, [echo.port])
    proxy = Proxy(stack, tmp_path, {"edge": (f"127.0.0.1:{port}", authority.certificate, client)},
                  {"far": ("edge", echo.port, ""), "near": ("", echo.port, "")})
    baseline = proxy.descriptors()
    with closing(proxy.connect("near")) as near:
        with closing(proxy.connect("far")) as far:
            assert exchange(far, b"x") == b"x"
            agent.process.signal(signal.SIGSTOP)
            # The kernel still accepts for it.
            proxy.fails("far")
            proxy.await_counted(1, "weir_agent_handshake_failures_total", agent="edge", reason="timeout")
            agent.process.signal(signal.SIGCONT)
            assert exchange(far, b"y") == b"y"
            agent.process.signal(signal.SIGKILL)
            with pytest.raises(ConnectionResetError):
                far.recv(1)
        agent.process.process.wait()
        proxy.fails("far")
        proxy.await_counted(1, "weir_agent_handshake_failures_total", agent="edge", reason="refused")
        assert proxy.total("weir_tcp_connections_closed_total", route="far", reason="upstream_reset") == 1
        agent.start()
        with closing(proxy.connect("far")) as far:
            assert exchange(far, b"again") == b"again"
        assert exchange(near, b"all along") == b"all along"
    proxy.settles(baseline)


def test_tls_travels_through_a_tunnel_from_end_to_end(stack, authority, server, client, tmp_path):
    """A route without TLS of its own, chosen by the name in the client's hello."""
    made = authority.sign("site", "serverAuth", host="site.weir.test")
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(*made)
    site = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port, target = free_port(), site.getsockname()[1]
    make_agent(stack, tmp_path, port, authority, server, [target])
    proxy = Proxy(stack, tmp_path, {"edge": (f"127.0.0.1:{port}", authority.certificate, client)},
                  {"site": ("edge", target, ", sni: site.weir.test")})
    own = ssl.create_default_context(cafile=str(authority.certificate))

    def serve():
        connection, _ = site.accept()
        with settings.wrap_socket(connection, server_side=True) as peer:
            peer.sendall(peer.recv(100)[::-1])
            peer.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    with own.wrap_socket(proxy.connect("site"), server_hostname="site.weir.test") as peer:
        peer.sendall(b"question")
        assert peer.recv(100) == b"noitseuq"
    assert proxy.total("weir_tls_hellos_total", result="name") == 1


def test_an_agent_whose_name_gets_another_address(stack, authority, server, client, tmp_path):
    """With a hosts file of the proxy's own, for which root is needed."""
    echo, port, hosts = stack.enter_context(Echo()), free_port(), tmp_path / "hosts"
    old, new = (make_agent(stack, tmp_path, port, authority, server, [echo.port], name=name, host=host)
                for name, host in (("old", "127.0.0.2"), ("new", "127.0.0.3")))
    hosts.write_text("127.0.0.2 edge.weir.test\n")
    mount = f'mount --bind {hosts} /etc/hosts && exec "$0" "$@"'
    proxy = Proxy(stack, tmp_path, {"edge": (f"edge.weir.test:{port}", authority.certificate, client)},
                  {"far": ("edge", echo.port, "")}, "unshare", "--mount", "sh", "-c", mount)
    with closing(proxy.connect("far")) as first:
        assert exchange(first, b"x") == b"x"
        hosts.write_text("127.0.0.3 edge.weir.test\n")
        old.process.signal(signal.SIGKILL)
        old.process.process.wait()
        with pytest.raises(ConnectionResetError):
            first.recv(1)

        def moved() -> bool:
            try:
                with closing(proxy.connect("far")) as client:
                    return exchange(client, b"y") == b"y"
            except ConnectionResetError:
                return False

        # A failed dial looks the name up again.
        wait_until("tunnels go to the new address", moved)
    assert new.total("weir_tunnel_requests_total", result="ok") == 1
    failures = proxy.total("weir_agent_handshake_failures_total", reason="refused")
    # The dials of the old address, and no other.
    assert proxy.total("weir_agent_handshake_failures_total") == failures > 0
