"""The seed's two demos."""

from intercom_nb.demos.program import as_json, cast, line, main, run, table

__all__ = ["as_json", "cast", "line", "main", "run", "table"]
