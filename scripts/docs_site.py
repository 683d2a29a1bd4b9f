# SPDX-License-Identifier: MIT
"""A hook of MkDocs (mkdocs.yml). It adds the pages that are not in docs/ to the site, and makes links between
files of the repository links of the site. docs_reference.py makes the reference pages.

A link to a file that is no page leads to a copy of the file as text. A link to nothing stays as it is, and
MkDocs warns.
"""

from __future__ import annotations

import html
import logging
import os
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import docs_reference  # noqa: E402

# Pages of the repository outside of docs/, by their place in the site.
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
    "bench.md": "bench/README.md",
    "vectors.md": "tests/conformance/README.md",
}
GENERATED = {
    "reference/python.md": docs_reference.python_page,
    "reference/lua.md": docs_reference.lua_page,
    "reference/c.md": docs_reference.c_page,
    "reference/examples.md": docs_reference.examples_page,
}
# The page that shows a file.
SHOWN = {
    "core/include/curlwire.h": "reference/c.md",
    "bindings/lua/curlwire/annotations.lua": "reference/lua.md",
    "examples": "reference/examples.md",
    **{source: page for page, source in PAGES.items()},
}
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)")
FENCE = re.compile(r" *```")
FOREIGN = re.compile(r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="(https?://[^"]+)')
MARKER = re.compile(r"( *)((?:[-*]|\d+\.) +)(?=\S)")


def place_of(source: str) -> str:
    """Returns the place of a file of the repository on the site."""
    if source in SHOWN:
        return SHOWN[source]
    if source.startswith("docs/"):
        return source.removeprefix("docs/")
    if source.startswith("examples/"):
        return f"{SHOWN['examples']}#{source.removeprefix('examples/')}"
    return f"source/{source}.txt"


def with_links(text: str, source: str, page: str, copied: set[str]) -> str:
    """The text with the links of the site. Adds the files that it needs to copied."""

    def link(found: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(source), found[1]))
        if not (ROOT / target).exists():
            return found[1]
        place = place_of(target)
        if place.startswith("source/"):
            copied.add(target)
        return os.path.relpath(place, os.path.dirname(page) or ".")

    return LINK.sub(link, text)


def with_deep_lists(text: str) -> str:
    """The text with lists as Python-Markdown reads them: after an empty line, with items indented by 4."""
    lines: list[str] = []
    items: list[int] = []  # the column of the text of each open list item, innermost last
    is_code = False
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        is_list = bool(items)
        if line.strip() and not is_code:
            while items and indent < items[-1] and (MARKER.match(line) or not (lines and lines[-1])):
                items.pop()
        depth = len(items)
        found = None if is_code else MARKER.match(line)
        if found:
            if not is_list and lines and lines[-1]:
                lines.append("")
            items.append(indent + len(found[2]))
        taken = min(indent, items[depth - 1] if depth else 0)
        lines.append(" " * 4 * depth + line[taken:] if line.strip() else "")
        if FENCE.match(line):
            is_code = not is_code
    return "\n".join(lines) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs calls this once it has found the files of docs/."""
    texts = {page: (ROOT / source).read_text(encoding="utf-8") for page, source in PAGES.items()}
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    for page, make in GENERATED.items():
        files.append(File.generated(config, page, content=make()))
    copied: set[str] = set()
    for file in files.documentation_pages():
        page = file.src_uri
        if page not in GENERATED:
            source = PAGES.get(page, f"docs/{page}")
            file.content_string = with_deep_lists(with_links(file.content_string, source, page, copied))
    for source in sorted(copied):
        files.append(File.generated(config, place_of(source), content=(ROOT / source).read_bytes()))
    return files


def with_labels(table: str) -> str:
    """A table whose cells know the names of their columns, for site.css."""
    names = [re.sub(r"<.*?>", "", name) for name in re.findall(r"<th\b[^>]*>(.*?)</th>", table, re.DOTALL)]

    def row(found: re.Match[str]) -> str:
        left = iter(names)
        return re.sub(r"<td\b", lambda _: f'<td data-label="{html.escape(next(left))}"', found[0])

    return re.sub(r"<tr>.*?</tr>", row, table, flags=re.DOTALL)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """MkDocs calls this for each page that it has made of Markdown."""
    return re.sub(r"<table>.*?</table>", lambda table: with_labels(table[0]), content, flags=re.DOTALL)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> None:
    """MkDocs calls this for each page. It reports a page that loads from another host, like a dead link."""
    for address in FOREIGN.findall(output):
        logging.getLogger("mkdocs").warning(f"{page.file.src_uri} loads {address}")
