"""`weir schema`: what an editor takes and marks, beside what `weir check` says of the same text."""

import json
import re

import jsonschema
import pytest
import yaml

from pages import ROUTES, configurations
from support import REPOSITORY, run, weir


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: `off` is text, and `2222:22` is no number in base 60."""


CoreLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:merge"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
for tag, pattern, first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"), ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"), ("float", r"[-+]?[0-9]+\.[0-9]*", "-+0123456789"),
]:
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), list(first))
CoreLoader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10))


@pytest.fixture(scope="module")
def validator():
    printed = run(weir(), "schema")
    assert printed.returncode == 0, printed.stderr
    schema = json.loads(printed.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def mistakes(validator, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(yaml.load(text, CoreLoader))]


def is_taken(tmp_path, text: str) -> bool:
    """The verdict of the program itself."""
    file = tmp_path / "weir.yml"
    file.write_text(text)
    return run(weir(), "check", str(file), env={"PATH": "/usr/bin:/bin", "PORT": "53", "TIME": "5s"}).returncode == 0


@pytest.mark.parametrize("path", ["Examples/weir.yml", "Examples/compose/weir.yml", "packaging/weir.yml"])
def test_every_example_is_taken(validator, path):
    assert mistakes(validator, (REPOSITORY / path).read_text()) == []


@pytest.mark.parametrize("text", configurations())
def test_so_is_every_configuration_of_the_pages(validator, text):
    text = text if "\nroutes:" in "\n" + text else text + ROUTES
    assert mistakes(validator, text) == []


def test_the_packaged_file_names_the_schema_that_is_installed_with_it():
    first = (REPOSITORY / "packaging/weir.yml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=/usr/local/share/weir/weir.schema.json"


GOOD = [
    ROUTES,
    "x-a: { anything: [1] }\n" + ROUTES,
    "log:\nlimits: {}\ndefaults:\n" + ROUTES,
    "exporter: { listen: ['127.0.0.1:9', 'unix:/run/a'], socket_mode: 0600, max_series: '5000' }\n" + ROUTES,
    "exporter: { native_histograms: True, native_histogram_schema: -2, retired_series_ttl: 0 }\n" + ROUTES,
    "workers: auto\n" + ROUTES,
    "workers: 2\nshutdown: { delay: 1m30s, drain_timeout: 0s }\n" + ROUTES,
    "limits: { max_connections: auto, rate_limit: 600/m, bandwidth: off }\n" + ROUTES,
    "acl: { default: deny, allow: ['ip:192.0.2.1'], log: { path: stdout } }\n" + ROUTES,
    "entrypoint: { proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.0/8] } }\n" + ROUTES,
    "defaults: { scheme: udp, port: 5353:53 }\nroutes: { a: { host: 192.0.2.1 } }\n",
    "routes: { a: { scheme: udp, host: 192.0.2.1, port: 53, responses: 1, max_sessions: 5, idle_timeout: 1m } }\n",
    "routes: { a: { scheme: udp, host: h, port: '${PORT}', idle_timeout: '${TIME}', bind: '${NONE:-127.0.0.1}' } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, keepalive: off, defer_accept: off, fast_open: 5, idle_timeout: 0 } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, keepalive: { idle: 9s }, tcp_user_timeout: off } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, rate_limit: { rate: 10/s, burst: 5 }, max_connections_per_ip: off } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, bandwidth: { ingress: 1.5MB/s, per_connection: { egress: 1000 } } } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, pre_dial: { exec: [/bin/true, 5, true], concurrency: 3 } } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, relay_proxy_protocol_header: true, balance: maglev } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, upstreams: [{ host: a, weight: 5, backup: false }, b], eject: off } }\n",
    "routes: { a: { scheme: udp, port: 1:2, relay_proxy_protocol_header: each } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, upstreams: [b, 'c:5', { host: d, port: 6 }, { host: e }] } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, upstreams: { host: d, port: 6 } } }\n",
    "x-c: &c { dial_timeout: 1s }\nroutes: { a: { <<: *c, scheme: tcp, port: 1:2 } }\n",
]

WRONG = [
    "", "[]", "log: {}\n", "routes: {}\n", "routes: [a]\n", "routes: { -a: { scheme: tcp, port: 1:2 } }\n",
    "routs: {}\n" + ROUTES, "docker: {}\n" + ROUTES, "log: debug\n" + ROUTES, "log: { level: warn }\n" + ROUTES,
    "log: { levle: info }\n" + ROUTES, "workers: 65\n" + ROUTES, "workers: many\n" + ROUTES,
    "exporter: { listen: [] }\n" + ROUTES, "exporter: { socket_mode: 0880 }\n" + ROUTES,
    "exporter: { max_series: 5 }\n" + ROUTES, "exporter: { native_histograms: yes }\n" + ROUTES,
    "exporter: { native_histogram_schema: 9 }\n" + ROUTES, "exporter: { allow: 10.0.0.0/8 }\n" + ROUTES,
    "shutdown: { delay: 5 }\n" + ROUTES, "shutdown: { delay: soon }\n" + ROUTES, "shutdown: { delay: -1s }\n" + ROUTES,
    "limits: { max_connections: off }\n" + ROUTES, "limits: { rate_limit: 10/d }\n" + ROUTES,
    "acl: { default: drop }\n" + ROUTES, "acl: { deny: ip:192.0.2.1 }\n" + ROUTES, "acl: { log: {} }\n" + ROUTES,
    "geoip: {}\n" + ROUTES, "entrypoint: { proxy_protocol: {} }\n" + ROUTES,
    "defaults: { frequency: 3 }\n" + ROUTES, "defaults: { dial_timeout: 5 }\n" + ROUTES,
    "routes: { a: { port: 1:2 } }\n", "routes: { a: { scheme: tcp } }\n", "routes: { a: { scheme: http, port: 1:2 } }\n",
    "routes: { a: { scheme: tcp, port: 0 } }\n", "routes: { a: { scheme: tcp, port: [] } }\n",
    "routes: { a: { scheme: tcp, port: 1:2:3 } }\n", "routes: { a: { scheme: udp, port: 1:2, dial_timeout: 1s } }\n",
    "routes: { a: { scheme: tcp6, port: 1:2, responses: 1 } }\n", "routes: { a: { scheme: tcp, port: 1:2, host: [a, b] } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, keepalive: on } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, keepalive: { idel: 1s } } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, max_connections: 0 } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, rate_limit: { rat: 5/s } } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, bandwidth: 10MB } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, bandwidth: { egress: 10m } } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, pre_dial: { concurrency: 1 } } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, pre_dial: { exec: /bin/true } } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, relay_proxy_protocol_header: v3 } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, upstreams: [] } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, upstreams: [{ port: 5 }] } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, upstreams: [{ host: a, weight: 300 }] } }\n",
    "routes: { a: { scheme: tcp, port: 1:2, balance: leastconn } }\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_it_takes_what_weir_takes(validator, tmp_path, text):
    assert is_taken(tmp_path, text), "the program itself refuses it"
    assert mistakes(validator, text) == []


@pytest.mark.parametrize("text", WRONG)
def test_it_marks_what_weir_refuses(validator, tmp_path, text):
    assert not is_taken(tmp_path, text), "the program itself takes it"
    assert mistakes(validator, text)
