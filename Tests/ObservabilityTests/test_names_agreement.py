"""Weir, nginx and HAProxy choose by the same hellos, those of Fuzz/Corpus/ClientHello, and agree but for the
differences that are listed here. Each has the configuration that its documentation shows, with an upstream that takes
the rest.
"""

import asyncio
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from peers import HAProxy, Nginx, WeirByName
from support import REPOSITORY, free_port

pytestmark = pytest.mark.long

HELLOS = {file.name: file.read_bytes() for file in sorted((REPOSITORY / "Fuzz/Corpus/ClientHello").iterdir())}
NAME, PARENT = "www.example.net", "example.net"
PATIENCE_SECONDS = 300
REFUSED = "refused"


@dataclass(frozen=True)
class Difference:
    """Hellos that the three do not treat alike, and the outcome at each: the upstream's word, or `refused`."""

    reason: str
    weir: str
    nginx: str
    haproxy: str
    hellos: str

    @property
    def outcomes(self) -> tuple[str, str, str]:
        return self.weir, self.nginx, self.haproxy


# Weir resets a client whose hello violates the protocol: the upstream could read another name in it, and what is wrong
# goes to no upstream by accident. The others take a hello that they cannot read as one without a name.
DIFFERENCES = [
    Difference(
        "No server name: the others compare bytes, and a map or an ACL does not have these.", REFUSED, "rest", "rest",
        "nul-in-name space-in-name ipv4-name short-ipv4-name ipv6-name empty-label only-a-dot empty-name "
        "name-of-254-bytes label-of-64-bytes name-not-ascii"),
    Difference(
        "No server name, and the wildcards of the others take any bytes before the domain.", REFUSED, "below", "below",
        "dot-at-beginning wildcard-name"),
    Difference(
        "Two names: the others take the first one.", REFUSED, "below", "below", "two-names"),
    Difference(
        "A list of names without one host name and nothing else.", REFUSED, "rest", "rest",
        "name-of-another-type name-behind-another-type empty-name-extension empty-name-list name-one-too-long "
        "name-one-too-short"),
    Difference(
        "A list of protocols that is empty, has an empty one, or one beyond its end.", REFUSED, "rest", "rest",
        "no-protocols empty-protocol protocol-beyond-the-end"),
    Difference(
        "Lengths that contradict each other before the name.", REFUSED, "rest", "rest",
        "extension-beyond-the-end extensions-one-too-long extensions-one-too-short too-short-a-hello"),
    Difference(
        "Lengths that contradict each other behind the name, which is where HAProxy stops.", REFUSED, "rest", "exact",
        "byte-behind-extensions half-an-extension list-one-too-long list-one-too-short"),
    Difference(
        "The name twice: HAProxy takes the first one, and nginx fails to read the second.", REFUSED, "rest", "exact",
        "two-name-extensions"),
    Difference(
        "An extension twice, or an odd length of cipher suites: the others do not look at either.", REFUSED, "exact",
        "exact", "two-unknown-extensions odd-suites"),
    Difference(
        "Parts that TLS does not allow: nginx steps over them, HAProxy knows their bounds.", REFUSED, "exact", "rest",
        "session-of-33-bytes no-suites no-compression version-2"),
    Difference(
        "No hello, or something else between its records.", REFUSED, "rest", "rest",
        "server-hello alert-between other-version-between"),
    Difference(
        "A record without bytes: nginx steps over it, and HAProxy looks into the first record only.", REFUSED, "exact",
        "rest", "empty-fragment empty-first-fragment"),
    Difference(
        "A record of 2 bytes: nginx waits for more records, and HAProxy for 9 bytes.", REFUSED, REFUSED, "rest",
        "alert-first-byte"),
    Difference(
        "A record longer than any may be: nginx waits for its end, HAProxy only for that of the hello in it.", REFUSED,
        REFUSED, "exact", "record-of-16385-bytes"),
    Difference(
        "More than 16 KiB are stated: nginx finds the lengths contradictory, HAProxy waits for all of it.", REFUSED,
        "rest", "rest", "16-mib-stated"),
    Difference(
        "More than 16 KiB are there: HAProxy's buffer is full, and it judges without a name.", REFUSED, REFUSED,
        "rest", "16-kib-and-a-byte 17-kib too-long-by-its-records"),
    Difference(
        "HAProxy leaves 1 KiB of its buffer of 16 KiB free for changes.", "exact", "exact", "rest", "16-kib"),
    Difference(
        "HAProxy looks for the head of the hello in the first record only.", "exact", "exact", "rest",
        "head-in-three-records records-of-one-byte"),
]
DIFFERENCES_BY_NAME = [
    Difference(
        "A name with a dot at its end, which RFC 6066 forbids: nginx removes it in a map of host names.", REFUSED,
        "exact", "rest", "dot-at-end"),
    Difference(
        "The header of a record inside the name is a part of it for HAProxy.", "exact", "exact", "rest",
        "record-ends-in-name"),
]
DIFFERENCES_BY_PROTOCOL = [
    Difference(
        "A name with a dot at its end, which RFC 6066 forbids.", REFUSED, "rest", "rest", "dot-at-end"),
    Difference(
        "The header of a record inside the name is a part of it for HAProxy.", "h2", "h2", "rest",
        "record-ends-in-name"),
    Difference(
        "The client's first choice counts for Weir, and the first rule for the others.", "h2", "imap", "imap",
        "h2-before-imap"),
    Difference(
        "A comma in the name of a protocol: in nginx's list it looks like the end of one.", "exact", "imap", "exact",
        "comma-in-protocol"),
]
# The hellos of which a proxy waits for more. Their clients end at once, where others end behind the upstream's word.
WAITING = {
    "Weir": set(),
    "nginx": {"alert-first-byte", "record-of-16385-bytes"},
    "HAProxy": {"16-mib-stated", "alert-first-byte", "first-byte-alone-like-tls"},
}


