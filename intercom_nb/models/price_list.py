"""What a model call costs, from a price list that needs no network."""

import functools

from intercom_nb.models.values import OPENAI_URL, Address, Usage

__all__ = ["context_window", "usd_of"]

_COMMON_WINDOW = 128_000


def usd_of(model: str, usage: Usage, address: Address) -> float | None:
    """Return US dollars; 0.0 for assistants that cost nothing, None where the price is unknown."""
    if address.app is not None:
        return 0.0
    if address.base_url != OPENAI_URL or usage.input_tokens is None:
        return None
    import genai_prices  # noqa: PLC0415 - the whole price list, which many a service never looks into

    spent = genai_prices.Usage(
        input_tokens=usage.input_tokens, cache_read_tokens=usage.cached_tokens, output_tokens=usage.output_tokens
    )
    try:
        return float(genai_prices.calc_price(spent, model_ref=model, provider_id="openai").total_price)
    except LookupError:
        return None


@functools.lru_cache(maxsize=1_000)
def context_window(model: str) -> int:
    """Return how many tokens a model reads at most, by the built-in list; 128,000 for a model it does not know.

    Examples
    --------
    >>> context_window("some model of my own")
    128000
    """
    if not model:
        return _COMMON_WINDOW
    from genai_prices import data_snapshot  # noqa: PLC0415 - the whole price list, which many a service never looks into

    try:
        known = data_snapshot.get_snapshot().find_provider_model(model, None, None, None)[1].context_window
    except LookupError:
        known = None
    return known or _COMMON_WINDOW
