"""Every query of every panel and variable, and the life of an alert, in a real Prometheus and a real Alertmanager."""

import json
import math
import re
import time
import urllib.parse

import pytest

import generate
from dashboards import committed, interpolate, label_values, panels, variables
from support import http, query, wait_until
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
    wait_until("there are two scrapes", lambda: total(world.shipped, expressions, all_values()) is not None)
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
                "route": {"edge", "echo", "web", "dns", "dead-udp", "silent"},
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
        # What was done before the last scrape but one ended stands in it.
        count = float(query(world.shipped, scraped)[0]["value"][1])
        wait_until("two more scrapes", lambda: float(query(world.shipped, scraped)[0]["value"][1]) >= count + 2)
        return {title: total(world.shipped, [raw(title)], values) for title in truth}

    before = look()
    assert all(world.converse(size) for _ in range(connections))
    world.upstream.stop()
    try:
        assert not any(world.converse(size) for _ in range(failed))
    finally:
        world.upstream.start()
    after = look()
    assert {title: after[title] - (before[title] or 0) for title in truth} == truth


@pytest.mark.parametrize("begun, parts", [
    ("tcp_connections_accepted_total", ("tcp_connections_active", "tcp_connections_closed_total",
                                        "tcp_connections_rejected_total")),
    ("udp_sessions_opened_total", ("udp_sessions_active", "udp_sessions_closed_total", "udp_sessions_rejected_total")),
])
def test_what_began_is_open_closed_or_rejected_at_every_scrape(world, begun, parts):
    # At one instant all series come from one scrape.
    of = {name: f"sum by (instance, route) (weir_{name})" for name in (begun, *parts)}
    at = time.time() - 2
    found = {name: {tuple(series["metric"].items()): float(series["value"][1])
                    for series in query(world.shipped, expression, at)} for name, expression in of.items()}
    assert len(found[begun]) >= 4 and sum(found[begun].values()) > 10
    for key, count in found[begun].items():
        assert count == sum(found[part][key] for part in parts), key


@pytest.mark.parametrize("which", ["shipped", "hasty"])
def test_every_rule_is_evaluated_without_an_error(world, which):
    def groups() -> list[dict]:
        return json.loads(http(f"{getattr(world, which)}/api/v1/rules")[1])["data"]["groups"]

    wait_until("all rules were evaluated", lambda: all(
        rule["health"] != "unknown" for group in groups() for rule in group["rules"]))
    rules = [rule for group in groups() for rule in group["rules"]]
    assert len(rules) > 30
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    for rule in rules:
        if rule["type"] == "recording":
            assert query(world.shipped, rule["name"]), f"{rule['name']} has no result in the demo"


def test_the_demo_raises_the_alerts_of_what_is_broken_in_it_and_of_nothing_else(world):
    instance = f"127.0.0.1:{world.demo_exporter}"

    def firing() -> set[tuple[str, str]]:
        alerts = query(world.hasty, f'ALERTS{{instance="{instance}", alertstate="firing"}}')
        return {(series["metric"]["alertname"], series["metric"].get("route", "")) for series in alerts}

    expected = {
        ("WeirDialFailures", "dead"), ("WeirUpstreamUnreachable", "dead"), ("WeirUdpUpstreamErrors", "dead-udp"),
        ("WeirUpstreamNameStale", "nameless"),
    }
    wait_until(f"all of {expected} fire", lambda: expected <= firing(), 90)
    about_upstreams = {
        "WeirDialFailures", "WeirUpstreamUnreachable", "WeirUdpUpstreamErrors", "WeirUdpRouteSilent",
        "WeirUpstreamNameStale"}
    healthy = {"echo", "web", "bulk", "upload", "dns", "game", "syslog", "limited"}
    assert [one for one in firing() if one[0] in about_upstreams and one[1] in healthy] == []


def event(title: str) -> list[str]:
    return next(expressions for _, name, expressions in marked(EVENT) if name == title)


def test_every_event_is_injected_by_a_test_here():
    assert {title for _, title, _ in marked(EVENT)} == {
        "Instances down", "Alerts firing", "Configuration refused", "Reloads by result", "Refused requests",
        "Bytes discarded", "Drops by reason", "PROXY headers"}


