"""A stranger's folder of agents is read, and nothing beside it."""

import pytest

from intercom_nb import AgentFolderError, load_agents

MINE = "OPENAI_API_KEY=sk-secret"


@pytest.fixture
def folder(tmp_path):
    """Give a folder of one agent, with a secret beside it."""
    (tmp_path / ".env").write_text(MINE)
    one = tmp_path / "agents" / "01_ann"
    (one / "files").mkdir(parents=True)
    (one / "mission.md").write_text("Help.")
    (one / "files" / "about.md").write_text("About.")
    return tmp_path / "agents"


@pytest.mark.parametrize("link", ["files/notes.md", "mission.md", "settings.json", "agent.toml", "files", "."])
def test_a_link_that_leads_out_of_the_folder_is_refused(folder, tmp_path, link):
    """Whichever of its files it is, or the folder itself; the sentence says nothing of what it leads to."""
    elsewhere = tmp_path / "elsewhere"
    one = folder / "01_ann" / link
    if link in ("files", "."):
        one.rename(elsewhere)
        one.symlink_to(elsewhere)
    else:
        one.unlink(missing_ok=True)
        one.symlink_to(tmp_path / ".env")

    with pytest.raises(AgentFolderError, match=r"01_ann.*is a link that leads out of the folder") as raised:
        load_agents(folder)
    assert MINE not in str(raised.value)


def test_a_link_inside_the_folder_is_followed(folder):
    """Two agents may share a file."""
    two = folder / "02_bob"
    two.mkdir()
    (two / "mission.md").symlink_to(folder / "01_ann" / "mission.md")

    assert [agent.mission for agent in load_agents(folder)][1] == "Help."


def test_deep_settings_are_a_problem_of_their_file(folder):
    """Not a RecursionError."""
    (folder / "01_ann" / "settings.json").write_text("[" * 100_000)

    with pytest.raises(AgentFolderError, match=r"settings\.json: cannot be read"):
        load_agents(folder)
