"""The views' script: its own tests pass, its types fit, and what is in the package was built from its sources."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

JS = Path(__file__).parents[2] / "js"
STATIC = JS.parent / "intercom_nb" / "views" / "static"
TOOLS = [JS / "node_modules" / name for name in ("esbuild", "typescript")]
MISSING = shutil.which("npm") is None or not all(tool.is_dir() for tool in TOOLS)

# In CI they run and fail rather than be skipped.
pytestmark = pytest.mark.skipif(
    MISSING and os.environ.get("CI") != "true", reason="needs Node 20 and what the script is built with: make js"
)


def run(*command, **environment):
    """Run a program in the folder of the sources, and return what it says."""
    done = subprocess.run(
        command, cwd=JS, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_scripts_own_tests_pass():
    """The model of the log, the windows of rows, the wire."""
    assert "fail 0" in run("npm", "test", "--silent").replace("# ", "")


def test_the_types_fit():
    """Strictly, in every source; the facts of the wire are described once, in ``wire/facts.js``."""
    run("npm", "run", "types", "--silent")


@pytest.mark.parametrize("name", ["views.js", "views.css"])
def test_the_built_files_are_those_of_the_sources(name, tmp_path):
    """Else: make views."""
    run("node", "build.mjs", str(tmp_path))

    assert (tmp_path / name).read_bytes() == (STATIC / name).read_bytes(), "make views builds it anew"
