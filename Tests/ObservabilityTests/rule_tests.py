"""The tests of prometheus/tests, changed and run again: at other scrape intervals, and with two clusters side by side."""

import re
from functools import cache
from pathlib import Path

import yaml

from support import PROMETHEUS, run, tool

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
FILES = sorted((PROMETHEUS / "tests").glob("*.yml"))


def seconds(text: str) -> int:
    """Of a duration such as 1h30m."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", str(text)))


def samples(values: str) -> list[str]:
    """What promtool's notation stands for, one text a sample."""
    found = []
    for word in values.split():
        if match := re.fullmatch(r"(-?[\d.]+)([+-][\d.]+)x(\d+)", word):
            found += [repr(float(match[1]) + float(match[2]) * index) for index in range(int(match[3]) + 1)]
        elif match := re.fullmatch(r"(-?[\d.]+)x(\d+)", word):
            found += [match[1]] * (int(match[2]) + 1)
        elif match := re.fullmatch(r"_x(\d+)", word):
            found += ["_"] * int(match[1])
        else:
            found.append(word)
    return found


def resampled(values: str, old: int, new: int) -> str:
    """The same series, scraped at another interval: each scrape sees the last value before it."""
    known = samples(values)
    count = (len(known) - 1) * old // new + 1
    return " ".join(known[index * new // old] for index in range(count))


@cache
def written(path: Path) -> dict:
    # All as text: promtool's 0x60 is 61 zeros, and YAML's is 96.
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)


def firing(alert: str, selector: str, expected: int, at: str) -> dict:
    """A check of how many alerts of a name fire."""
    counted = f'count(ALERTS{{alertname="{alert}", alertstate="firing"{selector}}}) or vector(0)'
    return {"expr": counted, "eval_time": at, "exp_samples": [{"labels": "{}", "value": expected}]}


def with_rules(path: Path, tests: list[dict]) -> dict:
    rules = [str((path.parent / rule).resolve()) for rule in written(path)["rule_files"]]
    return {**written(path), "rule_files": rules, "tests": tests}


def at_interval(path: Path, interval: int) -> dict:
    """The tests of alerts in a file, as if everything were scraped at this interval."""
    tests = []
    for test in written(path)["tests"]:
        old = seconds(test["interval"])
        tests.append({
            "name": test["name"], "interval": f"{interval}s",
            "input_series": [one | {"values": resampled(one["values"], old, interval)} for one in test["input_series"]],
            "promql_expr_test": [
                firing(check["alertname"], "", len(check.get("exp_alerts") or []), check["eval_time"])
                for check in test["alert_rule_test"]
            ],
        })
    return with_rules(path, tests)


def labeled(series: str, cluster: str) -> str:
    return series.replace("{", f'{{cluster="{cluster}", ', 1)


def side_by_side(path: Path) -> dict:
    """Each test in one cluster and the next of its interval in another: each must see its own alerts, and only these."""
    tests = []
    alone = [test for test in written(path)["tests"] if "cluster" not in str(test["input_series"])]
    for interval in {test["interval"] for test in alone}:
        those = [test for test in alone if test["interval"] == interval]
        for test, other in zip(those, those[1:] + those[:1]):
            tests.append({
                "name": f"{test['name']} | {other['name']}", "interval": interval,
                "input_series": [
                    one | {"series": labeled(one["series"], cluster)}
                    for cluster, of in (("eu", test), ("us", other)) for one in of["input_series"]
                ],
                "promql_expr_test": [
                    firing(check["alertname"], f', cluster="{cluster}"', len(check.get("exp_alerts") or []),
                           check["eval_time"])
                    for cluster, of in (("eu", test), ("us", other)) for check in of["alert_rule_test"]
                ],
            })
    return with_rules(path, tests)


def promtool(tests: dict, folder: Path) -> str:
    """What promtool finds wrong; empty where nothing is."""
    path = folder / "changed.test.yml"
    path.write_text(yaml.safe_dump(tests, sort_keys=False))
    tested = run(tool("promtool"), "test", "rules", str(path))
    return "" if tested.returncode == 0 else tested.stdout + tested.stderr
