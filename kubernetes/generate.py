#!/usr/bin/env python3
"""Writes the PrometheusRule objects of kubernetes/monitoring from the files in prometheus/rules.

    python kubernetes/generate.py            writes the files
    python kubernetes/generate.py --check    fails where a file is not what would be written

The text of the rules goes over as it is, comments included.
"""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / "kubernetes" / "monitoring"
RULES = {"alerts": "weir.alerts.yml", "recording": "weir.recording.yml"}
HEAD = """\
# Written by kubernetes/generate.py from prometheus/rules/{source}.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: weir-{name}
  labels:
    app.kubernetes.io/name: weir
spec:
"""


def rendered() -> dict[str, str]:
    """The text of each file, by its name."""
    files = {}
    for name, source in RULES.items():
        lines = (REPOSITORY / "prometheus" / "rules" / source).read_text(encoding="utf-8").splitlines()
        body = "".join(f"  {line}".rstrip() + "\n" for line in lines)
        files[f"{name}.yaml"] = HEAD.format(source=source, name=name) + body
    return files


def main() -> int:
    files = rendered()
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in files.items() if not (FOLDER / name).exists() or (FOLDER / name).read_text() != text]
        for name in stale:
            print(f"kubernetes/monitoring/{name} is not what kubernetes/generate.py writes", file=sys.stderr)
        return 1 if stale else 0
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
