"""Folders to begin with: ``notebooks`` and ``new``."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

import click

import intercom_nb

__all__ = ["new", "notebooks"]


def _casts() -> list[str]:
    """Return the names of the casts that come with the package."""
    found = (files("intercom_nb") / "casts").iterdir()
    return sorted(one.name for one in found if one.is_dir() and one.name[0] not in "._")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
def notebooks(folder: str) -> None:
    """Copy the tutorial notebooks into FOLDER; files that are there already are left alone.

    To run them, install the extra: pip install 'intercom-nb[notebooks]', and then: jupyter lab FOLDER.
    """
    written = _copied(_tutorials(), Path(folder))
    click.echo("\n".join(str(path) for path in written) if written else f"{folder} has them all already")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.option(
    "--cast", type=click.Choice(_casts()), default="demo_1", show_default=True, help="Whose agents to begin with."
)
def new(folder: str, cast: str) -> None:
    """Make FOLDER, a folder of agents to edit: one folder each, with its mission and its settings.

    Run them with: intercom-nb run FOLDER.
    """
    target = Path(folder)
    if target.exists() and any(target.iterdir()):
        raise click.UsageError(f"{folder} is not empty; give a folder that is, or that is not there yet")
    written = _copied(files("intercom_nb") / "casts" / cast, target)
    click.echo("\n".join(str(path) for path in written))


def _tutorials() -> Traversable:
    """Return where the notebooks are: in an installed package within it, in a clone beside it."""
    inside = files("intercom_nb") / "notebooks"
    beside = Path(intercom_nb.__file__).parents[1] / "notebooks"
    found = next((folder for folder in (inside, beside) if folder.is_dir()), None)
    if found is None:
        raise click.ClickException("this installation has no notebooks; install a wheel of intercom-nb, or clone it")
    return found


def _copied(source: Traversable, target: Path) -> list[Path]:
    """Copy files that are not there yet; return those that were written."""
    written = []
    for name, file in _files(source, PurePosixPath()):
        path = target / name
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.read_bytes())
        written.append(path)
    return written


def _files(folder: Traversable, under: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for one in sorted(folder.iterdir(), key=lambda found: found.name):
        if one.name[0] in "._" or one.name == "logs":
            continue
        if one.is_dir():
            yield from _files(one, under / one.name)
        else:
            yield under / one.name, one
