"""Draws docs/images/: run it as scripts/pictures.

Every number in the pictures is measured. `overview.svg` shows panels of the dashboard *Weir overview*: their queries, asked of
a Prometheus that has scraped `weir demo` and a second Weir, whose upstream was stopped for a while. `demo.svg` is a table
that the demo printed. They are pictures of the data, drawn here, and not of Grafana's interface.
"""

import json
import re
import sys
import tempfile
import time
import urllib.parse
from html import escape
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "Tests" / "ObservabilityTests"), str(REPOSITORY / "grafana")]

from dashboards import committed, interpolate, panels  # noqa: E402
from support import http  # noqa: E402
from weir_dashboards.overview import ANSWERS  # noqa: E402
from world import World  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
CALM, OUTAGE, AFTER = 110, 45, 55  # seconds
STEP = 2
COLORS = ["#2f6fd0", "#e0862b", "#3a9d5d", "#c9413c", "#8459c4", "#1f9aa8", "#b8860b", "#d0589b", "#6b7a8f", "#7aa52b",
          "#a0522d", "#4b5bb5", "#d4a017", "#2e8b82", "#b04a6f", "#557a2b"]
STATES = {"green": "#2e8b4f", "orange": "#d9822b", "red": "#c9413c"}
FONT = "font-family='ui-sans-serif,system-ui,Segoe UI,Helvetica,Arial,sans-serif'"
MONO = "font-family='ui-monospace,SFMono-Regular,Menlo,Consolas,monospace'"


def number(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    ending = {"Bps": "B/s", "cps": "/s", "pps": "/s", "s": "s"}.get(unit, "")
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{ending}"
    return f"{value:.3g} {ending}" if ending.startswith("B") else f"{value:.3g}{ending}"


def text(x: float, y: float, content: str, size: int = 12, fill: str = "#24292f", anchor: str = "start",
         weight: int = 400) -> str:
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{fill}' text-anchor='{anchor}' "
            f"font-weight='{weight}'>{escape(content)}</text>")


def frame(x: float, y: float, width: float, height: float) -> str:
    return f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='6' fill='#ffffff' stroke='#d0d7de'/>"


def document(width: int, height: int, title: str, parts: list[str], font: str = FONT, fill: str = "#f6f8fa") -> str:
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' {font}>\n"
            f"<title>{escape(title)}</title>\n<rect width='{width}' height='{height}' rx='8' fill='{fill}'/>\n"
            + "\n".join(parts) + "\n</svg>\n")


def ranged(prometheus: str, expression: str, start: int, end: int) -> list[tuple[dict, dict[int, float]]]:
    parameters = urllib.parse.urlencode({"query": expression, "start": start, "end": end, "step": STEP})
    status, body = http(f"{prometheus}/api/v1/query_range?{parameters}")
    assert status == 200, f"{status} for {expression}: {body}"
    found = json.loads(body)["data"]["result"]
    return [(series["metric"], {round(at): float(value) for at, value in series["values"]}) for series in found]


def series_of(panel: dict, prometheus: str, start: int, end: int) -> list[tuple[str, dict[int, float]]]:
    """Names and values of what a panel shows."""
    values = {"__rate_interval": "15s", "job": ".+", "instance": ".+", "route": ".+"}
    found = []
    for target in panel["targets"]:
        for labels, points in ranged(prometheus, interpolate(target["expr"], values), start, end):
            name = re.sub(r"{{(\w+)}}", lambda match, labels=labels: labels.get(match[1], ""), target["legendFormat"])
            found.append((name, points))
    return sorted(found, key=lambda entry: -sum(entry[1].values()))


def stat(panel, shown, x: float, y: float, width: float, height: float) -> str:
    value = next((points[max(points)] for _, points in shown if points), 0.0)
    color = next((STATES[color] for limit, color in reversed(panel.thresholds) if limit is None or value >= limit))
    return "\n".join([
        frame(x, y, width, height), text(x + 12, y + 22, panel.title, 12, "#57606a"),
        text(x + 12, y + 56, number(value, panel.unit), 22, color, weight=600)])


