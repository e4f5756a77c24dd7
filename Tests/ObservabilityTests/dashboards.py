"""The committed dashboards as the tests look at them: panels, expressions, variables filled in."""

import json
import re
from dataclasses import dataclass
from functools import cache

from support import GRAFANA, REPOSITORY

VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


@dataclass(frozen=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    expression: str


@cache
def committed() -> dict[str, dict]:
    files = sorted((GRAFANA / "dashboards").glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in files}


def panels(dashboard: dict) -> list[dict]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets() -> list[Target]:
    return [
        Target(uid, panel["title"], target["expr"])
        for uid, dashboard in committed().items() for panel in panels(dashboard) for target in panel["targets"]
    ]


def variables(dashboard: dict) -> dict[str, dict]:
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def interpolate(expression: str, values: dict[str, str]) -> str:
    """As Grafana does it; a variable without a value is an error."""
    return VARIABLE.sub(lambda match: values[match[1] or match[2]], expression)


ALL = {"__rate_interval": "1m", "job": ".+", "instance": ".+", "route": ".+"}
ONE = {"__rate_interval": "1m", "job": "weir", "instance": "127.0.0.1:9847", "route": "echo"}
# Several values: Grafana joins them with bars, in brackets, each escaped for a regular expression inside of a string.
SEVERAL = ALL | {"job": "(weir|edge)", "instance": r"(127\\.0\\.0\\.1:9847|b:9847)", "route": "(echo|dead-udp)"}


def label_values(query: str) -> tuple[str, str]:
    """Selector and label of `label_values(selector, label)`."""
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert match, query
    return match[1], match[2]


@cache
def catalogue() -> dict[str, str]:
    """Type of each metric by its name, from the table in docs/metrics.md, which `weir metrics` prints."""
    text = (REPOSITORY / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `((?:weir|process)_\w+)` \| (\w+) \|", text, re.MULTILINE)
    assert len(rows) > 30
    return dict(rows)


# Added by Prometheus itself.
OWN = {"up": "gauge", "scrape_duration_seconds": "gauge", "ALERTS": "gauge"}


def metric_names(expression: str) -> set[str]:
    """Names of metrics in an expression, those of recording rules left out."""
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    plain = re.sub(r"\{[^}]*\}", "", plain)
    plain = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", plain)
    names = set(re.findall(r"(?<![:\w])(?:weir|process|scrape)_\w+(?![:\w])", plain))
    return names | set(re.findall(r"\b(?:up|ALERTS)\b", plain))


def family(name: str) -> tuple[str, str] | None:
    """Name and type of the family that a series belongs to."""
    known = catalogue() | OWN
    if name in known:
        return name, known[name]
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return (base, "histogram") if known.get(base) == "histogram" else None
