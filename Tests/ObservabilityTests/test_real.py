"""Every query of every panel and variable, and the life of an alert, in a real Prometheus and a real Alertmanager."""

import contextlib
import json
import math
import re
import socket
import time
import urllib.parse

import pytest
import yaml

import generate
from dashboards import committed, interpolate, label_values, panels, variables
from support import PROMETHEUS, http, query, wait_until
from test_prometheus import alert_checks
from weir_dashboards.panel import EVENT, NONZERO, ZERO
from world import World

PANELS = [
    (uid, panel, table)
    for uid, table_of_panels in ((table.uid, table) for table in generate.DASHBOARDS)
    for panel, table in zip(panels(committed()[uid]), table_of_panels.panels, strict=True)
]


def marked(mark: str) -> list:
    return [(uid, panel["title"], [target["expr"] for target in panel["targets"]])
            for uid, panel, table in PANELS if table.mark == mark]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    try:
        yield made
    finally:
        made.stop()


def all_values(instance: str = ".+", route: str = ".+", rate: str = "30s") -> dict[str, str]:
    return {"__rate_interval": rate, "job": ".+", "instance": instance, "route": route}


def total(prometheus: str, expressions: list[str], values: dict[str, str]) -> float | None:
    """Sum of everything that the expressions show now; None where they show nothing."""
    numbers = [
        float(series["value"][1]) for expression in expressions
        for series in query(prometheus, interpolate(expression, values))
    ]
    numbers = [number for number in numbers if not math.isnan(number)]
    return sum(numbers) if numbers else None


def test_every_panel_that_is_marked_nonzero_shows_something_in_the_demo(world):
    left = {(uid, title): expressions for uid, title, expressions in marked(NONZERO)}
    assert len(left) > 50

    def remaining():
        world.check()
        for key, expressions in list(left.items()):
            shown = total(world.shipped, expressions, all_values())
            if shown is not None and shown > 0:
                del left[key]
        return not left

    try:
        wait_until("every panel shows something", remaining, 120)
    except AssertionError as error:
        raise AssertionError(f"{error}; still empty or 0: {sorted(left)}") from None


@pytest.mark.parametrize("uid, title, expressions", marked(ZERO), ids=lambda value: value if type(value) is str else "")
def test_a_panel_that_is_marked_zero_shows_zero_and_not_nothing(world, uid, title, expressions):
    wait_until(
        "there are two scrapes", lambda: total(world.shipped, expressions, all_values()), 60,
        lambda shown: shown is not None)
    assert total(world.shipped, expressions, all_values()) == 0


def test_every_variable_offers_what_there_is(world):
    for uid, dashboard in committed().items():
        for name, variable in variables(dashboard).items():
            if variable["type"] != "query":
                continue
            selector, label = label_values(variable["query"]["query"])
            match = urllib.parse.quote(interpolate(selector, all_values()))
            status, body = http(f"{world.shipped}/api/v1/label/{label}/values?match[]={match}")
            assert status == 200, body
            values = set(json.loads(body)["data"])
            expected = {
                "job": {"weir"},
                "instance": {f"127.0.0.1:{world.demo_exporter}", world.edge_instance},
                "route": {"edge", "balanced", "echo", "web", "dns", "dead-udp", "silent"},
            }
            assert expected[name] <= values and (name == "route" or expected[name] == values), f"{uid} {name}"


@pytest.mark.parametrize("form", ["one", "several"])
def test_every_query_works_over_time_with_chosen_values(world, form):
    demo = f"127.0.0.1:{world.demo_exporter}"
    chosen = {
        "one": all_values(demo, "echo"),
        # As Grafana writes several values: each escaped for a regular expression within a string.
        "several": all_values(f"({demo}|{world.edge_instance})".replace(".", r"\\."), "(echo|dns|dead-udp)"),
    }[form]
    now = time.time()
    shown = 0
    for uid, panel, _ in PANELS:
        for target in panel["targets"]:
            parameters = {"query": interpolate(target["expr"], chosen), "start": now - 10, "end": now, "step": "5s"}
            status, body = http(f"{world.shipped}/api/v1/query_range?{urllib.parse.urlencode(parameters)}")
            assert status == 200, f"{uid} {panel['title']}: {body}"
            for series in json.loads(body)["data"]["result"]:
                shown += 1
                assert series["metric"].get("route", "echo") in ("echo", "dns", "dead-udp"), f"{uid} {panel['title']}"
    assert shown > 60


