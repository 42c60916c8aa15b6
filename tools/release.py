"""Build what is published: ``python tools/release.py v1.2.3 [--repository ADDRESS]`` writes to the folder dist.

The tag, the package, the citation and the changelog must name one version, and the changelog its day. What is built is
what is committed. Where the repository's address is given, links of the README lead there: it is read elsewhere, too.
"""

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

__all__ = ["absolute", "differing", "main"]

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?P<picture>!?)(?P<text>\[[^\]]*\])\((?P<to>(?![a-z]+:|#)[^)\s]+)\)")


def differing(tag: str, root: Path = ROOT) -> list[str]:
    """Return what does not name the version of a tag, a sentence each.

    Parameters
    ----------
    tag : str
        Such as ``v1.2.3``.
    root : Path, optional
        The folder of the project.
    """
    wanted = tag.removeprefix("v")
    texts = {name: (root / name).read_text("utf-8") for name in ("CITATION.cff", "CHANGELOG.md", "pyproject.toml")}
    texts["version.py"] = (root / "intercom_nb" / "version.py").read_text("utf-8")
    version = re.escape(wanted)
    named = {
        "pyproject.toml": tomllib.loads(texts["pyproject.toml"])["project"]["version"] == wanted,
        "version.py": f'__version__ = "{wanted}"' in texts["version.py"],
        "CITATION.cff": bool(re.search(rf"^version: {version}$", texts["CITATION.cff"], re.MULTILINE)),
    }
    told = [f"{name} names another version than {wanted}" for name, is_it in named.items() if not is_it]
    if tag == wanted:
        told.append(f"the tag {tag!r} should begin with v")
    if not re.search(rf"^## \[{version}\] - \d{{4}}-\d\d-\d\d$", texts["CHANGELOG.md"], re.MULTILINE):
        told.append(f"CHANGELOG.md has no head '## [{wanted}] - YEAR-MONTH-DAY'")
    return told


def absolute(text: str, address: str, tag: str) -> str:
    """Return Markdown whose links into the repository lead to a tag at its address.

    Examples
    --------
    >>> absolute("[notes](docs/a.md) ![it](a.png) [top](#top)", "https://host.example/me/it", "v1")
    '[notes](https://host.example/me/it/blob/v1/docs/a.md) ![it](https://host.example/me/it/raw/v1/a.png) [top](#top)'
    """

    def there(found: re.Match[str]) -> str:
        kind = "raw" if found["picture"] else "blob"
        return f"{found['picture']}{found['text']}({address}/{kind}/{tag}/{found['to']})"

    return _LINK.sub(there, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, and build; return the exit status."""
    parser = argparse.ArgumentParser(description="Build what is published.")
    parser.add_argument("tag", help="such as v1.2.3")
    parser.add_argument("--repository", default="", help="the address at which the repository is seen")
    given = parser.parse_args(arguments)
    if told := differing(given.tag):
        print("\n".join(told), file=sys.stderr)
        return 1
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(root, filter="data")
        if address := given.repository.rstrip("/"):
            _lead_there(root, address, given.tag)
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(ROOT / "dist")]
        return subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603 - our own builder


def _lead_there(root: Path, address: str, tag: str) -> None:
    readme, project = root / "README.md", root / "pyproject.toml"
    readme.write_text(absolute(readme.read_text("utf-8"), address, tag), "utf-8")
    urls = f'[project.urls]\nSource = "{address}"\nChangelog = "{address}/blob/{tag}/CHANGELOG.md"\n\n[build-system]'
    project.write_text(project.read_text("utf-8").replace("[build-system]", urls, 1), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
