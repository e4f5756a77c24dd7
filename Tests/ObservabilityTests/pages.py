"""The README and the pages in docs/, and the configurations that they show."""

import re
from pathlib import Path

import pytest

from support import REPOSITORY, run

DOCS = sorted((REPOSITORY / "docs").glob("**/*.md"))
TOP = [REPOSITORY / f"{name}.md" for name in ("README", "ARCHITECTURE", "CHANGELOG", "SECURITY", "CONTRIBUTING")]
PAGES = [*TOP, *DOCS, REPOSITORY / "prometheus" / "RUNBOOK.md", REPOSITORY / "Benchmarks" / "README.md"]

ROUTES = "routes: { a: { scheme: tcp, host: 192.0.2.1, port: '1:2' } }\n"


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def configurations() -> list:
    """Every block of a page that is a configuration of Weir: YAML whose first line is a top-level key of Weir's."""
    tops = "routes|docker|defaults|exporter|log|shutdown|limits|entrypoint|acl|geoip|workers"
    found = []
    for path in [TOP[0], *DOCS]:
        text = path.read_text()
        for block in re.finditer(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            lines = [line for line in block[1].splitlines() if line and not line.startswith("#")]
            if lines and re.match(rf"(?:{tops}|x-\w+):", lines[0]):
                number = text[:block.start()].count("\n") + 2
                found.append(pytest.param(block[1], id=f"{name(path)}:{number}"))
    return found


def database() -> bytes:
    """A MaxMind database (https://maxmind.github.io/MaxMind-DB/) that places every address in Berlin: one node, whose
    two records point to its one entry.
    """
    def text(value: str) -> bytes:
        return bytes([2 << 5 | len(value)]) + value.encode()

    def number(kind: int, value: int) -> bytes:
        digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return (bytes([kind << 5 | len(digits)]) if kind < 8 else bytes([len(digits), kind - 7])) + digits

    def mapping(**entries: bytes) -> bytes:
        return bytes([7 << 5 | len(entries)]) + b"".join(text(key) + value for key, value in entries.items())

    place = mapping(country=mapping(iso_code=text("DE")), location=mapping(time_zone=text("Europe/Berlin")))
    metadata = mapping(
        binary_format_major_version=number(5, 2), binary_format_minor_version=number(5, 0), build_epoch=number(9, 1),
        database_type=text("Test"), description=mapping(en=text("a test")), ip_version=number(5, 6),
        languages=bytes([1, 11 - 7]) + text("en"), node_count=number(6, 1), record_size=number(5, 24))
    record = (1 + 16).to_bytes(3, "big")
    return record * 2 + bytes(16) + place + b"\xab\xcd\xefMaxMind.com" + metadata


def written(folder: Path, text: str) -> Path:
    """The configuration as a file, with routes where it shows none, beside the files that it names."""
    if not re.search(r"^(routes|docker):", text, re.MULTILINE):
        text += ROUTES
    for secret in ("/etc/weir/tokens", "/etc/weir/users", "/var/log/weir/acl.log"):
        text = text.replace(secret, str(folder / Path(secret).name))
    (folder / "tokens").write_text("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n")
    (folder / "users").write_text("prometheus:$2b$10$abcdefghijklmnopqrstuuJ5Qe4o1lUy5bF0bKxU1fJ7mYk0q1T9W\n")
    (folder / "GeoLite2-Country.mmdb").write_bytes(database())
    for list_name in re.findall(r"(?<!_)file: ?([\w./-]+)", text):
        (folder / list_name).write_text("192.0.2.66\n")
    names = re.findall(r"\b(?:certificate|ca|client_ca|key): ?([\w./-]+\.(?:pem|key))", text)
    if names:
        pair = folder / "test"
        made = run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-keyout", f"{pair}.key", "-out", f"{pair}.pem", "-subj", "/CN=test", "-addext", "subjectAltName=DNS:localhost")
        assert made.returncode == 0, made.stderr
        for named in sorted(set(names), key=len, reverse=True):
            text = text.replace(named, f"{pair}{Path(named).suffix}")
        # A page shows the routes alone where it has told of the process's certificates before.
        if not re.search(r"^tls:", text, re.MULTILINE):
            text += f"tls: {{ certificates: [{{ certificate: {pair}.pem, key: {pair}.key }}] }}\n"
    file = folder / "weir.yml"
    file.write_text(text)
    return file
