"""Hooks of mkdocs: the pages that stand outside ``docs/`` are pages of the site, too.

They keep their place, so that ``benchmarks/RESULTS.md`` is the site's ``benchmarks/RESULTS/``, and
the pages in ``docs/`` lose that folder. A link that is right in the repository is put right here.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/*.md",
    "notebooks/*.ipynb",
    "paddle_oct/**/README.md",
)
CHINESE = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"  # characters and punctuation
BROKEN_LINE = re.compile(rf"(?<=[{CHINESE}])\n(?=[{CHINESE}])")
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")


@event_priority(100)  # before what turns notebooks into pages
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside ``docs/``."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    name = page.file.src_uri
    if name.endswith(".ipynb"):
        return markdown
    outside = not (ROOT / "docs" / name).exists()
    in_repository = posixpath.dirname(name if outside else f"docs/{name}")
    on_site = posixpath.dirname(name)

    def turn(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(in_repository, match[1]))
        return posixpath.relpath(re.sub(r"^docs/", "", target), on_site or ".")

    # A browser makes a space of a line's end; Chinese has none.
    return LINK.sub(turn, BROKEN_LINE.sub("", markdown))
