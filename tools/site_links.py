"""Tell which links within a built site lead nowhere: ``python tools/site_links.py build/site``."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["dead", "main"]


class _Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the links and the anchors of an element."""
        found = {name: value for name, value in attrs if value}
        self.links |= {found[name] for name in ("href", "src") if name in found}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}


def dead(site: Path) -> list[str]:
    """Return the links that lead nowhere, a sentence each.

    Parameters
    ----------
    site : Path
        The folder of a built site.
    """
    site = site.resolve()
    pages = {file: _Page(file.read_text("utf-8")) for file in sorted(site.rglob("*.html"))}
    told = []
    for file, page in pages.items():
        for link in sorted(page.links):
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (file.parent / unquote(to.path)).resolve() if to.path else file
            target = target / "index.html" if target.is_dir() else target
            known = pages.get(target)
            if known is None and not target.is_file():
                told.append(f"{file.relative_to(site)}: {link}: there is no such file")
            elif known is not None and to.fragment and unquote(to.fragment) not in known.anchors:
                told.append(f"{file.relative_to(site)}: {link}: there is no such place in it")
    return told


def main() -> int:
    """Look through a site; return the exit status."""
    site = Path(sys.argv[1])
    if not (site / "index.html").is_file():
        print(f"{site} is no built site: it has no index.html", file=sys.stderr)
        return 1
    told = dead(site)
    print("\n".join(told) or f"every link within {site} leads somewhere")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
