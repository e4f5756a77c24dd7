"""What a running Weir exposes, in its three formats, read by parsers that are not ours and by a real Prometheus, and compared
sample by sample: with each other, and with what was done to it."""

import json
import math
import socket
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import foreign_reader
from foreign_reader import READERS, families, key, native_buckets
from support import Process, free_port, http, query, tool, wait_until, weir
from world import EchoServer, echo_datagrams

ACCEPT = {
    "text": "text/plain;version=0.0.4",
    "openmetrics": "application/openmetrics-text;version=1.0.0",
    "protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
}
CONTENT_TYPE = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    "protobuf": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
}
SIZES = [1, 1_000, 70_000, 3, 250_000]
DATAGRAMS = [10, 500, 1_200]
# Measures of the process itself, which move by being looked at or by time passing.
RESTLESS = ("process_", "weir_exporter_", "weir_event_loop_")


class Relay:
    """Hands a scrape on with an Accept header of its own, because Prometheus cannot be told what to ask for."""

    def __init__(self, target: int, accept: str | None):
        self.asked, self.answered = [], []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                relay.asked.append(self.headers["Accept"])
                request = urllib.request.Request(f"http://127.0.0.1:{target}{self.path}")
                request.add_header("Accept", accept or self.headers["Accept"])
                with urllib.request.urlopen(request, timeout=30) as response:
                    kind, page = response.headers["Content-Type"], response.read()
                relay.answered.append(kind)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Subject:
    """A Weir with a known past."""

    def __init__(self, folder: Path, native: bool):
        self.native = native
        self.exporter, self.tcp, self.dead, self.udp = (free_port() for _ in range(4))
        self.upstream, datagrams, closed = EchoServer(), free_port(), free_port()
        echo_datagrams(datagrams)
        fields = "bind: 127.0.0.1, host: 127.0.0.1"
        configuration = folder / "weir.yml"
        configuration.write_text(
            f"exporter: {{ listen: '127.0.0.1:{self.exporter}', native_histograms: {str(native).lower()} }}\n"
            f"log: {{ level: error }}\nroutes:\n"
            f"  echo: {{ scheme: tcp4, {fields}, port: '{self.tcp}:{self.upstream.port}' }}\n"
            f"  dead: {{ scheme: tcp4, {fields}, port: '{self.dead}:{closed}' }}\n"
            f"  game: {{ scheme: udp4, {fields}, port: '{self.udp}:{datagrams}' }}\n")
        self.process = Process(folder, weir(), "run", "--config", str(configuration))
        wait_until("weir is ready", lambda: http(f"http://127.0.0.1:{self.exporter}/readyz")[0] == 200, 60)
        self._use()

    def _use(self):
        for size in SIZES:
            with socket.create_connection(("127.0.0.1", self.tcp), timeout=30) as client:
                threading.Thread(target=client.sendall, args=(bytes(size),)).start()
                received = 0
                while received < size:
                    received += len(client.recv(65_536))
        for _ in range(3):
            try:
                with socket.create_connection(("127.0.0.1", self.dead), timeout=30) as client:
                    assert client.recv(1) == b""
            except ConnectionResetError:
                pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(30)
            client.connect(("127.0.0.1", self.udp))
            for size in DATAGRAMS:
                client.send(bytes(size))
                assert len(client.recv(2_000)) == size
        # A datagram is counted behind the call that sends it: a client may have it before.
        final = {key("weir_tcp_connections_active", {"route": route}): 0 for route in ("echo", "dead")}
        replies = {"route": "game", "direction": "egress"}
        final[key("weir_udp_datagrams_total", replies)] = len(DATAGRAMS)
        wait_until("all is counted and no connection is open",
                   lambda: final.items() <= self.read("text").items())

    def page(self, name: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.exporter}/metrics", headers={"Accept": ACCEPT[name]})
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.headers["Content-Type"] == CONTENT_TYPE[name]
            assert response.headers["Vary"] == "Accept, Accept-Encoding"
            return response.read()

    def read(self, name: str) -> dict:
        return READERS[name](self.page(name))


@pytest.fixture(scope="module", params=[False, True], ids=["classic", "native"])
def subject(request, tmp_path_factory):
    subject = Subject(tmp_path_factory.mktemp("formats"), request.param)
    with subject.process:
        yield subject


