"""How often a test tries what could be tried without end."""

from hypothesis import settings

FACTORS = {"quick": 0.1, "ci": 1, "long": 10}  # by profile: see conftest.py


def times(n):
    """Return how often to try, where CI tries `n` times."""
    profile = settings.get_current_profile_name().partition("-")[0]  # pytest's options may add to the name
    return max(1, round(n * FACTORS[profile]))
