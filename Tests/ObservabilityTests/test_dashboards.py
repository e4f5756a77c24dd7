"""The dashboards: made by their generator, loved by Grafana's public lint rules, readable by the SDK, valid PromQL."""

import json
import re

import pytest
import yaml
from grafana_foundation_sdk.models import dashboard as model

import generate
from dashboards import (
    ALL, ONE, SEVERAL, catalogue, committed, family, interpolate, label_values, metric_names, panels,
    targets, variables,
)
from support import GRAFANA, REPOSITORY, run, tool
from weir_dashboards.panel import MARKS

# Those of Grafana's units that these dashboards may use.
UNITS = {
    "short", "none", "percent", "percentunit", "s", "ms", "bytes", "Bps", "cps", "pps", "reqps", "ops",
}
PANELS = [(uid, panel) for uid, dashboard in committed().items() for panel in panels(dashboard)]
PANEL_NAMES = [f"{uid}: {panel['title']}" for uid, panel in PANELS]
every_panel = pytest.mark.parametrize("uid, panel", PANELS, ids=PANEL_NAMES)
every_dashboard = pytest.mark.parametrize("uid", committed())


def test_the_files_are_what_the_generator_writes():
    for name, text in generate.rendered().items():
        assert (GRAFANA / "dashboards" / name).read_text() == text, f"run grafana/generate.py: {name} differs"
    assert {f"{uid}.json" for uid in committed()} == set(generate.rendered())


def test_the_dashboards_have_their_pinned_uids_and_names():
    assert {uid: dashboard["title"] for uid, dashboard in committed().items()} == {
        "weir-overview": "Weir overview", "weir-route": "Weir route", "weir-agents": "Weir agents",
        "weir-runtime": "Weir runtime and exporter"}
    assert all(dashboard["uid"] == uid for uid, dashboard in committed().items())


@every_dashboard
def test_a_dashboard_loads_in_the_model_of_the_sdk(uid):
    loaded = model.Dashboard.from_json(committed()[uid])
    again = json.loads(json.dumps(loaded, cls=generate.JSONEncoder))
    assert again["title"] == committed()[uid]["title"]
    assert [panel["title"] for panel in again["panels"]] == [panel["title"] for panel in committed()[uid]["panels"]]


@every_dashboard
def test_a_dashboard_keeps_the_rules_for_dashboards(uid):
    dashboard = committed()[uid]
    assert dashboard["editable"] is False and dashboard.get("id") is None
    assert dashboard["description"] and dashboard["tags"] == ["weir"]
    link = dashboard["links"][0]
    assert link["type"] == "dashboards" and link["tags"] == ["weir"] and link["includeVars"] and link["keepTime"]
    found = variables(dashboard)
    assert list(found) == ["datasource", "job", "instance"] + (["route"] if uid not in ("weir-agents", "weir-runtime") else [])
    assert found["datasource"]["type"] == "datasource" and found["datasource"]["query"] == "prometheus"
    assert found["datasource"]["label"] == "Data source"
    for name, variable in found.items():
        if name == "datasource":
            continue
        assert variable["type"] == "query" and variable["label"] == name.capitalize()
        assert variable["datasource"]["uid"] == "${datasource}"
        assert variable["multi"] and variable["includeAll"] and variable["allValue"] == ".+"
        assert variable["refresh"] == 2, "queried again when the time range changes"
        selector, label = label_values(variable["query"]["query"])
        assert label == name and family(re.match(r"\w+", selector)[0])


@every_dashboard
def test_the_grid_has_no_overlap_and_no_hole_at_its_left(uid):
    taken = set()
    for panel in committed()[uid]["panels"]:
        place = panel["gridPos"]
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in columns for y in lines}
        assert place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert {y for x, y in taken if x == 0} == set(range(max(y for _, y in taken) + 1))
    identities = [panel["id"] for panel in committed()[uid]["panels"]]
    assert len(set(identities)) == len(identities)


def test_the_first_screen_says_whether_it_is_healthy_whether_data_flows_and_which_clients_are_lost_or_refused():
    first = " ".join(
        panel["title"] for panel in panels(committed()["weir-overview"])
        if panel["gridPos"]["y"] + panel["gridPos"]["h"] <= 18)
    for answer in ("Instances down", "Alerts firing", "Upstreams down", "Throughput", "Failed dials",
                   "Clients not served", "Clients refused", "Denials"):
        assert answer in first


