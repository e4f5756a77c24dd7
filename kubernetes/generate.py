"""Writes prometheus/rules/*.yml as a PrometheusRule, which the Prometheus operator takes: kubernetes/generate.py."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
RULE = REPOSITORY / "kubernetes" / "monitoring" / "prometheusrule.yaml"
HEAD = """# Made by kubernetes/generate.py of prometheus/rules: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: weir
spec:
  groups:
"""


def groups(path: Path) -> str:
    """The groups of a file of rules, four blanks deeper; its first line is their key."""
    text = path.read_text()
    return "".join(f"  {line}\n" if line else "\n" for line in text.split("groups:\n", 1)[1].splitlines())


def rule() -> str:
    return HEAD + "".join(groups(path) for path in sorted((REPOSITORY / "prometheus" / "rules").glob("*.yml")))


if __name__ == "__main__":
    RULE.write_text(rule())
