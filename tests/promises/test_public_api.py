"""What the package offers, what importing it loads, and that its layers are as they are shown."""

import difflib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from api_text import FILE, text

import intercom_nb
from intercom_nb import Agent, InterComService

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


def test_the_interface_is_the_one_that_is_written_down():
    """A name or a signature changes on purpose only: the stored text shows what changed, as lines."""
    stored, now = FILE.read_text(encoding="utf-8").splitlines(), text().splitlines()
    changed = [
        line for line in difflib.unified_diff(stored, now, "stored", "now", lineterm="", n=0) if line[:2] != "@@"
    ]

    assert changed == [], "if that is meant: python tests/promises/api_text.py, with the package on PYTHONPATH"


def test_few_names_stand_on_what_people_use_most():
    """So many fit on one screen of completions."""
    of_service = [name for name in dir(InterComService) if not name.startswith("_")]
    of_agent = [name for name in dir(Agent) if not name.startswith("_")]

    assert len(of_service) <= 41
    assert len(of_agent) <= 22


def test_completion_shows_the_public_names_only():
    """Modules are no part of the interface."""
    assert dir(intercom_nb) == intercom_nb.__all__
