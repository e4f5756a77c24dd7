"""Rules, alerts, their tests and their runbook, by Prometheus' own tools."""

import re
from functools import cache

import pytest
import yaml

from dashboards import family, metric_names
from rule_tests import FILES, at_interval, promtool, seconds, side_by_side
from support import PROMETHEUS, run, tool

RUNBOOK = "https://github.com/weir-proxy/weir/blob/main/prometheus/RUNBOOK.md#"


def rules() -> list[dict]:
    files = sorted((PROMETHEUS / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = [rule for rule in rules() if "alert" in rule]
RECORDED = [rule for rule in rules() if "record" in rule]
TEST_FILES = sorted((PROMETHEUS / "tests").glob("*.yml"))


@cache
def alert_checks() -> list[dict]:
    tests = [test for path in TEST_FILES for test in yaml.safe_load(path.read_text())["tests"]]
    return [check for test in tests for check in test.get("alert_rule_test", [])]


def test_the_configuration_is_valid():
    checked = run(tool("promtool"), "check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SUCCESS" in checked.stdout


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.name)
def test_rules_record_and_alerts_fire_and_stay_silent_as_their_tests_say(path):
    tested = run(tool("promtool"), "test", "rules", str(path))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_alertmanager_takes_its_configuration():
    checked = run(tool("amtool"), "check-config", str(PROMETHEUS / "alertmanager.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_every_severity_has_a_receiver_of_its_own(severity):
    routed = run(
        tool("amtool"), "config", "routes", "test", "--verify.receivers", severity, "--config.file",
        str(PROMETHEUS / "alertmanager.yml"), f"severity={severity}", "alertname=WeirInstanceDown")
    assert routed.returncode == 0, routed.stdout + routed.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_is_complete(alert):
    name, annotations = alert["alert"], alert["annotations"]
    assert re.fullmatch(r"Weir[A-Z]\w+", name)
    assert set(alert["labels"]) == {"severity"} and alert["labels"]["severity"] in ("critical", "warning", "info")
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == RUNBOOK + name.lower()
    assert "{{ $labels." in annotations["summary"] and "{{ $labels." in annotations["description"]
    assert annotations["description"].endswith(".") and len(annotations["summary"]) <= 120
    assert "for" in alert or "[10m]" in alert["expr"] or "[15m]" in alert["expr"]
    assert f"\n## {name}\n" in (PROMETHEUS / "RUNBOOK.md").read_text()
    assert not re.search(r'\bjob\s*[=!]~?\s*"', alert["expr"]), "a job is called what its owner likes"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_a_case_that_fires_and_one_that_is_silent(alert):
    own = [check for check in alert_checks() if check["alertname"] == alert["alert"]]
    assert any(check.get("exp_alerts") for check in own), "no case in which it fires"
    assert any(not check.get("exp_alerts") for check in own), "no case in which it is silent"


def test_expected_alerts_name_every_annotation():
    expected = [alert for check in alert_checks() for alert in check.get("exp_alerts") or []]
    assert len(expected) >= len(ALERTS)
    for alert in expected:
        assert set(alert["exp_annotations"]) == {"summary", "description", "runbook_url"}
        assert "unknown" not in alert["exp_annotations"]["description"]


def test_the_runbook_has_no_section_without_an_alert():
    sections = re.findall(r"^## (\w+)$", (PROMETHEUS / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert sections == list(dict.fromkeys(sections))
    assert set(sections) == {alert["alert"] for alert in ALERTS}
    links = re.findall(r"\]\(#(\w+)\)", (PROMETHEUS / "RUNBOOK.md").read_text())
    assert set(links) <= {name.lower() for name in sections}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_metrics_that_exist(rule):
    unknown = [name for name in metric_names(rule["expr"]) if family(name) is None]
    assert not unknown
    recorded = set(re.findall(r"\b\w+:\w+:\w+\b", rule["expr"]))
    assert recorded <= {rule["record"] for rule in RECORDED}


def test_every_recording_rule_has_a_test():
    text = (PROMETHEUS / "tests" / "weir.recording.test.yml").read_text()
    assert [rule["record"] for rule in RECORDED if f"expr: {rule['record']}\n" not in text] == []


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])
def test_a_recording_rule_is_named_by_level_metric_and_operation(rule):
    assert re.fullmatch(r"[a-z_]+:weir_[a-z_]+:[a-z0-9_]+", rule["record"])


def test_the_readme_counts_the_alerts():
    text = (PROMETHEUS.parent / "README.md").read_text()
    # One that has two severities is one.
    assert re.findall(r"(\d+) alerts\b", text) == [str(len({alert["alert"] for alert in ALERTS}))] * 2


def test_the_page_lists_every_alert_with_its_severity():
    text = (PROMETHEUS.parent / "docs/dashboards.md").read_text()
    table = text.split("<!-- alerts: checked by Tests/ObservabilityTests -->")[1].split("<!-- /alerts -->")[0]
    listed = re.findall(r"^\| `(Weir\w+)` \| (\w+) \| .+ \|$", table, re.MULTILINE)
    assert listed == [(alert["alert"], alert["labels"]["severity"]) for alert in ALERTS]


INTERVALS = (10, 30, 60)
# Those that compare with the day before have samples that are too far apart to be read at shorter intervals.
OF_MINUTES = [path for path in FILES if path.name not in ("weir.recording.test.yml", "weir.days.test.yml")]
of_minutes = pytest.mark.parametrize("path", OF_MINUTES, ids=lambda path: path.name)


@of_minutes
# What holds at both ends is asked in the middle, too, in the long tier.
@pytest.mark.parametrize("interval", [
    pytest.param(interval, marks=pytest.mark.long if interval == 30 else ()) for interval in INTERVALS])
def test_alerts_fire_and_stay_silent_at_every_scrape_interval(path, interval, tmp_path):
    assert promtool(at_interval(path, interval), tmp_path) == ""


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "weir.recording.test.yml"],
                         ids=lambda path: path.name)
def test_clusters_that_share_job_and_instance_are_told_apart(path, tmp_path):
    assert promtool(side_by_side(path), tmp_path) == ""


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_keeps_every_label_of_a_target_and_fits_every_interval(rule):
    # `by` names the labels that stay, so it would lose those of a target; what counts a job's instances has to.
    assert not re.search(r"\bon \(|\bgroup_(?:left|right)\b", rule["expr"]), "two clusters may share what it matches on"
    assert rule.get("record") == "job:weir_instances:count" or not re.search(r"\bby \(", rule["expr"])
    windows = re.findall(r"\[(\w+)(?::\w*)?\]", str(rule))
    assert all(seconds(window) >= 3 * max(INTERVALS) for window in windows), windows
    assert not re.search(r"(?:job|instance)=%q", str(rule)), "a query in a description takes all labels of the alert"