def moves(world: World, title: str, inject, mend=None):
    """The panel shows nothing or 0, then what is injected, then, where it can be mended, 0 again."""
    values = all_values(world.edge_instance.replace(".", r"\\."))
    assert not total(world.hasty, event(title), values)
    inject()
    wait_until(f"{title} shows it", lambda: (total(world.hasty, event(title), values) or 0) > 0, 60)
    if mend:
        mend()
        wait_until(f"{title} is 0 again", lambda: total(world.hasty, event(title), values) == 0, 60)


def test_requests_that_the_exporter_refuses_are_seen(world):
    def refuse():
        assert http(f"http://{world.edge_instance}/nothing-here")[0] == 404

    moves(world, "Refused requests", refuse)


def test_bytes_that_could_no_longer_be_delivered_are_seen(world):
    moves(world, "Bytes discarded", world.leave_with_answers_unread)


def test_datagrams_that_are_dropped_are_seen(world):
    moves(world, "Drops by reason", world.crowd_the_session_table)


def test_proxy_headers_are_seen(world):
    # A route that reads none does not export their metrics.
    assert total(world.hasty, event("PROXY headers"), all_values()) is None
    world.reload("entrypoint: { proxy_protocol: { mode: mixed, trusted_proxies: [127.0.0.1] } }\n")
    values = all_values(world.edge_instance)
    wait_until("the metrics are there", lambda: total(world.hasty, event("PROXY headers"), values) == 0)
    moves(world, "PROXY headers", world.send_proxy_header)
    world.reload()


def test_a_configuration_that_is_refused_is_seen(world):
    before = total(world.hasty, event("Reloads by result"), all_values(world.edge_instance, rate="10m")) or 0
    moves(world, "Configuration refused", lambda: world.reload("nonsense: true\n"), world.reload)
    assert total(world.hasty, event("Reloads by result"), all_values(world.edge_instance, rate="10m")) > before


def test_the_alert_of_failing_dials_comes_reaches_alertmanager_and_goes(world):
    world.keep_conversing()
    wait_until("dials succeed", lambda: query(
        world.hasty, f'increase(weir_dial_duration_seconds_count{{instance="{world.edge_instance}"}}[5s]) > 5'))
    wait_until("nothing is wrong", lambda: world.state("WeirDialFailures") == "inactive", 60)
    values = all_values(world.edge_instance)
    firing = total(world.hasty, event("Alerts firing"), values)

    world.upstream.stop()
    wait_until("it is pending or firing", lambda: world.state("WeirDialFailures") != "inactive", 60)
    wait_until("it fires", lambda: world.state("WeirDialFailures") == "firing", 60)
    wait_until("the upstream counts as unreachable", lambda: world.state("WeirUpstreamUnreachable") == "firing", 60)
    assert total(world.hasty, event("Alerts firing"), values) > firing
    # Alertmanager has both, and the one that says more silences the other.
    both = ("WeirUpstreamUnreachable", "WeirDialFailures")
    wait_until("both are in Alertmanager", lambda: all(world.alerts(name) for name in both), 60)
    alert = world.alerts("WeirDialFailures")[0]
    assert alert["labels"]["route"] == "edge" and alert["labels"]["severity"] == "warning"
    assert alert["annotations"]["description"].endswith("most of them with: refused.")
    stronger = world.alerts("WeirUpstreamUnreachable")[0]["fingerprint"]
    wait_until("it is inhibited", lambda: world.alerts("WeirDialFailures")[0]["status"]["inhibitedBy"] == [stronger])

    world.upstream.start()
    for name in both:
        wait_until(f"{name} is over", lambda name=name: world.state(name) == "inactive", 90)
        wait_until(f"Alertmanager knows that {name} is over", lambda name=name: not world.alerts(name), 60)


def test_an_instance_that_is_down_silences_its_other_alerts(world):
    world.upstream.stop()
    wait_until("dials fail", lambda: world.alerts("WeirDialFailures"), 90)
    moves(world, "Instances down", world.edge.stop)
    wait_until("it fires", lambda: world.state("WeirInstanceDown") == "firing", 60)
    down = wait_until("Alertmanager has it", lambda: world.alerts("WeirInstanceDown"), 60)[0]
    assert down["status"]["state"] == "active"
    others = wait_until("another alert of the instance is inhibited", lambda: [
        alert for name in ("WeirDialFailures", "WeirUpstreamUnreachable") for alert in world.alerts(name)
        if down["fingerprint"] in alert["status"]["inhibitedBy"]])
    assert all(alert["status"]["state"] == "suppressed" for alert in others)
