"""The command and its parts. Results go to standard output, sentences about what is wrong to standard error.

It exits with 0 if all went well, 1 if something could not be done, 2 if the command was written wrongly, 3 if agents
stopped for another reason than that nobody had anything left to say or a log came out otherwise, 130 if interrupted.
"""

import contextlib
import io
import sys
from typing import Any

import click

from intercom_nb.command.doctor import doctor
from intercom_nb.command.folders import new, notebooks
from intercom_nb.command.logs import export, html, view
from intercom_nb.command.records import replay, runs
from intercom_nb.command.talks import demo, run
from intercom_nb.errors import InterComError
from intercom_nb.version import __version__

__all__ = ["main", "program"]

_NAME = "intercom-nb"


class _Program(click.Group):
    """A group whose faults are one sentence each."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it cannot do is told without a traceback."""
        try:
            return super().invoke(ctx)
        except InterComError as error:
            raise click.ClickException(str(error)) from None
        except BrokenPipeError:
            raise  # whoever read has seen enough; click says nothing of it
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from None


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=_NAME)
def program() -> None:
    """Agents that talk to each other: run them here, and look at their logs.

    Nothing needs a key: where none is set, the offline assistant answers.
    """


for _part in (demo, notebooks, new, run, view, html, export, runs, replay, doctor):
    program.add_command(_part)


def main() -> None:
    """Run the command as it was written, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):
                stream.reconfigure(errors="replace")  # a terminal that has no arrow still shows the words
    program(prog_name=_NAME)