@every_panel
def test_a_panel_keeps_the_rules_for_panels(uid, panel):
    assert panel["title"] and panel["description"] and panel["description"].endswith(".")
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    values = [step.get("value") for step in steps]
    assert values[0] is None and values[1:] == sorted(values[1:])
    assert panel["targets"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        assert bool(target.get("instant")) != bool(target.get("range"))


def problems(expression: str) -> list[str]:
    """The faults of a panel's expression."""
    found = []
    names = metric_names(expression)
    found += [f"{name} is no metric" for name in names if family(name) is None] or ([] if names else ["no metric"])
    named = re.findall(r"\b(?:weir_\w+|process_\w+|scrape_\w+|up|ALERTS)\{", expression)
    # `up` is also a state, as the value of a label.
    unquoted = re.sub(r'"[^"]*"', '""', expression)
    if len(named) < len(re.findall(r"\b(?:weir_\w+|process_\w+|scrape_\w+|up|ALERTS)\b(?!\s*[=!])", unquoted)):
        found.append("a metric without a selector")
    for selector in re.findall(r"\{([^{}]*)\}", expression):
        # Every query is limited to the chosen jobs and instances.
        if 'job=~"$job"' not in selector or 'instance=~"$instance"' not in selector:
            found.append(f"{{{selector}}} leaves out job or instance")
    # A day is how long an instance that is gone counts as one of ours.
    usual = re.sub(r"last_over_time\(weir_build_info\{[^}]*\}\[1d\]\)", "", expression)
    found += [f"[{text}]" for text in re.findall(r"\[([^\]]*)\]", usual) if text != "$__rate_interval"]
    is_shared = any(not name.startswith("weir_") and name != "ALERTS" for name in names)
    if is_shared and "weir_build_info{" not in expression:
        found.append("shows other programs, too")
    for name in names:
        if family(name) and family(name)[1] not in ("counter", "histogram"):
            continue
        for match in re.finditer(rf"(\w+)?\(?\s*\b{name}\{{", expression):
            if match[1] not in ("rate", "increase", "irate"):
                found.append(f"{name} without rate")
    return found


SELECTED = '{job=~"$job", instance=~"$instance"}'


@pytest.mark.parametrize("expression", [
    f"sum(weir_bytes_total{SELECTED})",
    f"rate(sum(weir_bytes_total{SELECTED})[$__rate_interval])",
    f"rate(weir_bytes_total{SELECTED}[5m])",
    'rate(weir_bytes_total{job=~"$job"}[$__rate_interval])',
    'rate(weir_bytes_total{job="weir", instance=~"$instance"}[$__rate_interval])',
    "rate(weir_bytes_total[$__rate_interval])",
    f"rate(weir_bites_total{SELECTED}[$__rate_interval])",
    f"histogram_quantile(0.9, weir_dial_duration_seconds_bucket{SELECTED})",
    "vector(1)",
    f"sum(up{SELECTED})",
    f"weir_connections_active{SELECTED} / weir_connections_limit",
])
def test_the_rules_for_queries_find_what_breaks_them(expression):
    assert problems(expression)


@every_panel
def test_the_queries_of_a_panel_keep_the_rules_for_queries(uid, panel):
    for target in panel["targets"]:
        expression = target["expr"]
        assert problems(expression) == [], expression
        assert "route=~" not in expression or "route" in variables(committed()[uid])
        if panel["type"] == "heatmap":
            assert target["format"] == "heatmap" and "by (le)" in expression and target["legendFormat"] == "{{le}}"
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert re.search(rf"\b{label}\b", expression) or not re.search(r"\bby \(", expression), expression


@pytest.mark.parametrize("values", [ALL, ONE, SEVERAL], ids=["all", "one", "several"])
def test_every_expression_is_valid_promql(values, tmp_path):
    queries = [interpolate(target.expression, values) for target in targets()]
    for dashboard in committed().values():
        for variable in variables(dashboard).values():
            if variable["type"] == "query":
                queries.append(interpolate(label_values(variable["query"]["query"])[0], values))
    rules = [{"record": f"panel:query:number{index}", "expr": text} for index, text in enumerate(queries)]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = run(tool("promtool"), "check", "rules", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(rules)} rules found" in checked.stdout and len(rules) > 80


def test_every_metric_of_weir_stands_on_a_dashboard():
    shown = {family(name)[0] for target in targets() for name in metric_names(target.expression)}
    for dashboard in committed().values():
        for variable in variables(dashboard).values():
            if variable["type"] == "query":
                shown.add(re.match(r"\w+", label_values(variable["query"]["query"])[0])[0])
    assert set(catalogue()) - shown == set(), "metrics that no panel shows"


def test_every_panel_says_how_it_is_proven():
    for table in generate.DASHBOARDS:
        assert [panel.title for panel in table.panels] == [panel["title"] for panel in panels(committed()[table.uid])]
        assert all(panel.mark in MARKS for panel in table.panels)


def test_links_name_dashboards_that_exist():
    text = json.dumps(list(committed().values()))
    assert set(re.findall(r"/d/([\w-]+)", text)) <= set(committed())
    assert "grafana/dashboards" in (REPOSITORY / "docker-compose.yml").read_text()
