"""The links and pictures of the repository's pages lead to files and headings that exist."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from check import tracked

from console import blocks
from harness.paths import ROOT

# Links and pictures, as Markdown and as HTML.
LINK = re.compile(
    r"""\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)|\b(?:href|src|srcset)="([^"\s]+)""", re.MULTILINE
)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
# Templates, whose links are those of the page in docs/.
TEMPLATES = {"tests/it/config/reference.md": "docs", "tests/it/metrics/page.md": "docs"}


def prose(page: Path) -> list[str]:
    """The lines outside fenced blocks."""
    text = page.read_text()
    code = {number for block in blocks(text) for number in range(block.first - 1, block.first + len(block.lines) + 1)}
    return [line for number, line in enumerate(text.splitlines(), start=1) if number not in code]


def targets(page: Path) -> list[str]:
    text = CODE.sub("", "\n".join(prose(page)))
    return [next(filter(None, found)) for found in LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to headings."""
    found: dict[str, int] = {}
    for line in prose(page):
        if heading := re.match(r"#{1,6} +(.*?)[ #]*$", line):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found[name] = found.get(name, -1) + 1
    return {f"{name}-{number}" if number else name for name, last in found.items() for number in range(last + 1)}


def broken(page: Path, folder: Path) -> list[str]:
    faults = []
    for target in targets(page):
        url = urlsplit(target)
        if url.scheme or url.netloc:
            continue
        file = folder / unquote(url.path) if url.path else page
        if not file.exists():
            faults.append(f"{target}: there is no such file")
        elif url.fragment and file.suffix == ".md" and url.fragment not in anchors(file):
            faults.append(f"{target}: the page has no such heading")
    return faults


PAGES = [page.as_posix() for page in tracked(ROOT, "*.md")]


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_resolve(page: str):
    folder = ROOT / TEMPLATES.get(page, Path(page).parent)
    assert not broken(ROOT / page, folder)


def test_the_pages_have_links():
    assert "docs/tapegate.svg" in targets(ROOT / "README.md")
    assert sum(len(targets(ROOT / page)) for page in PAGES) > 300


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[a](gone.md)", ["gone.md: there is no such file"]),
        ("![a](gone.svg)", ["gone.svg: there is no such file"]),
        ('<img alt="a" src="gone.svg">', ["gone.svg: there is no such file"]),
        ("[a]: gone.md", ["gone.md: there is no such file"]),
        ("# One `two`, three\n## One\n## One\n[a](#one-two-three) [b](#one-1) [c](page.md#one)", []),
        ("# One\n[a](#two)", ["#two: the page has no such heading"]),
        ("# One\n[a](page.md#two)", ["page.md#two: the page has no such heading"]),
        ("`[a](gone.md)`\n```\n[a](gone.md)\n# In code\n```\n[b](https://example.com/gone)", []),
        ("```\n# In code\n```\n[a](#in-code)", ["#in-code: the page has no such heading"]),
    ],
)
def test_broken_links_are_found(text: str, faults: list[str], tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(text + "\n")
    assert broken(page, tmp_path) == faults


@pytest.mark.parametrize("picture", [str(picture) for picture in tracked(ROOT, "*.svg")])
def test_pictures_are_valid_and_say_what_they_show(picture: str):
    root = ElementTree.parse(ROOT / picture).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg"
    assert root.findtext(f"{svg}title")
