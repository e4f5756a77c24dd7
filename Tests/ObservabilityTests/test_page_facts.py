"""Facts that the README, the pages in docs/ and the runbook state: queries, metrics, settings, messages, alerts."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from dashboards import family, metric_names
from pages import DOCS, TOP, name
from support import PROMETHEUS, REPOSITORY, run, tool

PAGES = [TOP[0], *DOCS, PROMETHEUS / "RUNBOOK.md"]


def fenced(text: str, language: str = r"\w*") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def spans(text: str) -> list[str]:
    """Code within lines."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"(?<!`)(`+)(?!`)([^\n]+?)(?<!`)\1(?!`)", plain)
    return [span.replace("\\|", "|").strip() for _, span in found]


def queries(path: Path) -> list[str]:
    """PromQL of a page: blocks of it, and code within lines that names a metric. `metric{label}` names a label and asks
    nothing, and `?name[]=` belongs to an address."""
    text = path.read_text()
    named = [span for span in spans(text) if re.search(r"\b(?:weir|process)_\w+", span) and not span.startswith("?")]
    named = [span for span in named if re.fullmatch(r"[\w:]+|.*[({].*", span) and not re.search(r"weir_\w*_\W*…", span)]
    return fenced(text, "promql") + [re.sub(r"\{[\w, ]+\}", "", span) for span in named]


QUERIES = {path: queries(path) for path in PAGES}


def test_every_query_is_valid_promql(tmp_path):
    texts = [query for found in QUERIES.values() for query in found]
    rules = [{"record": f"page:query:number{index}", "expr": text} for index, text in enumerate(texts)]
    path = tmp_path / "pages.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": rules}]}))
    checked = run(tool("promtool"), "check", "rules", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(rules)} rules found" in checked.stdout and len(rules) > 60


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_query_asks_for_metrics_that_exist(path):
    assert [query for query in QUERIES[path] for metric in metric_names(query) if family(metric) is None] == []


def test_a_metric_that_is_none_is_found():
    assert family("weir_dial_failure_total") is None and metric_names("rate(weir_dial_failure_total[5m])")
    assert [path for path in PAGES if path.name == "metrics.md" and len(QUERIES[path]) < 40] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_block_of_yaml_can_be_read_and_prometheus_takes_its_own(path, tmp_path):
    for number, block in enumerate(fenced(path.read_text(), "yaml")):
        content = yaml.safe_load(block)
        if "scrape_configs" not in content:
            continue
        for job in content["scrape_configs"]:
            for key in ("credentials_file", "password_file"):
                for section in (job.get("authorization"), job.get("basic_auth")):
                    if section and key in section:
                        section[key] = str(tmp_path / "secret")
            for key in ("ca_file", "cert_file", "key_file"):
                if key in job.get("tls_config", {}):
                    job["tls_config"][key] = str(tmp_path / "secret")
        (tmp_path / "secret").write_text("secret\n")
        file = tmp_path / f"prometheus-{number}.yml"
        file.write_text(yaml.safe_dump(content))
        checked = run(tool("promtool"), "check", "config", str(file))
        assert checked.returncode == 0, checked.stdout + checked.stderr


SETTINGS = re.findall(
    r"^\| `([\w.]+)` \|.*\| ([^|]*) \|$", (REPOSITORY / "docs" / "settings.md").read_text(), re.MULTILINE)


def test_the_settings_are_listed():
    assert len(SETTINGS) > 55


@pytest.mark.parametrize("setting, link", SETTINGS, ids=[setting for setting, _ in SETTINGS])
def test_every_setting_links_to_a_page_that_names_it(setting, link):
    target = re.fullmatch(r"\[[a-z-]+\]\(([a-z-]+\.md)\)", link)
    assert target, link
    text = (REPOSITORY / "docs" / target[1]).read_text()
    key = setting.rsplit(".", 1)[-1]
    code = spans(text) + fenced(text, "yaml")
    assert any(re.search(rf"\b{key}\b", piece) for piece in code), f"{target[1]} does not name `{key}`"


@cache
def literals() -> str:
    """The string literals of the sources, a line each: pieces that `+` joins as one, and `…` for interpolations."""
    text = "\n".join(path.read_text() for path in sorted((REPOSITORY / "Sources").glob("**/*.swift")))
    text = re.sub(r'"\s*\+\s*"', "", text)
    # Interpolations hold brackets, and at most one more pair of them with text in quotation marks.
    text = re.sub(r'\\\((?:[^()"]|"[^"\n]*"|\((?:[^()"]|"[^"\n]*"|\([^()]*\))*\))*\)', "…", text)
    return "\n".join(re.findall(r'"((?:[^"\\\n]|\\.)+)"', text)).replace("`", "")


def is_message(text: str) -> bool:
    """Whether the program can say it: `…` stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in re.split(r" ?… ?", text.replace("`", "")))
    return re.search(pattern, literals()) is not None


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, or of the page."""
    text = (REPOSITORY / "docs" / page).read_text().split(heading, 1)[1]
    rows = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    return [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows.splitlines()]


MESSAGES = [
    *[("troubleshooting.md", "## From a log line", span) for row in table("troubleshooting.md", "## From a log line")
      for span in spans(row[0])],
    *[("troubleshooting.md", "## From an error", span) for row in table("troubleshooting.md", "## From an error")
      for span in spans(row[0])],
    *[("logs.md", "# Logs", span) for row in table("logs.md", "# Logs") for span in spans(row[0])],
]


@pytest.mark.parametrize("page, heading, text", MESSAGES, ids=[f"{page}: {text}" for page, _, text in MESSAGES])
def test_every_message_of_a_page_is_one_of_the_program(page, heading, text):
    assert is_message(text), f"{page} {heading}: no source says {text!r}"


def test_a_message_that_is_none_is_found():
    assert is_message("dial failed") and is_message("expected … found") and not is_message("dial has failed")
    assert not is_message("dial failed … reload failed")


def test_the_page_on_logs_has_every_line_of_the_program():
    text = "\n".join(path.read_text() for path in (REPOSITORY / "Sources/WeirProxy").glob("**/*.swift"))
    text = re.sub(r'"\s*\+\s*"', "", text)
    said = set(re.findall(r'logger\.\w+\(\s*"([^"\\]+)"', text))
    facts = (REPOSITORY / "Sources/WeirProxy/Logging/LogLine+Record.swift").read_text()
    facts = re.sub(r'"\s*\+\s*"', "", facts).split("func words(for")[1].split("func addDetails")[0]
    said |= set(re.findall(r'"([A-Za-z]\w* [^"]+)"', facts))
    page = spans((REPOSITORY / "docs" / "logs.md").read_text())
    missing = [line for line in said if not any(line.startswith(span.removesuffix(" …")) for span in page if span)]
    assert missing == [] and len(said) > 25


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_alert_of_a_page_exists(path):
    alerts = {rule["alert"] for file in (PROMETHEUS / "rules").glob("*.yml")
              for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"] if "alert" in rule}
    for span in spans(path.read_text()):
        if re.fullmatch(r"Weir[A-Z][\w…]*", span) and not (path.parent.name == "docs" and path.name == "library.md"):
            pattern = span.replace("…", r"\w*")
            assert any(re.fullmatch(pattern, alert) for alert in alerts), span
