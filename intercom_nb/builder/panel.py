"""What a folder of agents looks like in a notebook: a list of them, what each is for, and a button that saves it."""

from html import escape
from typing import Any, Protocol

from intercom_nb.errors import InterComError
from intercom_nb.readable import counted

__all__ = ["FolderPanel"]

_NEW = "a new agent …"


class Folder(Protocol):
    """What the panel knows of its folder."""

    @property
    def texts(self) -> dict[str, tuple[str, str]]:
        """Name → description and mission of each agent; raises `AgentFolderError`."""

    def edit(self, name: str, *, description: str | None = None, mission: str | None = None) -> None:
        """Write an agent's folder, a new one if there is none of this name."""


class FolderPanel:
    """The widgets of one folder of agents.

    Parameters
    ----------
    folder : Folder
        What they show and change.
    """

    def __init__(self, folder: Folder) -> None:
        import ipywidgets as w

        self._folder = folder
        wide = w.Layout(width="auto")
        self._which = w.Dropdown(description="Agent", options=[_NEW], layout=wide)
        self._name = w.Text(description="Name", placeholder="as others see it", layout=wide)
        self._description = w.Text(description="Description", placeholder="what others choose it by", layout=wide)
        self._mission = w.Textarea(description="Mission", placeholder="what it is for", rows=8, layout=wide)
        self._save = w.Button(description="Save", icon="save", button_style="primary", tooltip="Write its folder")
        self._reload = w.Button(description="Reload", icon="refresh", tooltip="Read the folder again")
        self._says = w.HTML()
        self._which.observe(lambda _: self._show(), names="value")
        self._save.on_click(lambda _: self._write())
        self._reload.on_click(lambda _: self.refresh())
        buttons = w.HBox([self._save, self._reload, self._says])
        self._box = w.VBox([self._which, self._name, self._description, self._mission, buttons])
        self._texts: dict[str, tuple[str, str]] = {}
        self.refresh()

    def bundle(self) -> dict[str, Any]:
        """Return what shows it in a browser."""
        return dict(self._box._repr_mimebundle_())

    def refresh(self, chosen: str | None = None) -> None:
        """Read the folder again, and show an agent of it."""
        try:
            self._texts = self._folder.texts
            self._tell(counted(len(self._texts), "agent"))
        except InterComError as error:
            self._texts = {}
            self._tell(str(error))
        wanted = chosen if chosen is not None else self._which.value
        self._which.options = [*self._texts, _NEW]
        self._which.value = wanted if wanted in self._texts else next(iter(self._which.options))
        self._show()

    def _show(self) -> None:
        name = self._which.value
        description, mission = self._texts.get(name, ("", ""))
        self._name.value, self._name.disabled = (name, True) if name in self._texts else ("", False)
        self._description.value, self._mission.value = description, mission

    def _write(self) -> None:
        name = self._name.value.strip()
        try:
            self._folder.edit(name, description=self._description.value, mission=self._mission.value)
        except (InterComError, ValueError, OSError) as error:
            self._tell(str(error))
            return
        self.refresh(name)
        self._tell(f"{name} is saved")

    def _tell(self, sentence: str) -> None:
        self._says.value = f"<span style='white-space:pre-wrap'>{escape(sentence)}</span>"
