"""The site's pages: their Python runs as it stands, and what they list is what there is."""

import ast
import re
from pathlib import Path

import pytest

import intercom_nb
from intercom_nb.texts.reasons import ODD_ENDS, sentence

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [DOCS / "start.md", *sorted((DOCS / "guides").glob("*.md"))]
BLOCK = re.compile(
    r"^(?P<fragment><!-- fragment -->\n)?```python\n(?P<code>.*?)^```\n(\n```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)


def rows(page):
    """Return the first two columns of a page's tables."""
    found = re.findall(r"^\| `([^`]+)` \| (.+?) \|$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs_as_it_stands(page, capsys):
    """Its blocks one after the other, as in a notebook; what is shown below one is what it puts out."""
    text = page.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    space = {"__name__": "page"}
    for block in blocks:
        tree = ast.parse(block["code"])
        if block["fragment"]:  # it needs a server: what it imports is there
            tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        capsys.readouterr()
        exec(compile(tree, str(page), "exec"), space)  # noqa: S102 - the reader's own cells
        assert block["shown"] is None or capsys.readouterr().out == block["shown"]

    assert len(blocks) == text.count("```python\n") >= 1


def test_every_public_name_has_its_place_in_the_reference():
    """A page asks for all names of some folders: none is asked for twice, and none with a public name is missing."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    asked = [folder for found in re.findall(r"<!-- names of ([a-z_ ]+) -->", pages) for folder in found.split()]
    defined = {getattr(intercom_nb, name).__module__.split(".")[1] for name in intercom_nb.__all__}

    assert len(asked) == len(set(asked))
    assert defined <= set(asked)


def test_the_environment_is_what_the_code_reads():
    """Each variable that is asked for anywhere has its line, and no other has one."""
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "intercom_nb").rglob("*.py"))
    read = set(re.findall(r"""\bsetting\(["']([A-Z_]+)["']\)""", code))

    assert rows("reference/environment.md").keys() == read


def test_the_reasons_are_those_that_are_told():
    """Word by word, as a service says them."""
    told = rows("reference/reasons.md")
    ends = {word: told.pop(word) for word in ODD_ENDS}

    assert ends == dict(ODD_ENDS)
    assert told == {word: sentence(word) for word in told}
    assert "the limit of" not in "".join(told.values())
    assert len(told) >= 9


def test_the_limits_are_those_that_there_are():
    """Each field of `Limits` stands in the guide."""
    named = set(re.findall(r"`([a-z_]+)`", (DOCS / "guides" / "limits.md").read_text(encoding="utf-8")))

    assert set(intercom_nb.Limits.__dataclass_fields__) <= named