def test_no_panel_shows_another_program(world):
    ours = {f"127.0.0.1:{world.demo_exporter}", world.edge_instance}
    assert len(query(world.shipped, 'process_open_fds{job="other"}')) == 1
    for uid, panel, _ in PANELS:
        for target in panel["targets"]:
            for series in query(world.shipped, interpolate(target["expr"], all_values())):
                assert series["metric"].get("instance") in ours | {None}, f"{uid} {panel['title']}"
    up = next(table for _, _, table in PANELS if table.title == "Instances up")
    assert total(world.shipped, [query.expression for query in up.queries], all_values()) == 2


def raw(title: str) -> str:
    """The counter that a panel of Weir route shows the rate of."""
    found = [panel for uid, panel, _ in PANELS if uid == "weir-route" and panel["title"] == title]
    expression = found[0]["targets"][0]["expr"]
    return re.sub(r"rate\((weir_\w+\{[^}]*\})\[\$__rate_interval\]\)", r"\1", expression).removesuffix(" > 0")


def test_panels_agree_with_what_was_done(world):
    connections, size, failed = 25, 1000, 4
    truth = {
        "Accepted": connections + failed,
        "Bytes by direction": 2 * connections * size,
        "Dials ended": connections + failed,
        "Dial failures by reason and upstream": failed,
        "Closed by reason": connections + failed,
    }
    values = all_values(route="edge")
    scraped = f'count_over_time(up{{instance="{world.edge_instance}"}}[10m])'

    def look() -> dict[str, float]:
        # Traffic before the end of the last scrape but one is part of it.
        count = float(query(world.shipped, scraped)[0]["value"][1])
        wait_until(
            "two more scrapes", lambda: float(query(world.shipped, scraped)[0]["value"][1]), 60,
            lambda scrapes: scrapes >= count + 2)
        return {title: total(world.shipped, [raw(title)], values) for title in truth}

    before = look()
    assert all(world.converse(size) for _ in range(connections))
    world.upstream.stop()
    try:
        assert not any(world.converse(size) for _ in range(failed))
    finally:
        world.upstream.start()
    look()
    # A connection is closed for its client a moment before it is counted.
    wait_until(
        "what was done is shown", lambda: {
            title: (total(world.shipped, [raw(title)], values) or 0) - (before[title] or 0) for title in truth
        }, 30, lambda shown: shown == truth)
    after = look()
    assert {title: after[title] - (before[title] or 0) for title in truth} == truth


@pytest.mark.parametrize("begun, parts", [
    ("tcp_connections_accepted_total", ("tcp_connections_active", "tcp_connections_closed_total",
                                        "tcp_connections_rejected_total")),
    ("udp_sessions_opened_total", ("udp_sessions_active", "udp_sessions_closed_total", "udp_sessions_rejected_total")),
])
def test_what_began_is_open_closed_or_rejected_at_every_scrape(world, begun, parts):
    # At one instant all series of an instance come from one scrape, once no scrape that began before it can still be
    # under way: a target is scraped by one after the other.
    of = {name: f"sum by (instance, route) (weir_{name})" for name in (begun, *parts)}
    at = time.time()
    wait_until(
        "each instance was scraped since", lambda: query(world.shipped, 'timestamp(up{job="weir"})'), 60,
        lambda found: len(found) == 2 and all(float(series["value"][1]) > at for series in found))
    found = {name: {tuple(series["metric"].items()): float(series["value"][1])
                    for series in query(world.shipped, expression, at)} for name, expression in of.items()}
    assert len(found[begun]) >= 4 and sum(found[begun].values()) > 10
    for key, count in found[begun].items():
        assert count == sum(found[part][key] for part in parts), key