def chart(panel, shown, x: float, y: float, width: float, height: float, start: int, end: int) -> str:
    """Lines, or areas on top of each other where the panel stacks them, above a legend of at most eight names."""
    stacked = panel.shape == "stack"
    left, right, top, rows = x + 58, x + width - 14, y + 36, 3
    bottom = y + height - 26 - 16 * rows
    times = [start + STEP * index for index in range(int((end - start) // STEP) + 1)]
    heights, curves = [0.0] * len(times), []
    for index, (name, points) in enumerate(shown):
        values = [points.get(at, 0.0) for at in times]
        if stacked:
            below, heights = heights, [low + value for low, value in zip(heights, values)]
            curves.append((name, COLORS[index % len(COLORS)], below, heights))
        else:
            curves.append((name, COLORS[index % len(COLORS)], None, values))
    most = max([1e-9, *(value for *_, values in curves for value in values)]) * 1.05
    parts = [frame(x, y, width, height), text(x + 12, y + 22, panel.title, 13, weight=600)]
    for share in (0, 0.5, 1):
        level = bottom - share * (bottom - top)
        parts.append(f"<line x1='{left}' y1='{level:.1f}' x2='{right}' y2='{level:.1f}' stroke='#eaeef2'/>")
        parts.append(text(left - 6, level + 4, number(most * share, panel.unit), 10, "#57606a", "end"))
    for share, label in ((0, f"−{end - start:.0f} s"), (1, "now")):
        parts.append(text(left + share * (right - left), bottom + 14, label, 10, "#57606a", "end" if share else "start"))

    def place(at: float, value: float) -> str:
        return f"{left + (at - start) / (end - start) * (right - left):.1f},{bottom - value / most * (bottom - top):.1f}"

    for _, color, below, values in curves:
        line = " ".join(place(at, value) for at, value in zip(times, values))
        if below is not None:
            back = " ".join(place(at, value) for at, value in reversed(list(zip(times, below))))
            parts.append(f"<polygon points='{line} {back}' fill='{color}' fill-opacity='0.75'/>")
        else:
            parts.append(f"<polyline points='{line}' fill='none' stroke='{color}' stroke-width='1.6'/>")
    columns, limit = 3, 3 * rows
    names = [(name, color) for name, color, *_ in curves]
    if len(names) > limit:
        names = [*names[:limit - 1], (f"and {len(names) - limit + 1} more", "#ffffff")]
    for index, (name, color) in enumerate(names):
        at = x + 14 + (index % columns) * (width - 24) / columns
        row = bottom + 32 + 16 * (index // columns)
        parts += [f"<rect x='{at:.1f}' y='{row - 8:.1f}' width='9' height='9' rx='2' fill='{color}'/>",
                  text(at + 14, row, name, 11)]
    return "\n".join(parts)


def overview(prometheus: str, start: int, end: int) -> str:
    committed_panels = panels(committed()["weir-overview"])
    width, gap, parts = 1200, 10, []
    parts.append(text(16, 28, "Weir overview", 18, weight=600))
    parts.append(text(width - 16, 28, f"panels of the dashboard, drawn from {end - start:.0f} s in a Prometheus; one "
                      "upstream was stopped meanwhile", 12, "#57606a", "end"))
    stats, charts = 0, 0
    for panel, shown in zip(ANSWERS.panels, (series_of(one, prometheus, start, end) for one in committed_panels)):
        if panel.shape == "stat":
            part = (width - 32 - 7 * gap) / 8
            parts.append(stat(panel, shown, 16 + stats * (part + gap), 44, part, 72))
            stats += 1
        else:
            part = (width - 32 - 2 * gap) / 3
            parts.append(chart(panel, shown, 16 + charts % 3 * (part + gap), 126 + charts // 3 * 260, part, 250, start, end))
            charts += 1
    return document(width, 126 + (charts + 2) // 3 * 260 + 6, "The first panels of the dashboard Weir overview", parts)


def demo(log: str) -> str:
    """The last whole table of the demo's output."""
    table = log[log.rindex("ROUTE  ", 0, log.rindex("ROUTE  ")):].split("\n\n")[0]
    lines = ["$ weir demo", *table.rstrip().splitlines()]
    parts = []
    for index, line in enumerate(lines):
        fill = "#7ee787" if index == 0 else "#8b949e" if index == 1 else "#e6edf3"
        fill = "#ffa657" if index > 1 and re.search(r"[a-z_]+ \d+$", line) else fill
        parts.append(f"<text x='20' y='{34 + 19 * index}' font-size='14' fill='{fill}' xml:space='preserve'>"
                     f"{escape(line)}</text>")
    width = 40 + round(8.5 * max(map(len, lines)))
    return document(width, 34 + 19 * len(lines), "A table that weir demo prints every two seconds", parts, MONO, "#0d1117")


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            start = round(time.time()) + 20
            world.keep_conversing()
            time.sleep(20 + CALM)
            world.upstream.stop()
            time.sleep(OUTAGE)
            world.upstream.start()
            time.sleep(AFTER)
            world.check()
            IMAGES.mkdir(exist_ok=True)
            (IMAGES / "overview.svg").write_text(overview(world.shipped, start, round(time.time())))
            (IMAGES / "demo.svg").write_text(demo(world.demo.log.read_text()))
        finally:
            world.stop()


main()