def restless(name: str) -> bool:
    return name.startswith(RESTLESS)


def steady(samples: dict) -> dict:
    return {sample: value for sample, value in samples.items() if not restless(sample[0])}


def total(samples: dict, name: str, **labels) -> float:
    found = [value for (sample, own), value in samples.items() if sample == name and labels.items() <= dict(own).items()]
    assert found, name
    return sum(found)


@pytest.mark.parametrize("name", READERS)
def test_a_foreign_parser_sees_what_was_done(subject, name):
    samples = subject.read(name)
    assert total(samples, "weir_tcp_connections_accepted_total", route="echo") == len(SIZES)
    assert total(samples, "weir_tcp_connections_closed_total", route="echo") == len(SIZES)
    assert total(samples, "weir_tcp_connections_accepted_total", route="dead") == 3
    assert total(samples, "weir_dial_failures_total", route="dead", reason="refused") == 3
    for direction in ("ingress", "egress"):
        assert total(samples, "weir_bytes_total", route="echo", direction=direction) == sum(SIZES)
        assert total(samples, "weir_bytes_total", route="game", direction=direction) == sum(DATAGRAMS)
        assert total(samples, "weir_udp_datagrams_total", route="game", direction=direction) == len(DATAGRAMS)
    assert total(samples, "weir_udp_sessions_active", route="game") == 1
    assert samples[key("weir_tcp_connection_duration_seconds_count", {"route": "echo"})] == len(SIZES)
    everything = key("weir_tcp_connection_duration_seconds_bucket", {"route": "echo", "le": math.inf})
    assert samples[everything] == len(SIZES)


def test_the_formats_agree_sample_by_sample(subject):
    before = subject.read("text")
    read = {name: subject.read(name) for name in READERS}
    after = subject.read("text")
    assert len(steady(before)) > 200
    for name, samples in read.items():
        assert samples.keys() == before.keys(), name
        assert steady(samples) == steady(before), name
        # Some values change between one reading and the next.
        for (family, labels), value in samples.items():
            if family.endswith(("_total", "_count", "_sum", "_bucket")):
                assert before[family, labels] <= value <= after[family, labels], (name, family, labels)


def test_metadata_agree(subject):
    announced = {}
    for family in foreign_reader.parser.text_string_to_metric_families(subject.page("text").decode()):
        announced[family.name] = (family.type, family.documentation)
    from_openmetrics = {}
    units = {}
    page = subject.page("openmetrics").decode()
    for family in foreign_reader.openmetrics.parser.text_string_to_metric_families(page):
        from_openmetrics[family.name] = (family.type, family.documentation)
        units[family.name] = family.unit
    from_protobuf = {}
    for family in families(subject.page("protobuf")):
        kind = foreign_reader.TYPES[family.type]
        # The parsers of text call a counter's family by its name without the suffix.
        name = family.name.removesuffix("_total") if kind == "counter" else family.name
        from_protobuf[name] = (kind, family.help)
        assert family.unit == units[name]
    assert announced == from_openmetrics == from_protobuf


def test_counters_and_histograms_tell_when_they_began_and_only_in_protobuf(subject):
    start = READERS["text"](subject.page("text"))[key("process_start_time_seconds", {})]
    told = 0
    for family in families(subject.page("protobuf")):
        kind = foreign_reader.TYPES[family.type]
        for metric in family.metric if kind != "gauge" else ():
            began = getattr(metric, kind).created_timestamp
            # The start of the process is counted in ticks since the boot.
            assert start - 2 <= began.seconds + began.nanos / 1e9 <= time.time() + 1, family.name
            told += 1
    assert told > 50
    # Prometheus stores these as series of their own unless a feature flag is set.
    for name in ("text", "openmetrics"):
        assert "_created" not in subject.page(name).decode()


def test_native_buckets_hold_what_the_classic_ones_hold(subject):
    for family in families(subject.page("protobuf")):
        for metric in family.metric if family.type == 4 else ():
            histogram = metric.histogram
            assert histogram.HasField("schema") == subject.native
            if not subject.native:
                assert not histogram.positive_span and not histogram.positive_delta
                continue
            buckets = native_buckets(histogram)
            assert histogram.schema == 3 and histogram.zero_threshold == 2 ** -20
            assert sum(buckets.values()) == histogram.sample_count
            bounds = {number: 2 ** (number / 8) if number is not None else 2 ** -20 for number in buckets}
            for bucket in histogram.bucket:
                # A native bucket that a classic bound cuts may count on either side of it.
                surely = sum(n for number, n in buckets.items() if bounds[number] <= bucket.upper_bound)
                perhaps = sum(n for number, n in buckets.items() if bounds[number] < bucket.upper_bound * 2 ** (1 / 8))
                assert surely <= bucket.cumulative_count <= perhaps