@pytest.mark.parametrize("which", ["shipped", "hasty"])
def test_every_rule_is_evaluated_without_an_error(world, which):
    def groups() -> list[dict]:
        status, body = http(f"{getattr(world, which)}/api/v1/rules")
        assert status == 200, body
        return json.loads(body)["data"]["groups"]

    wait_until("all rules were evaluated", lambda: all(
        rule["health"] != "unknown" for group in groups() for rule in group["rules"]), 60)
    rules = [rule for group in groups() for rule in group["rules"]]
    assert len(rules) > 30
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    for rule in rules:
        # One record is of outages only: prometheus/tests has them.
        if rule["type"] == "recording" and rule["name"] != "route:weir_udp_datagrams:unanswered":
            # A rate needs two scrapes before the evaluation.
            wait_until(f"{rule['name']} has a result in the demo", lambda: query(world.shipped, rule["name"]), 60)


def test_the_demo_raises_the_alerts_of_what_is_broken_in_it_and_of_nothing_else(world):
    instance = f"127.0.0.1:{world.demo_exporter}"

    def firing() -> set[tuple[str, str]]:
        alerts = query(world.hasty, f'ALERTS{{instance="{instance}", alertstate="firing"}}')
        return {(series["metric"]["alertname"], series["metric"].get("route", "")) for series in alerts}

    expected = {
        ("WeirDialFailures", "dead"), ("WeirUpstreamUnreachable", "dead"), ("WeirUdpUpstreamErrors", "dead-udp"),
        ("WeirUpstreamNameStale", "nameless"),
    }
    wait_until(f"all of {expected} fire", firing, 180, lambda found: expected <= found)
    about_upstreams = {
        "WeirDialFailures", "WeirUpstreamUnreachable", "WeirUdpUpstreamErrors", "WeirUdpRouteSilent",
        "WeirUpstreamNameStale"}
    healthy = {"echo", "web", "bulk", "upload", "dns", "game", "syslog", "limited"}
    assert [one for one in firing() if one[0] in about_upstreams and one[1] in healthy] == []


def event(title: str) -> list[str]:
    return next(expressions for _, name, expressions in marked(EVENT) if name == title)


OF_A_DEAD_UPSTREAM = (
    "Upstreams down", "Time since its state changed", "State changes by cause", "Ejections by reason", "Retries")


OF_TLS = (
    "Handshakes", "Handshake failures", "Handshake time", "Streams without a close_notify", "Certificates",
    "Nearest end of a certificate")


OF_A_SHARED_LISTENER = ("Clients by listener", "First bytes that no route takes")


def test_every_event_is_injected_by_a_test_here():
    assert {title for _, title, _ in marked(EVENT)} == {
        "Instances down", "Alerts firing", "Configuration refused", "Reloads by result", "Refused requests",
        "Bytes discarded", "Drops by reason", "PROXY headers", *OF_A_DEAD_UPSTREAM, "Fallbacks", *OF_A_SHARED_LISTENER,
        *OF_TLS}


def moves(world: World, title: str, inject, mend=None):
    """The panel shows nothing or 0, then what is injected, then, where it can be mended, 0 again.

    The first may take as long as the panel looks back: something of another test may still show.
    """
    values = all_values(world.edge_instance.replace(".", r"\\."))

    def shown() -> float:
        world.manager.check()
        return total(world.hasty, event(title), values) or 0

    wait_until(f"{title} is calm", shown, 90, lambda number: number == 0)
    inject()
    wait_until(f"{title} shows it", shown, 90, lambda number: number > 0)
    if mend:
        mend()
        wait_until(f"{title} is 0 again", lambda: total(world.hasty, event(title), values), 90, lambda left: left == 0)


