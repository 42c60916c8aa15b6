"""The site, as Sphinx reads it; ``make docs`` builds it into build/site. Its pages lie all over the clone."""

import logging
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from docutils import nodes

import intercom_nb
from intercom_nb import demos, to_html

ROOT = Path(__file__).parents[1]

# The notebooks run as they do for a newcomer: no key, and what they write is nobody's.
_KEPT = tempfile.TemporaryDirectory()
os.environ |= {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "INTERCOM_MODEL": "offline", "MPLBACKEND": "Agg"}
os.environ["THREAD_LOGS_PATH"] = _KEPT.name

for chatty in ("httpx2", "traitlets"):
    logging.getLogger(chatty).setLevel(logging.WARNING)  # Sphinx shows whatever anybody logs

project = "intercom_nb"
author = "The intercom_nb authors"
release = version = intercom_nb.__version__
root_doc = "docs/index"
include_patterns = ["docs/**.md", "notebooks/*.ipynb", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"]
exclude_patterns = [
    "**/.*",
    "build",
    "dist",
    "js",
    "logs",
    "tests",
    "benchmarks",
    "tools",
    "intercom_nb",
    "notebooks/logs",
]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]

myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_ipywidgets_js: dict[str, Any] = {}  # nothing is fetched from elsewhere: where a view would be, its picture is
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
maximum_signature_line_length = 80
default_role = "any_or_code"

html_theme = "furo"
html_title = f"intercom_nb {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

_EXTRA = tempfile.TemporaryDirectory()
html_extra_path = [_EXTRA.name]


def _public(folders: str) -> str:
    """Return the entries of all public names that some of the package's folders define."""
    entries = []
    for name in intercom_nb.__all__:
        thing = getattr(intercom_nb, name)
        if thing.__module__.split(".")[1] in folders.split():
            kind = ("exception" if issubclass(thing, Exception) else "class") if isinstance(thing, type) else "function"
            members = "\n   :members:\n" if kind == "class" else "\n"
            entries.append(f"```{{eval-rst}}\n.. auto{kind}:: intercom_nb.{name}{members}```\n")
    return "\n".join(entries)


def _filled(_: Any, __: str, source: list[str]) -> None:
    """Put what is generated into the pages that ask for it."""
    source[0] = re.sub(r"<!-- names of ([a-z_ ]+) -->", lambda found: _public(found[1]), source[0])


def _gallery(_: Any) -> None:
    """Run both demos, and keep what anybody may open: their shared pages, alive in the site."""
    folder = Path(_EXTRA.name)
    (folder / "gallery").mkdir(exist_ok=True)
    for demo in (1, 2):
        to_html(demos.run(demo).log, folder / "gallery" / f"demo_{demo}.html")
    moved = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=docs/index.html">'
    (folder / "index.html").write_text(f'{moved}<a href="docs/index.html">intercom_nb</a>\n', "utf-8")


def setup(app: Any) -> None:
    """Tell Sphinx of what is generated here."""
    app.add_generic_role("any_or_code", nodes.literal)
    app.connect("source-read", _filled)
    app.connect("builder-inited", _gallery)
