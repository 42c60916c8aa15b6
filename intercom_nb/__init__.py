"""intercom_nb: agents that decide by themselves when to communicate and with whom, live in a notebook.

>>> from intercom_nb import Agent, InterComService
"""

from intercom_nb.agent import Agent
from intercom_nb.analysis import delivery_counts, graph, messages_df, who_to_whom
from intercom_nb.builder import load_agents
from intercom_nb.chat import Chat
from intercom_nb.errors import (
    AgentFolderError,
    ChatRuleError,
    InterComError,
    InvalidNameError,
    InvalidToolError,
    LifecycleError,
    LogDamagedError,
    LogError,
    LogInUseError,
    MissingKeyError,
    ModelError,
    NewerLogError,
    ToolCallError,
    UnknownIdError,
)
from intercom_nb.limits import Limits, Spent
from intercom_nb.messages import Message
from intercom_nb.offline import Call, Fail, OfflineAssistant, ScriptedAssistant, call
from intercom_nb.person import Person
from intercom_nb.prices import Price
from intercom_nb.service import InterComService

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentFolderError",
    "Call",
    "Chat",
    "ChatRuleError",
    "Fail",
    "InterComError",
    "InterComService",
    "InvalidNameError",
    "InvalidToolError",
    "LifecycleError",
    "Limits",
    "LogDamagedError",
    "LogError",
    "LogInUseError",
    "Message",
    "MissingKeyError",
    "ModelError",
    "NewerLogError",
    "OfflineAssistant",
    "Person",
    "Price",
    "ScriptedAssistant",
    "Spent",
    "ToolCallError",
    "UnknownIdError",
    "call",
    "delivery_counts",
    "graph",
    "load_agents",
    "messages_df",
    "who_to_whom",
]