def test_a_route_with_several_upstreams_warns_of_a_dead_one_and_is_critical_once_no_client_is_served(world):
    values = all_values(world.edge_instance.replace(".", r"\\."), "balanced", "10s")
    not_served = next(panel for uid, panel, _ in PANELS if panel["title"] == "Clients not served")["targets"][0]["expr"]
    critical = ("WeirUpstreamUnreachable", "WeirRouteWithoutUpstream")

    def shown(*expressions: str) -> float:
        world.check()
        return total(world.hasty, list(expressions), values) or 0

    def firing(name: str) -> set[str]:
        found = query(world.hasty, f'ALERTS{{alertname="{name}", alertstate="firing", route="balanced"}}')
        return {series["metric"].get("upstream", "") for series in found}

    dead, other = (f"127.0.0.1:{member.port}" for member in world.members[:2])
    for title in ("Upstreams down", "Retries", "Fallbacks"):
        wait_until(f"{title} is calm", lambda title=title: shown(*event(title)), 90, lambda number: number == 0)
    wait_until("clients are served", lambda: query(
        world.hasty, 'rate(weir_dial_duration_seconds_count{route="balanced"}[10s]) > 0'), 60,
        lambda found: {series["metric"]["upstream"] for series in found} == {dead, other})
    lost = 'sum(weir_tcp_connections_closed_total{route="balanced", reason="dial_failed"})'
    before = shown(lost)

    # One of two is dead: a warning that names it, and every client is served.
    world.members[0].stop()
    for title in OF_A_DEAD_UPSTREAM:
        wait_until(f"{title} shows it", lambda title=title: shown(*event(title)), 90, lambda number: number > 0)
    wait_until("the warning fires", lambda: firing("WeirUpstreamDown"), 90, lambda upstreams: upstreams == {dead})
    told = wait_until("Alertmanager has it", lambda: world.alerts("WeirUpstreamDown"), 60)[0]
    assert told["labels"]["severity"] == "warning" and told["labels"]["upstream"] == dead
    assert told["annotations"]["description"].endswith("most often because of: dial_failed.")
    assert [name for name in critical if firing(name)] == []
    assert shown(lost) == before and shown(not_served) == 0

    # The backup takes the clients of both.
    world.members[1].stop()
    wait_until("Fallbacks shows it", lambda: shown(*event("Fallbacks")), 90, lambda number: number > 0)
    wait_until("the backup is reported", lambda: firing("WeirBackupInUse"), 90)
    wait_until("the other is out, too", lambda: firing("WeirUpstreamDown"), 90,
               lambda upstreams: upstreams == {dead, other})
    assert [name for name in critical if firing(name)] == []
    assert shown(lost) == before

    # None is left, which is critical and silences the rest.
    world.members[2].stop()
    wait_until("clients are lost", lambda: shown(not_served), 90, lambda number: number > 0)
    wait_until("the route is unreachable", lambda: firing("WeirUpstreamUnreachable"), 90)
    wait_until("it silences the warnings", lambda: (
        [alert["fingerprint"] for alert in world.alerts("WeirUpstreamUnreachable")
         if alert["labels"]["route"] == "balanced"],
        [alert["status"]["inhibitedBy"] for alert in world.alerts("WeirUpstreamDown")]),
        60, lambda seen: seen[0] and len(seen[1]) >= 2 and all(by == seen[0] for by in seen[1]))

    for member in world.members:
        member.start()
    for name in ("WeirUpstreamUnreachable", "WeirUpstreamDown", "WeirBackupInUse"):
        wait_until(f"{name} is over", lambda name=name: firing(name), 120, lambda upstreams: not upstreams)
    wait_until("none is down", lambda: shown(*event("Upstreams down")), 60, lambda number: number == 0)
    wait_until("all clients are served", lambda: shown(not_served), 60, lambda number: number == 0)


def test_clients_that_speak_tls_and_one_that_does_not_are_seen(world):
    values = all_values(world.edge_instance.replace(".", r"\\."))
    world.speak_tls()
    for title in OF_TLS:
        wait_until(f"{title} shows it", lambda title=title: (
            world.speak_tls(), total(world.hasty, event(title), values) or 0)[1], 90, lambda number: number > 0)


def test_requests_that_the_exporter_refuses_are_seen(world):
    def refuse():
        assert http(f"http://{world.edge_instance}/nothing-here")[0] == 404

    moves(world, "Refused requests", refuse)


def test_bytes_that_could_no_longer_be_delivered_are_seen(world):
    moves(world, "Bytes discarded", world.leave_with_answers_unread)


def test_datagrams_that_are_dropped_are_seen(world):
    moves(world, "Drops by reason", world.crowd_the_session_table)


