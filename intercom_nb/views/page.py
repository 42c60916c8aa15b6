"""A log as one file for the browser: the same views, the facts, and no connection to anywhere."""

import base64
import gzip
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

from intercom_nb.checks import AnyPath, checked_file
from intercom_nb.log.reading import HasStore, Query, querying
from intercom_nb.views.feed import TEXTS, all_facts, texts_between
from intercom_nb.views.widget import bundle

__all__ = ["to_html"]

_EXPORTS = re.compile(r"export\s*\{([^{}]*)\}\s*;?\s*$")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="intercom-view"></div>
<noscript>This page needs JavaScript to show its conversation; it connects to nothing.</noscript>
<script type="application/json" id="intercom-facts">{facts}</script>
{parts}
<script type="module">{script}</script>
</body>
</html>
"""


def to_html(source: HasStore | AnyPath, path: AnyPath) -> Path:
    """Write a log as one HTML file that anybody can open: the dashboard with its slider, without a kernel.

    Everything is in the file, and it connects to nothing. Texts of agents are only ever shown as text.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or the path of a log.
    path : str or Path
        The file to write.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> to_html(intercom, intercom.log.path.with_suffix(".html")).suffix
    '.html'
    """
    written = checked_file(path, "path")
    with querying(source) as query:
        facts = all_facts(query)
        parts = [_part(query, facts["messages"][n : n + TEXTS]) for n in range(0, len(facts["messages"]), TEXTS)]
        name = dict(query("SELECT key, value FROM meta"))["name"]
    script, style = bundle()
    script = _closed(_mounted(script))
    style = style.replace("</", "<\\/")
    # Of all scripts only this very text runs, whatever a message may contain.
    of_script = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{of_script}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _PAGE.format(
        policy=policy,
        title=html.escape(f"{name} – intercom_nb"),
        style=style,
        facts=_json(facts),
        parts="\n".join(parts),
        script=script,
    )
    with written.open("w", encoding="utf-8", newline="\n") as file:
        file.write(page)
    return written


def _json(thing: Any) -> str:
    return json.dumps(thing, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _part(query: Query, messages: list[list[Any]]) -> str:
    first, last = messages[0][0], messages[-1][0]
    texts = json.dumps(texts_between(query, first, last, longest=None), ensure_ascii=False).encode()
    packed = base64.b64encode(gzip.compress(texts, mtime=0)).decode()
    return f'<script type="text/plain" class="intercom-part" data-from="{first}" data-to="{last}">{packed}</script>'


def _mounted(script: str) -> str:
    """Return the script with a call of what it exports as ``mountPage`` in the place of its exports."""
    script = script.replace("\r\n", "\n").rstrip()
    found = _EXPORTS.search(script)
    exported = {} if found is None else dict(_name(part) for part in found[1].split(",") if part.strip())
    if found is None or "mountPage" not in exported:
        raise ValueError("static/views.js exports no mountPage at its end; build it again from js/")
    root = 'document.getElementById("intercom-view")'
    return f"{script[: found.start()]}{exported['mountPage']}({root});\n"


def _name(part: str) -> tuple[str, str]:
    own, _, public = part.strip().partition(" as ")
    return (public or own).strip(), own.strip()


def _closed(script: str) -> str:
    """Return the script so that nothing in it ends the element it stands in; its strings mean the same."""
    return re.sub(r"<(?=/script|script|!--)", r"\\x3c", script, flags=re.IGNORECASE)
