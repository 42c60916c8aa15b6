"""Every Python block of the README runs as it stands, in a fresh namespace and a folder of its own.

A block below ``<!-- fragment -->`` needs a key or a server; of that one, what it imports is there.
"""

import ast
import re
import shutil
from pathlib import Path

import pytest

from intercom_nb import demos

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^## (?P<title>[^\n]+)|^(?P<fragment><!-- fragment -->\n)?```python\n(?P<code>.*?)^```\n"
    r"(\n```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)


def blocks():
    """Return each block, named after the heading it stands below: its code, the output shown, whether a fragment."""
    title, found = "The first example", []
    for match in BLOCK.finditer(README):
        if match["title"]:
            title = match["title"]
        else:
            name = f"{title}, {sum(id_.startswith(title) for *_, id_ in found) + 1}"
            found.append((match["code"], match["shown"], bool(match["fragment"]), name))
    return [pytest.param(*block, id=name) for *block, name in found]


@pytest.fixture
def _folder(tmp_path):
    """Have what the README has told of by then: a finished log, and a folder of agents."""
    demos.run(1, logs="logs")
    shutil.copytree(ROOT / "intercom_nb" / "casts" / "demo_1", tmp_path / "agents")


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize(("code", "shown", "fragment"), blocks())
def test_a_block_of_the_readme_runs_as_it_stands(code, shown, fragment, capsys):
    """It raises nothing, leaves no thread behind, and puts out what is shown below it."""
    tree = ast.parse(code)
    if fragment:
        tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    capsys.readouterr()
    exec(compile(tree, "README.md", "exec"), {})  # noqa: S102 - the reader's own script

    assert tree.body
    assert shown is None or capsys.readouterr().out == shown


def test_the_first_example_is_short():
    """Twelve lines of code at most; and the README has as many blocks as are found."""
    found = blocks()

    assert len([line for line in found[0].values[0].splitlines() if line.strip()]) <= 12
    assert len(found) == README.count("```python\n")
