"""What the package offers, and that the README tells the truth about it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import intercom_nb

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_all_names_are_there_sorted_and_documented():
    """``__all__`` is sorted, complete, and each name has a docstring."""
    public = {
        name for name, thing in vars(intercom_nb).items() if not name.startswith("_") and hasattr(thing, "__doc__")
    }
    modules = {name for name in public if type(getattr(intercom_nb, name)).__name__ == "module"}

    assert sorted(intercom_nb.__all__) == intercom_nb.__all__
    assert public - modules == set(intercom_nb.__all__)
    assert all(getattr(intercom_nb, name).__doc__ for name in intercom_nb.__all__)


def test_importing_loads_neither_pandas_nor_a_widget():
    """They are loaded when first used."""
    heavy = "{'pandas', 'networkx', 'pyarrow', 'ipywidgets', 'anywidget', 'IPython', 'matplotlib', 'snowballstemmer'}"
    code = f"import sys, intercom_nb; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "[]"


def test_the_readmes_first_example_gives_the_output_it_shows(capsys):
    """Twelve lines, run as they stand."""
    code, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL).groups()
    exec(code, {})  # noqa: S102 - the reader's own script

    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    assert capsys.readouterr().out == shown


def test_the_readmes_longer_example_runs():
    """The one that shows what can be done in a notebook."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1]
    names = {}
    exec(code, names)  # noqa: S102 - the reader's own script

    assert names["intercom"].state == "stopped"
    assert names["you"].inbox


def test_the_readmes_way_to_read_the_log_works(capsys):
    """On the log that its first example leaves behind."""
    first, _, reading, *_ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(first, {})  # noqa: S102 - the reader's own script
    capsys.readouterr()
    names = {}
    exec(reading, names)  # noqa: S102 - the reader's own script

    assert [path.suffix for path in Path("logs").glob("*.db")] == [".db"]
    assert len(names["messages_df"]("logs")) == 4


def test_contributing_shows_the_layers_as_they_are_checked():
    """The picture of the house is the import contract, line by line."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    picture = re.search(r"```text\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    shown = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines()]

    assert shown == contract["layers"]
    assert len(shown) <= 18
