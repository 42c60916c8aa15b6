"""Times as the log keeps them: microseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime

__all__ = ["micros", "moment", "now"]


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def micros(time: datetime) -> int:
    """Return a time as microseconds since 1970-01-01 UTC."""
    return round(time.timestamp() * 1_000_000)


def moment(microseconds: int) -> datetime:
    """Return the time that `micros` was given."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
