"""Views of a log: live widgets in a notebook, a picture, and one self-contained page; all of them only read.

Widgets and plots are loaded when first used.
"""

from intercom_nb.views.hub import Hub, Live
from intercom_nb.views.page import to_html
from intercom_nb.views.parts import AgentsView, Dashboard, GraphView, Timeline, Transcript
from intercom_nb.views.seen import Seen
from intercom_nb.views.snapshot import snapshot
from intercom_nb.views.view import View

__all__ = [
    "AgentsView",
    "Dashboard",
    "GraphView",
    "Hub",
    "Live",
    "Seen",
    "Timeline",
    "Transcript",
    "View",
    "snapshot",
    "to_html",
]
