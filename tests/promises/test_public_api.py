"""What the package offers, what importing it loads, and that its layers are as they are shown."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import intercom_nb

ROOT = Path(__file__).parents[2]


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


def test_contributing_shows_the_layers_as_they_are_checked():
    """The picture of the house is the import contract, line by line."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    picture = re.search(r"```text\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    shown = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines()]

    assert shown == contract["layers"]
    assert len(shown) <= 18
