"""The README and the pages in docs/: every link has a target, and every configuration that they show is valid."""

import functools
import re
from pathlib import Path

import pytest

from pages import DOCS, PAGES, configurations, name, written
from support import REPOSITORY, run, weir

def without_code(text: str) -> str:
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


@functools.cache
def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    found: dict[str, int] = {}
    result = set(re.findall(r'<a id="([^"]+)">', text))
    for heading in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = found.get(anchor, 0)
        found[anchor] = count + 1
        result.add(anchor if count == 0 else f"{anchor}-{count}")
    return result


def broken_links(path: Path, text: str) -> list[str]:
    """The links of a page within the repository without a file, or without a heading in it."""
    text = without_code(text)
    links = re.findall(r"\]\(\s*<?([^)\s>]+)>?\s*\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    broken = []
    for link in links:
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.is_relative_to(REPOSITORY) or not target.exists():
            broken.append(f"{link}: no such file")
        elif anchor and (target.suffix != ".md" or anchor not in anchors(target)):
            broken.append(f"{link}: no such heading")
    return broken


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_link_leads_somewhere(path):
    assert broken_links(path, path.read_text()) == []


def test_a_broken_link_is_found():
    page = REPOSITORY / "README.md"
    assert broken_links(page, "[a](docs/no-such-page.md) [b](README.md#no-such-heading) [c](#nor-this)") == [
        "docs/no-such-page.md: no such file", "README.md#no-such-heading: no such heading",
        "#nor-this: no such heading"]
    assert broken_links(page, "[a](https://example.net/x) [b](README.md#figures) `[c](none)`") == []


def test_the_contents_name_every_page():
    contents = (REPOSITORY / "docs" / "README.md").read_text()
    linked = set(re.findall(r"\]\(([a-z-]+\.md)\)", contents))
    assert linked >= {path.name for path in DOCS if path.parent.name == "docs"} - {"README.md"}


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 200


CONFIGURATIONS = configurations()


def test_the_pages_show_configurations():
    assert len(CONFIGURATIONS) >= 8


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_every_configuration_is_taken(tmp_path, text):
    checked = run(weir(), "check", "--config", str(written(tmp_path, text)))
    assert checked.returncode == 0, checked.stdout + checked.stderr
