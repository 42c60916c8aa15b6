"""Stand-ins for a model server, with no language model in them: the offline assistant and the scripted assistant."""

from intercom_nb.models.offline.assistants import (
    OFFLINE_MODEL,
    Call,
    Fail,
    OfflineAssistant,
    ScriptedAssistant,
    ScriptedReply,
    call,
)

__all__ = ["OFFLINE_MODEL", "Call", "Fail", "OfflineAssistant", "ScriptedAssistant", "ScriptedReply", "call"]