def test_clients_without_a_route_are_seen(world):
    def refuse():
        with socket.create_connection(("127.0.0.1", world.names_port), timeout=10) as client:
            client.sendall(b"no hello")
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""

    first, second = OF_A_SHARED_LISTENER
    values = all_values(world.edge_instance.replace(".", r"\\."))
    assert not total(world.hasty, event(second), values)
    moves(world, first, refuse)
    wait_until(f"{second} shows it", lambda: total(world.hasty, event(second), values), 90)


def test_proxy_headers_are_seen(world):
    # A route that reads none does not export their metrics.
    assert total(world.hasty, event("PROXY headers"), all_values()) is None
    world.reload("entrypoint: { proxy_protocol: { mode: mixed, trusted_proxies: [127.0.0.1] } }\n")
    values = all_values(world.edge_instance)
    wait_until(
        "the metrics are there", lambda: total(world.hasty, event("PROXY headers"), values), 90,
        lambda shown: shown == 0)
    moves(world, "PROXY headers", world.send_proxy_header)
    world.reload()


def test_a_configuration_that_is_refused_is_seen(world):
    panel = interpolate(event("Reloads by result")[0], all_values(world.edge_instance, rate="10m"))

    def failures() -> float:
        found = [series for series in query(world.hasty, panel) if series["metric"]["result"] == "failure"]
        return float(found[0]["value"][1]) if found else 0

    before = failures()
    moves(world, "Configuration refused", lambda: world.reload("nonsense: true\n"), world.reload)
    wait_until("the failure stands among the reloads", failures, 60, lambda shown: shown > before)


def test_the_alert_of_failing_dials_comes_reaches_alertmanager_and_goes(world):
    world.keep_conversing()
    wait_until("dials succeed", lambda: query(
        world.hasty, f'increase(weir_dial_duration_seconds_count{{instance="{world.edge_instance}"}}[5s]) > 5'), 60)
    wait_until("nothing is wrong", lambda: world.state("WeirDialFailures"), 120,
               lambda state: state == "inactive")

    world.upstream.stop()
    wait_until("it is pending or firing", lambda: world.state("WeirDialFailures"), 120,
               lambda state: state != "inactive")
    wait_until("it fires", lambda: world.state("WeirDialFailures"), 120, lambda state: state == "firing")
    wait_until("the upstream counts as unreachable", lambda: world.state("WeirUpstreamUnreachable"), 120,
               lambda state: state == "firing")
    # The panel counts what fires, with these two.
    values, firing = all_values(world.edge_instance), f'ALERTS{{instance="{world.edge_instance}", alertstate="firing"}}'
    wait_until(
        "the panel counts both", lambda: (total(world.hasty, event("Alerts firing"), values),
                                          {found["metric"]["alertname"] for found in query(world.hasty, firing)},
                                          len(query(world.hasty, firing))),
        60, lambda seen: seen[0] == seen[2] and {"WeirDialFailures", "WeirUpstreamUnreachable"} <= seen[1])
    # Alertmanager has both, and the one that says more silences the other.
    both = ("WeirUpstreamUnreachable", "WeirDialFailures")
    wait_until("both are in Alertmanager", lambda: all(world.alerts(name) for name in both), 60)
    alert = wait_until("its labels are known", lambda: world.alerts("WeirDialFailures"), 60)[0]
    assert alert["labels"]["route"] == "edge" and alert["labels"]["severity"] == "warning"
    assert alert["annotations"]["description"].endswith("most of them with: refused.")
    wait_until(
        "it is inhibited by the other", lambda: [
            (weaker["status"]["inhibitedBy"], stronger["fingerprint"])
            for weaker in world.alerts("WeirDialFailures") for stronger in world.alerts("WeirUpstreamUnreachable")],
        60, lambda seen: any(stronger in inhibitors for inhibitors, stronger in seen))

    # And a person is told.
    wait_until("the receiver has the critical one", lambda: world.receiver.alerts("/critical"), 60,
               lambda alerts: ("firing", "WeirUpstreamUnreachable") in alerts)

    world.upstream.start()
    for name in both:
        wait_until(f"{name} is over", lambda name=name: world.state(name), 120, lambda state: state == "inactive")
        wait_until(f"Alertmanager knows that {name} is over", lambda name=name: world.alerts(name), 120,
                   lambda left: not left)


