"""What a set of upstreams costs beside a single one: the same clients and the same server, over ten ports and over one."""

import loads
import processes
from proxies import HAProxy, Nginx, OwnListeners, Weir, WeirBefore
from report import duration
from tools import Failure

TITLE = "ten upstreams beside one"
# As in `metrics`: many short pairs, not few long ones.
PAIRS_PER_ROUND = 4
SHORTEST_RUN = 1
BAR = 1.02
LOADS = {"small requests": (), "new connections": ("Connection: close",)}


class Sets(OwnListeners):
    """A route with one upstream and one with ten, each the default of its project. `upstreams` are the ten ports."""

    def __init__(self, directory, upstreams, label=""):
        super().__init__(directory, upstreams, label)
        self.one, self.ten = processes.free_port(), processes.free_port()

    def sets(self):
        """Name, listening port and upstream ports of both."""
        return [("one", self.one, self.upstreams[:1]), ("ten", self.ten, self.upstreams)]

    def listening_ports(self):
        return (self.one, self.ten)


class NginxWithSets(Sets, Nginx):
    def configuration(self):
        text = ""
        for name, port, upstreams in self.sets():
            servers = " ".join(f"server 127.0.0.1:{upstream};" for upstream in upstreams)
            text += f"    upstream {name} {{ {servers} }}\n"
            text += f"    server {{ listen 127.0.0.1:{port} reuseport backlog=4096; proxy_pass {name}; }}\n"
        return super().configuration().removesuffix("}\n") + text + "}\n"


class HAProxyWithSets(Sets, HAProxy):
    def configuration(self):
        return self.head() + "".join(
            f"listen {name}\n    bind 127.0.0.1:{port} backlog 4096\n    balance roundrobin\n"
            + "".join(f"    server s{upstream} 127.0.0.1:{upstream}\n" for upstream in upstreams)
            for name, port, upstreams in self.sets()
        )


class WeirWithSets(Sets, Weir):
    def configuration(self):
        return self.head() + "".join(
            f"  {name}:\n    scheme: tcp4\n    bind: 127.0.0.1\n    port: {port}\n    upstreams:\n"
            + "".join(f'      - "127.0.0.1:{upstream}"\n' for upstream in upstreams)
            for name, port, upstreams in self.sets()
        )


class WeirBeforeWithSets(WeirWithSets, WeirBefore):
    """The other build."""


KINDS = {kind.key: kind for kind in (NginxWithSets, HAProxyWithSets, WeirBeforeWithSets, WeirWithSets)}


def measure(keys, directory, backends, rounds, seconds, report, is_over):
    """One ratio per pair of short runs right after each other; their order alternates."""
    seconds = max(SHORTEST_RUN, seconds // PAIRS_PER_ROUND)
    backends.http()
    running = []
    try:
        for key in keys:
            if key in KINDS:
                running.append(KINDS[key](directory, backends.members, "-sets"))
                running[-1].start()
        for name, headers in LOADS.items():
            cost = report.line(TITLE, f"proxy CPU per operation over ten, {name}", duration)
            ratio = report.line(TITLE, f"ten ÷ one, {name} (Weir's bar: {BAR})", _ratio, better=None)
            for number in range(-1, rounds * PAIRS_PER_ROUND):
                for proxy in running:
                    if is_over():
                        report.fail(TITLE, proxy.key, f"no time left for {name}")
                        return
                    _pair(proxy, number, headers, seconds, cost, ratio, report)
    finally:
        for proxy in running:
            proxy.stop()


def _pair(proxy, number, headers, seconds, cost, ratio, report):
    order = ("one", "ten") if number % 2 == 0 else ("ten", "one")
    try:
        found = {}
        for name in order:
            port = getattr(proxy, name)
            _, found[name] = proxy.measured(lambda: loads.requests(port, "/small", seconds, headers))
    except (Failure, OSError) as failure:
        report.fail(TITLE, proxy.key, failure)
        return
    # The first pair finds cold memory.
    if number >= 0:
        cost.add(proxy.key, found["ten"])
        ratio.add(proxy.key, found["ten"] / found["one"])


def _ratio(value):
    return f"{value:.3f}"