@pytest.fixture(scope="module")
def prometheus(subject, tmp_path_factory):
    """A Prometheus that scrapes the same Weir four times: once for each format, and once with its own choice."""
    folder = tmp_path_factory.mktemp("prometheus")
    relays = {name: Relay(subject.exporter, accept) for name, accept in ACCEPT.items()} | {
        "own": Relay(subject.exporter, None)}
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{relay.port}"]}]} for name, relay in relays.items()]
    (folder / "prometheus.yml").write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
    address = f"127.0.0.1:{free_port()}"
    process = Process(
        folder, tool("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}", "--log.level=warn", "--enable-feature=native-histograms")
    with process:
        url = f"http://{address}"
        wait_until("Prometheus is ready", lambda: http(f"{url}/-/ready")[0] == 200, 60)
        wait_until("all have been scraped", lambda: len(query(url, "up == 1")) == len(relays), 60)
        yield url, relays
    for relay in relays.values():
        relay.stop()


def stored(url: str, job: str) -> tuple[dict, dict]:
    """Samples of a job as they stand in Prometheus, and its native histograms."""
    samples, histograms = {}, {}
    for series in query(url, f'{{job="{job}", __name__=~"weir_.*|process_.*"}}'):
        labels = {label: value for label, value in series["metric"].items() if label not in ("job", "instance")}
        name = labels.pop("__name__")
        if "histogram" in series:
            histograms[key(name, labels)] = series["histogram"][1]
            continue
        if name.endswith("_bucket"):
            labels["le"] = float(labels["le"])
        samples[key(name, labels)] = float(series["value"][1])
    return samples, histograms


@pytest.mark.parametrize("job", [*ACCEPT, "own"])
def test_prometheus_stores_what_the_page_says(subject, prometheus, job):
    url, relays = prometheus
    samples, histograms = stored(url, job)
    page = subject.read("text")
    assert set(relays[job].answered) == {CONTENT_TYPE["protobuf" if job == "own" else job]}
    expected = steady(page)
    if subject.native and job in ("protobuf", "own"):
        # Native histograms are kept as such, and Prometheus 2.42 drops the classic buckets beside them.
        suffixes = ("_bucket", "_sum", "_count")
        counts = {(n.removesuffix("_count"), l): v for (n, l), v in page.items() if n.endswith("_seconds_count")}
        sums = {(n.removesuffix("_sum"), l): v for (n, l), v in page.items() if n.endswith("_seconds_sum")}
        expected = {(n, l): v for (n, l), v in expected.items() if not n.endswith(suffixes)}
        assert histograms.keys() == counts.keys() == sums.keys()
        for series, histogram in histograms.items():
            if not restless(series[0]):
                assert float(histogram["count"]) == counts[series] and float(histogram["sum"]) == sums[series]
    else:
        assert not histograms
    # Two texts of one bound would be two series, and the number of series would tell.
    assert steady(samples) == expected


def test_prometheus_asks_for_protobuf_first_where_it_takes_native_histograms(subject, prometheus):
    asked = set(prometheus[1]["own"].asked)
    assert len(asked) == 1
    assert asked.pop().startswith("application/vnd.google.protobuf;")


def test_prometheus_sees_the_same_native_buckets(subject, prometheus):
    if not subject.native:
        assert stored(prometheus[0], "own")[1] == {}
        return
    histograms = stored(prometheus[0], "own")[1]
    compared = 0
    for family in families(subject.page("protobuf")):
        for metric in family.metric if family.type == 4 and not restless(family.name) else ():
            ours = native_buckets(metric.histogram)
            theirs = histograms[key(family.name, {pair.name: pair.value for pair in metric.label})].get("buckets", [])
            found = {}
            for _, lower, upper, count in theirs:
                number = None if float(lower) <= 0 else round(math.log2(float(upper)) * 8)
                found[number] = int(count)
            assert found == ours
            compared += bool(ours)
    assert compared >= 3
