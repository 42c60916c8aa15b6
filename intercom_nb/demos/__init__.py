"""The seed's two demos."""

from intercom_nb.demos.program import as_json, cast, run
from intercom_nb.demos.watching import line, table

__all__ = ["as_json", "cast", "line", "run", "table"]
