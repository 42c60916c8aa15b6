"""The package as its users get it: built as a wheel, installed elsewhere, without the source tree in sight."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "intercom_nb"
pytestmark = pytest.mark.slow

LOOK = """
import importlib.metadata, importlib.resources, json, sys
import intercom_nb
from intercom_nb.demos import cast
files = importlib.resources.files("intercom_nb")
static = files / "views" / "static"
print(json.dumps({
    "file": intercom_nb.__file__,
    "path": sys.path,
    "versions": [intercom_nb.__version__, importlib.metadata.version("intercom_nb")],
    "casts": [[agent.name for agent in cast(demo)] for demo in (1, 2)],
    "begins": [agent.name for agent in cast(1) if agent.spec.begins],
    "typed": (files / "py.typed").is_file(),
    "static": {one.name: len(one.read_bytes()) for one in static.iterdir() if one.is_file()} if static.is_dir() else {},
}))
"""


def run(*command, cwd):
    """Run a program with none of the settings of whoever runs the tests, and return what it prints."""
    hidden = ("PYTHON", "OPENAI_", "INTERCOM_", "PIP_", "VIRTUAL_ENV", "AGENTS_PATH", "THREAD_LOGS_PATH", "COV_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tutorials():
    """Return the notebooks and their recordings, as their names in the wheel: they lie in the package there."""
    found = (ROOT / "notebooks").rglob("*")
    kept = [
        path.relative_to(ROOT).as_posix() for path in found if path.is_file() and path.suffix in (".ipynb", ".jsonl")
    ]
    return {f"intercom_nb/{name}" for name in kept if "/logs/" not in name and ".ipynb_checkpoints" not in name}


def files_of_the_package():
    """Return the files that belong in the wheel, as their names in it."""
    found = (path for path in PACKAGE.rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix() for path in found if not {"__pycache__", ".ipynb_checkpoints"} & {*path.parts}
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel with the hatchling that is installed."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Install the wheel into an environment that has the requirements, but not the source tree; return its Python."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    found = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    run(sys.executable, "-m", "pip", "--python", str(found), "install", *options, str(wheel), cwd=folder)
    # A path in a .pth file is searched, but the .pth files in it, an editable install's among them, are not read.
    own = run(found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    requirements = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    Path(own, "requirements.pth").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    return found


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    """Casts, guideline, static files and the mark of typed packages among them."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert names == files_of_the_package() | tutorials()
    assert "intercom_nb/casts/demo_2/04_domain-expert/mission.md" in names


def test_what_is_installed_finds_its_files_elsewhere(python, tmp_path):
    """From another directory, with the source tree out of reach."""
    told = json.loads(run(python, "-c", LOOK, cwd=tmp_path))
    here = PACKAGE / "views" / "static"

    assert not Path(told["file"]).is_relative_to(PACKAGE)
    assert Path(told["file"]).is_relative_to(python.parents[1])
    assert str(ROOT) not in told["path"]
    assert told["versions"][0] == told["versions"][1]
    assert [len(names) for names in told["casts"]] == [3, 4]
    assert told["begins"] == ["Founder"]
    assert told["typed"]
    assert told["static"] == (
        {f.name: f.stat().st_size for f in here.iterdir() if f.is_file()} if here.is_dir() else {}
    )


def test_the_command_is_there_and_copies_the_notebooks(python, tmp_path):
    """As it is written in a terminal; each notebook is the one that is stored here."""
    command = python.with_name("intercom-nb.exe" if os.name == "nt" else "intercom-nb")
    told = run(str(command), "notebooks", "t", cwd=tmp_path).splitlines()
    here = {name.removeprefix("intercom_nb/notebooks/") for name in tutorials()}

    assert {Path(name).relative_to("t").as_posix() for name in told} == here
    for name in here:
        assert (tmp_path / "t" / name).read_bytes() == (ROOT / "notebooks" / name).read_bytes()
    assert "offline stand-in" in run(str(command), "demo", "1", cwd=tmp_path)


def test_the_first_demo_runs_from_the_wheel(python, tmp_path):
    """To its end, offline, with its log where it was run."""
    told = json.loads(run(python, "-m", "intercom_nb", "demo", "1", "--json", cwd=tmp_path))

    assert told["stopped"] == "quiet"
    assert told["who"]["Founder"]["Marketing Expert"] >= 1
    assert [path.suffix for path in (tmp_path / "logs").glob("*.db")] == [".db"]
