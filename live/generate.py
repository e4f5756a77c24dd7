#!/usr/bin/env python3
"""Writes the page that the exporter serves at / into Sources/WeirProxy/Live/Page/, as Swift.

    python live/generate.py            writes the files
    python live/generate.py --check    fails where a file is not what would be written

The page is one document: page.html with page.css, model.js and view.js in it. Its Content-Security-Policy allows exactly
these two texts, by their hashes, and requests to where the page came from. Only blank lines, indentation and whole lines of
comment are left out.
"""

import base64
import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent / "Sources/WeirProxy/Live/Page"
LINES_OF_PART = 350
NOTE = "// swift-format-ignore-file\n// Made by live/generate.py of live/*.html, *.css and *.js: change those.\n\n"


def packed(name: str) -> str:
    """The text of a file without blank lines, indentation and lines that are comments."""
    lines = (line.strip() for line in (HERE / name).read_text().splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("// "))


def digest(text: str) -> str:
    """The source expression of a text (CSP Level 3, section 6.7.2)."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page() -> tuple[str, str]:
    """The document and its policy."""
    style, script = packed("page.css"), packed("model.js") + "\n" + packed("view.js")
    html = packed("page.html").replace("/*style*/", style).replace("/*script*/", script) + "\n"
    policy = "; ".join([
        "default-src 'none'", f"script-src {digest(script)}", f"style-src {digest(style)}", "connect-src 'self'", "img-src data:",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
    ])
    return html, policy


def rendered() -> dict[str, str]:
    """The text of each file, by its name."""
    html, policy = page()
    assert '"""#' not in html and "\\#" not in html
    lines = html.splitlines()
    parts = [lines[start:start + LINES_OF_PART] for start in range(0, len(lines), LINES_OF_PART)]
    names = [f"part{index + 1}" for index in range(len(parts))]
    files = {
        "LivePage.swift": NOTE + "/// The page at `/`: one document that asks for nothing but `/api/v1/status`.\nenum LivePage {\n"
        + "    /// The policy under which a browser shows the page (Content-Security-Policy).\n"
        + f'    static let policy = "{policy}"\n\n'
        + "    /// The whole document.\n"
        + f"    static var html: String {{ {' + '.join(names)} }}\n}}\n"
    }
    for index, (name, part) in enumerate(zip(names, parts)):
        text = "".join(f"        {line}\n" for line in part)
        files[f"LivePage+Part{index + 1}.swift"] = (
            NOTE + f'extension LivePage {{\n    static let {name} = #"""\n{text}\n        """#\n}}\n')
    return files


def main() -> int:
    files = rendered()
    present = {path.name for path in FOLDER.glob("*.swift")}
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in files.items() if name not in present or (FOLDER / name).read_text() != text]
        stale += sorted(present - files.keys())
        for name in stale:
            print(f"{FOLDER.name}/{name} is not what live/generate.py writes", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in present - files.keys():
        (FOLDER / name).unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