def test_an_instance_that_is_down_silences_its_other_alerts(world):
    world.upstream.stop()
    wait_until("dials fail", lambda: world.alerts("WeirDialFailures"), 90)
    moves(world, "Instances down", world.edge.stop)
    wait_until("it fires", lambda: world.state("WeirInstanceDown"), 120, lambda state: state == "firing")
    down = wait_until(
        "Alertmanager has it", lambda: world.alerts("WeirInstanceDown"), 60,
        # "unprocessed" until its group was looked at once.
        lambda found: found and found[0]["status"]["state"] == "active")[0]
    others = wait_until("another alert of the instance is inhibited", lambda: [
        alert for name in ("WeirDialFailures", "WeirUpstreamUnreachable") for alert in world.alerts(name)
        if down["fingerprint"] in alert["status"]["inhibitedBy"]], 60)
    assert all(alert["status"]["state"] == "suppressed" for alert in others)


# Those that targets often have, and that the shipped files name.
LABELS_OF_TARGETS = (
    "job", "instance", "cluster", "region", "datacenter", "zone", "namespace", "environment", "env", "stage", "tenant")

# The pairs of an inhibiting and an inhibited alert, and the labels of the latter that matter beside the name.
INHIBITIONS = [
    ("WeirInstanceDown", "WeirEventLoopStalled", {}),
    ("WeirUpstreamUnreachable",
     "WeirDialFailures|WeirDialsAbandoned|WeirUpstreamDown|WeirRouteWithoutUpstream|WeirBackupInUse"
     "|WeirUpstreamFlapping|WeirUnevenShares", {}),
    ("WeirUpstreamUnreachable", "WeirTimeouts", {"kind": "dial"}),
    ("WeirRouteWithoutUpstream", "WeirUpstreamDown|WeirBackupInUse|WeirUpstreamFlapping|WeirUnevenShares", {}),
    ("WeirUpstreamDown", "WeirUpstreamFlapping|WeirUdpUpstreamErrors", {}),
    ("WeirUpstreamDown", "WeirDialFailures", {"severity": "info"}),
    ("WeirUdpRouteSilent", "WeirUdpUpstreamErrors|WeirUpstreamDown", {"protocol": "udp"}),
]


def labels_that_the_rules_give(alert: str, labels: dict[str, str]) -> dict[str, str]:
    """The labels of an alert as promtool saw them in prometheus/tests."""
    checks = [check for check in alert_checks() if check["alertname"] == alert]
    for expected in (one for check in checks for one in check.get("exp_alerts", [])):
        if labels.items() <= expected["exp_labels"].items():
            return {"alertname": alert} | expected["exp_labels"]
    raise AssertionError(f"no test in prometheus/tests in which {alert} fires with {labels}")


def test_every_rule_of_inhibition_is_tried_here():
    rules = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())["inhibit_rules"]
    assert len(rules) == len(INHIBITIONS)
    for rule, (stronger, weaker, labels) in zip(rules, INHIBITIONS, strict=True):
        assert rule["source_matchers"] == [f"alertname = {stronger}"]
        assert rule["target_matchers"][0] in (
            f"alertname = {weaker}", f'alertname =~ "{weaker}"', 'alertname =~ "Weir.+"')
        assert all(f"{name} = {value}" in rule["target_matchers"] for name, value in labels.items())


