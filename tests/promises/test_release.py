"""What is published: of one version, and with links that lead somewhere."""

import shutil
import tomllib
from pathlib import Path

import pytest

from tools.release import absolute, differing

ROOT = Path(__file__).parents[2]
FILES = ("CITATION.cff", "CHANGELOG.md", "pyproject.toml", "intercom_nb/version.py")


@pytest.fixture
def project(tmp_path):
    """Give a copy of what names the version, with the day of its release in the changelog."""
    (tmp_path / "intercom_nb").mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    version = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["version"]
    log = tmp_path / "CHANGELOG.md"
    log.write_text(log.read_text().replace(f"## [{version}] - Unreleased", f"## [{version}] - 2031-01-02"))
    return tmp_path, f"v{version}"


def test_the_version_is_the_same_everywhere(project):
    """All that is missing for a release of it is the day."""
    root, tag = project

    assert differing(tag, root) == []
    assert [told.split()[0] for told in differing(tag)] in ([], ["CHANGELOG.md"])


@pytest.mark.parametrize("name", FILES)
def test_another_version_anywhere_is_told(project, name):
    """Nothing is built then."""
    root, tag = project
    file = root / name
    file.write_text(file.read_text().replace(tag.removeprefix("v"), "9.9.9"))

    assert [name.rpartition("/")[2] in told for told in differing(tag, root)] == [True]
    assert differing(tag.removeprefix("v"), root)


def test_links_of_the_readme_lead_to_the_repository_from_elsewhere():
    """None is left that only a clone could follow; those that lead elsewhere are as they were."""
    readme = absolute((ROOT / "README.md").read_text(encoding="utf-8"), "https://host.example/me/it", "v1")

    assert "](https://host.example/me/it/blob/v1/CHANGELOG.md)" in readme
    assert "](https://host.example/me/it/raw/v1/docs/dashboard.png)" in readme
    assert "](docs/" not in readme
    assert "](notebooks/" not in readme
