"""The command ``intercom-nb``: agents from the terminal, and their logs."""

from intercom_nb.command.program import main, program

__all__ = ["main", "program"]
