"""intercom_nb: agents that decide by themselves when to communicate and with whom, live in a notebook.

>>> from intercom_nb import Agent, InterComService
"""

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.analysis import (
    Divergence,
    Frames,
    Lineage,
    Log,
    activity,
    agent_measures,
    agents_df,
    chats_df,
    collapse,
    colours,
    conversation_measures,
    cost,
    deliveries_df,
    delivery_counts,
    demo_goals,
    divergence,
    events_df,
    graph,
    halts_df,
    items_df,
    left_alone,
    lineage,
    memberships_df,
    messages_df,
    options_df,
    plot_activity,
    plot_cost,
    plot_graph,
    plot_timeline,
    plot_who_to_whom,
    read_frames,
    read_thread_logs,
    redundant_messages,
    replies_df,
    runs_df,
    runs_of,
    steps_df,
    to_graphml,
    to_markdown,
    to_mermaid,
    to_parquet,
    tool_calls_df,
    who_to_whom,
)
from intercom_nb.builder.builder import AgentBuilder, AgentReport, BuildReport
from intercom_nb.builder.folders import load_agents, save_agents
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
    RecordingError,
    SharedNameError,
    ToolCallError,
    UnknownIdError,
    UnstorableError,
)
from intercom_nb.lab.lab_run import LabRun
from intercom_nb.lab.mission_lab import MissionLab
from intercom_nb.lab.study import Study, StudyPlan
from intercom_nb.limits import Limits, Spent
from intercom_nb.log.equal import Difference, difference
from intercom_nb.log.state import Place, State, places, state
from intercom_nb.log.text import to_jsonl
from intercom_nb.log.text_reading import from_jsonl
from intercom_nb.members.agent import Agent
from intercom_nb.members.chat import Chat
from intercom_nb.members.person import Person
from intercom_nb.messages import Message
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import Delta
from intercom_nb.models.offline import Call, Fail, OfflineAssistant, ScriptedAssistant, call
from intercom_nb.models.prices import Price
from intercom_nb.service.fork import fork
from intercom_nb.service.replay import Replay, replay
from intercom_nb.service.service import InterComService
from intercom_nb.version import __version__ as __version__
from intercom_nb.views import AgentsView, Dashboard, GraphView, Timeline, Transcript, snapshot, to_html

__all__ = [
    "Agent",
    "AgentBuilder",
    "AgentFolderError",
    "AgentReport",
    "AgentSpec",
    "AgentsView",
    "BuildReport",
    "Call",
    "Chat",
    "ChatRuleError",
    "Dashboard",
    "Delta",
    "Difference",
    "Divergence",
    "Fail",
    "Frames",
    "GraphView",
    "InterComError",
    "InterComService",
    "InvalidNameError",
    "InvalidToolError",
    "LabRun",
    "LifecycleError",
    "Limits",
    "Lineage",
    "Log",
    "LogDamagedError",
    "LogError",
    "LogInUseError",
    "Message",
    "MissingKeyError",
    "MissionLab",
    "ModelError",
    "ModelSettings",
    "NewerLogError",
    "OfflineAssistant",
    "Person",
    "Place",
    "Price",
    "RecordingError",
    "Replay",
    "ScriptedAssistant",
    "SharedNameError",
    "Spent",
    "State",
    "Study",
    "StudyPlan",
    "Timeline",
    "ToolCallError",
    "Transcript",
    "UnknownIdError",
    "UnstorableError",
    "activity",
    "agent_measures",
    "agents_df",
    "call",
    "chats_df",
    "collapse",
    "colours",
    "conversation_measures",
    "cost",
    "deliveries_df",
    "delivery_counts",
    "demo_goals",
    "difference",
    "divergence",
    "events_df",
    "fork",
    "from_jsonl",
    "graph",
    "halts_df",
    "items_df",
    "left_alone",
    "lineage",
    "load_agents",
    "memberships_df",
    "messages_df",
    "options_df",
    "places",
    "plot_activity",
    "plot_cost",
    "plot_graph",
    "plot_timeline",
    "plot_who_to_whom",
    "read_frames",
    "read_thread_logs",
    "redundant_messages",
    "replay",
    "replies_df",
    "runs_df",
    "runs_of",
    "save_agents",
    "snapshot",
    "state",
    "steps_df",
    "to_graphml",
    "to_html",
    "to_jsonl",
    "to_markdown",
    "to_mermaid",
    "to_parquet",
    "tool_calls_df",
    "who_to_whom",
]


def __dir__() -> list[str]:
    return list(__all__)
