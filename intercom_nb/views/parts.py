"""The views there are: all parts of a log together, and each of them alone."""

from intercom_nb.views.view import View

__all__ = ["AgentsView", "Dashboard", "GraphView", "Timeline", "Transcript"]


class Dashboard(View):
    """Everything at a glance: transcript, graph, agents, timeline, and what a person may do.

    >>> Dashboard(intercom.log).focus
    ''
    """

    part = "dashboard"


class Transcript(View):
    """What was said, oldest first."""

    part = "transcript"


class GraphView(View):
    """Who wrote to whom, as a graph."""

    part = "graph"


class AgentsView(View):
    """A card for each agent: what it is doing, its mission, and its conversation."""

    part = "agents"


class Timeline(View):
    """What happened when, a lane for each member."""

    part = "timeline"