class Upstreams:
    """Servers that each have a word. A server sends its word at once, and once the client ended, all it read."""

    def __init__(self, *words: str):
        self.ports = {word: free_port() for word in words}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(30)

    async def _listen(self):
        for word, port in self.ports.items():
            def serve(reader, writer, word=word):
                return self._serve(reader, writer, word)
            await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)

    @staticmethod
    async def _serve(reader, writer, word: str):
        try:
            writer.write(word.encode() + b"\n")
            writer.write(await reader.read())
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def pieces(data: bytes, count: int) -> list[bytes]:
    """At most `count` pieces of the same length. The first byte, which says whether it is TLS, comes alone."""
    if count == 1:
        return [data]
    size = max(1, -(-(len(data) - 1) // (count - 1)))
    return [data[:1], *(data[start:start + size] for start in range(1, len(data), size))]


async def choice(port: int, data: bytes, count: int, waits: bool) -> str:
    """The word of the upstream that got the hello, and nothing but it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces(data, count):
            writer.write(piece)
            await writer.drain()
            # The other clients send a piece each before the next one of this client.
            await asyncio.sleep(0)
        if waits:
            writer.write_eof()
        word = await reader.readline()
        if not word:
            return REFUSED
        if not waits:
            writer.write_eof()
        received = await reader.read()
        return word.decode().strip() if received == data else f"{word.decode().strip()} got other bytes"
    except ConnectionError:
        return REFUSED
    finally:
        writer.close()


async def choices(port: int, count: int, waiting: set[str]) -> dict[str, str]:
    """The upstreams of all hellos, which are sent at the same time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        found = await asyncio.gather(*(choice(port, data, count, name in waiting) for name, data in HELLOS.items()))
    return dict(zip(HELLOS, found, strict=True))




class NginxByName(Nginx):
    """The protocols of a hello are one text, parted by commas."""

    def __init__(self, folder: Path, servers: dict[str, int], has_protocols: bool):
        self.has_protocols = has_protocols
        super().__init__(folder, servers)

    def configuration(self) -> str:
        name, parent = NAME.replace(".", r"\."), PARENT.replace(".", r"\.")
        if self.has_protocols:
            source = '"$ssl_preread_server_name $ssl_preread_alpn_protocols"'
            claims = {
                rf'"~*^{name} ([^ ]*,)?imap(,|$)"': "imap", rf'"~*^{name} ([^ ]*,)?h2(,|$)"': "h2",
                rf'"~*^{name} "': "exact", rf'"~*^[^ ]*\.{parent} "': "below", '"~* ([^ ]*,)?imap(,|$)"': "protocol"}
        else:
            source = "$ssl_preread_server_name"
            claims = {f"hostnames; {NAME}": "exact", f"*.{PARENT}": "below"}
        choices = "".join(f"{claim} {self.servers[word]}; " for claim, word in claims.items())
        return super().configuration().split("stream {")[0] + (
            f"stream {{ preread_timeout 600s; proxy_half_close on; map {source} $chosen {{ {choices}"
            f"default {self.servers['rest']}; }}\n"
            f"server {{ listen 127.0.0.1:{self.port}; ssl_preread on; proxy_pass 127.0.0.1:$chosen; }} }}\n")


class HAProxyByName(HAProxy):
    """Each protocol of a hello is compared, and the first rule counts that one of them matches."""

    def __init__(self, folder: Path, servers: dict[str, int], has_protocols: bool):
        self.has_protocols = has_protocols
        super().__init__(folder, servers)

    def configuration(self) -> str:
        named, below = f"{{ req.ssl_sni -i {NAME} }}", f"{{ req.ssl_sni -i -m end .{PARENT} }}"
        claims = {"exact": named, "below": below}
        if self.has_protocols:
            claims = {word: f"{named} {{ req.ssl_alpn {word} }}" for word in ("imap", "h2")} | claims | {
                "protocol": "{ req.ssl_alpn imap }"}
        return super().configuration().split("listen set")[0] + (
            f"frontend names\n    bind 127.0.0.1:{self.port}\n    tcp-request inspect-delay 600s\n"
            "    tcp-request content accept if { req.ssl_hello_type 1 }\n"
            + "".join(f"    use_backend {word} if {claim}\n" for word, claim in claims.items())
            + "    default_backend rest\n"
            + "".join(f"backend {word}\n    server s 127.0.0.1:{port}\n" for word, port in self.servers.items()))


@dataclass(frozen=True)
class Variant:
    """Claims to names, and to protocols where `has_protocols`."""

    claims: dict[str, str]
    differences: list[Difference]
    has_protocols: bool = False


CLAIMS = {"exact": f", sni: {NAME}", "below": f", sni: '*.{PARENT}'", "rest": ""}
VARIANTS = {
    "by name": Variant(CLAIMS, DIFFERENCES + DIFFERENCES_BY_NAME),
    "by name and protocol": Variant(
        CLAIMS | {"imap": f", sni: {NAME}, alpn: imap", "h2": f", sni: {NAME}, alpn: h2", "protocol": ", alpn: imap"},
        DIFFERENCES + DIFFERENCES_BY_PROTOCOL, has_protocols=True),
}


@pytest.fixture(scope="module", params=VARIANTS)
def setting(request, tmp_path_factory):
    """A variant, and the three proxies in front of the same upstreams."""
    variant, folder = VARIANTS[request.param], tmp_path_factory.mktemp("agreement")
    upstreams = Upstreams(*variant.claims)
    try:
        with ExitStack() as stack:
            routes = {word: (upstreams.ports[word], claim) for word, claim in variant.claims.items()}
            yield variant, [
                stack.enter_context(WeirByName(folder, routes)),
                stack.enter_context(NginxByName(folder, upstreams.ports, variant.has_protocols)),
                stack.enter_context(HAProxyByName(folder, upstreams.ports, variant.has_protocols))]
    finally:
        upstreams.stop()


@pytest.mark.parametrize("count", [1, 2, 40], ids=["whole", "in two pieces", "in forty pieces"])
def test_all_choose_the_same_upstream_but_for_the_listed_differences(setting, count):
    variant, proxies = setting
    found = [asyncio.run(choices(proxy.port, count, WAITING[proxy.name])) for proxy in proxies]
    outcomes = {hello: tuple(one[hello] for one in found) for hello in HELLOS}
    different = {hello: outcome for hello, outcome in outcomes.items() if len(set(outcome)) > 1}
    listed = {hello: item.outcomes for item in variant.differences for hello in item.hellos.split()}
    assert different == listed
    # Each upstream got clients by all three.
    assert {outcome[0] for outcome in outcomes.values() if len(set(outcome)) == 1} >= set(variant.claims)


def test_weir_counts_the_hellos_as_it_treats_them(setting):
    """Of all clients of the tests above, and without the other proxies."""
    variant, (weir, *_) = setting
    before = weir.page()
    found = asyncio.run(choices(weir.port, 1, set()))
    page = weir.page()

    def grown(name: str, **labels: str) -> float:
        return page.total(name, **labels) - before.total(name, **labels)

    refused = sum(outcome == REFUSED for outcome in found.values())
    results = {result: grown("weir_tls_hellos_total", result=result) for result in (
        "name", "default", "not_tls", "no_match", "malformed", "too_long", "timeout", "closed")}
    assert sum(results.values()) == len(HELLOS) == grown("weir_listener_connections_accepted_total")
    assert results["malformed"] + results["too_long"] == refused > 0
    assert results["default"] + results["not_tls"] == sum(outcome == "rest" for outcome in found.values())
    assert results["name"] == sum(outcome not in (REFUSED, "rest") for outcome in found.values())
