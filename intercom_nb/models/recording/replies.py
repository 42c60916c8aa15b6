"""What a model had answered, made of a log again as the runs of a service are given it."""

from intercom_nb.models.recording.recorded import Call
from intercom_nb.models.reply import end_of, read, read_compacted, usage_of
from intercom_nb.models.values import Reply

__all__ = ["reply_of"]


def reply_of(call: Call) -> Reply:
    """Return the answer to a call of a log, with what it cost then."""
    response = call.response
    items, calls, text = read(response)
    if call.how == "compacted":
        items = read_compacted(response)
    return Reply(
        *(items, calls, text, str(response["model"]), usage_of(response), call.usd, call.latency_s),
        asked=call.asked,
        response_id=response["id"],
        first_token_s=call.first_token_s,
        repaired=call.repaired,
        end="" if call.how else end_of(response, calls, text),
    )
