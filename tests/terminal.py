"""The command, typed in this process."""

import inspect

from click.testing import CliRunner

from intercom_nb.command import program

# Before click 8.2 one has to ask for the two streams one by one; since then one cannot.
_APART = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}


def typed(*words):
    """Run the command with these words; return its exit code and what it wrote to each stream."""
    return CliRunner(**_APART).invoke(program, [str(word) for word in words])
