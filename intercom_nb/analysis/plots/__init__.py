"""The pictures of a log."""
