"""The log as tables and graphs: who said what to whom. Heavy libraries are loaded when first used."""

from intercom_nb.analysis.activity import activity
from intercom_nb.analysis.asking import Log
from intercom_nb.analysis.branches import Divergence, Lineage, divergence, lineage
from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.exports import to_graphml, to_markdown, to_mermaid, to_parquet
from intercom_nb.analysis.frames import (
    agents_df,
    chats_df,
    deliveries_df,
    events_df,
    halts_df,
    items_df,
    memberships_df,
    messages_df,
    options_df,
    read_frames,
    runs_df,
    steps_df,
    tool_calls_df,
)
from intercom_nb.analysis.goals import demo_goals
from intercom_nb.analysis.measures import agent_measures, conversation_measures, left_alone
from intercom_nb.analysis.plots.activity import plot_activity
from intercom_nb.analysis.plots.cost import plot_cost
from intercom_nb.analysis.plots.graph import plot_graph
from intercom_nb.analysis.plots.overview import overview_png
from intercom_nb.analysis.plots.part import part_png
from intercom_nb.analysis.plots.timeline import plot_timeline
from intercom_nb.analysis.plots.who_to_whom import plot_who_to_whom
from intercom_nb.analysis.reading import Source
from intercom_nb.analysis.replies import replies_df
from intercom_nb.analysis.runs_of import runs_of
from intercom_nb.analysis.spending import cost
from intercom_nb.analysis.tables import Frames
from intercom_nb.analysis.thread_log_reader import read_thread_logs
from intercom_nb.analysis.traffic import collapse, delivery_counts, graph, who_to_whom
from intercom_nb.analysis.waste import redundant_messages

__all__ = [
    "Divergence",
    "Frames",
    "Lineage",
    "Log",
    "Source",
    "activity",
    "agent_measures",
    "agents_df",
    "chats_df",
    "collapse",
    "colours",
    "conversation_measures",
    "cost",
    "deliveries_df",
    "delivery_counts",
    "demo_goals",
    "divergence",
    "events_df",
    "graph",
    "halts_df",
    "items_df",
    "left_alone",
    "lineage",
    "memberships_df",
    "messages_df",
    "options_df",
    "overview_png",
    "part_png",
    "plot_activity",
    "plot_cost",
    "plot_graph",
    "plot_timeline",
    "plot_who_to_whom",
    "read_frames",
    "read_thread_logs",
    "redundant_messages",
    "replies_df",
    "runs_df",
    "runs_of",
    "steps_df",
    "to_graphml",
    "to_markdown",
    "to_mermaid",
    "to_parquet",
    "tool_calls_df",
    "who_to_whom",
]