@pytest.mark.parametrize("number", range(len(INHIBITIONS)), ids=lambda number: "-".join(INHIBITIONS[number][:2]))
def test_an_alert_that_says_more_silences_its_consequences_and_nothing_of_others(world, number):
    stronger, weaker, labels = INHIBITIONS[number]
    equal = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())["inhibit_rules"][number]["equal"]
    source = labels_that_the_rules_give(stronger, {})
    assert {"job", "instance", "cluster"} <= set(equal) <= source.keys() | set(LABELS_OF_TARGETS)
    # Every label is there: one that neither had would be equal, too.
    source |= {name: f"the-{name}" for name in LABELS_OF_TARGETS} | {"instance": f"posted-{number}"}
    targets = [
        labels_that_the_rules_give(name, labels) | {label: source[label] for label in equal}
        for name in weaker.split("|")
    ]
    # Each has values of its own, as some of the weaker ones silence each other.
    others = [target | {name: f"another-{target['alertname']}"} for target in targets for name in equal]
    alerts = [{"labels": one} for one in (source, *targets, *others)]
    status, body = http(f"{world.alertmanager}/api/v2/alerts", post=alerts)
    assert status == 200, body

    def seen() -> dict[str, list[str]]:
        status, body = http(f"{world.alertmanager}/api/v2/alerts")
        assert status == 200, body
        found = {json.dumps(alert["labels"], sort_keys=True): alert for alert in json.loads(body)}
        kept = [found.get(json.dumps(one, sort_keys=True)) for one in (source, *targets, *others)]
        return {"fingerprint": kept[0]["fingerprint"], "inhibitedBy": [one["status"]["inhibitedBy"] for one in kept]} \
            if all(kept) else {}

    wait_until("it is inhibited, and nothing else is", seen, 60, lambda now: now and now["inhibitedBy"] == [
        [], *([now["fingerprint"]] for _ in targets), *([] for _ in others)])


def shown_by_grafana(prometheus: str, panel: dict, values: dict[str, str]) -> float | None:
    """The one number of a panel: of now for instant queries, else the last one within the hour before."""
    (target,) = panel["targets"]
    expression = interpolate(target["expr"], values)
    if target.get("instant"):
        return total(prometheus, [expression], values)
    now = time.time()
    parameters = urllib.parse.urlencode({"query": expression, "start": now - 3600, "end": now, "step": 2})
    status, body = http(f"{prometheus}/api/v1/query_range?{parameters}")
    assert status == 200, body
    found = [float(series["values"][-1][1]) for series in json.loads(body)["data"]["result"]]
    return found[-1] if found else None


def test_an_instance_that_was_killed_is_shown_as_zero_and_nothing_of_it_as_if_it_were_there(world):
    values = all_values(world.edge_instance.replace(".", r"\\."), rate="10s")
    numbers = {(uid, panel["title"]): panel for uid, panel, _ in PANELS if panel["type"] == "stat"}
    up = [("weir-overview", "Instances up"), ("weir-runtime", "Up")]
    world.edge.process.kill()
    world.edge.process.wait()
    for key in up:
        wait_until(f"{key} is 0 and not empty", lambda key=key: shown_by_grafana(world.hasty, numbers[key], values), 60,
                   lambda shown: shown == 0)
        steps = numbers[key]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert [step["color"] for step in steps if (step.get("value") or 0) <= 0] == ["red"]
    # These tell of the instance that is gone; all others concern its work.
    expected = {("weir-overview", "Instances down"), ("weir-overview", "Alerts firing")}
    for key, panel in numbers.items():
        if key in up or key in expected:
            continue
        wait_until(f"{key} shows nothing", lambda panel=panel: shown_by_grafana(world.hasty, panel, values) or 0, 60,
                   lambda shown: shown == 0)
    wait_until("it counts as down", lambda: shown_by_grafana(
        world.hasty, numbers["weir-overview", "Instances down"], values), 60, lambda shown: shown == 1)


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_an_alert_arrives_at_the_receiver_of_its_severity_and_so_does_its_end(world, severity):
    labels = {"alertname": f"WeirPosted{severity}", "severity": severity, "instance": "posted", "job": "posted"}
    url = f"{world.alertmanager}/api/v2/alerts"
    assert http(url, post=[{"labels": labels}])[0] == 200
    seen = lambda: world.receiver.alerts(f"/{severity}")  # noqa: E731
    wait_until("it arrives", seen, 60, lambda alerts: ("firing", labels["alertname"]) in alerts)
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    assert http(url, post=[{"labels": labels, "startsAt": "2020-01-01T00:00:00Z", "endsAt": ended}])[0] == 200
    wait_until("its end arrives", seen, 60, lambda alerts: ("resolved", labels["alertname"]) in alerts)
    others = {"critical", "warning", "info", "null"} - {severity}
    assert all(labels["alertname"] not in dict(map(reversed, world.receiver.alerts(f"/{other}"))) for other in others)
