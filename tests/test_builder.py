"""Agents from folders."""

import pytest

from intercom_nb import AgentFolderError, load_agents


def write(folder, name, **files):
    """Write an agent's folder."""
    (folder / name).mkdir(parents=True)
    for stem, text in files.items():
        file = {"mission": "mission.md", "toml": "agent.toml", "settings": "settings.json"}[stem]
        (folder / name / file).write_text(text, encoding="utf-8")


def test_a_folder_is_an_agent(tmp_path):
    """Names, missions and settings are read, from either kind of settings file."""
    write(tmp_path, "Founder", mission="Market it.\n", toml='description = "Founder."\nid = "boss"')
    write(tmp_path, "expert", mission="Help.", settings='{"name": "Marketing Expert", "mail": "asap"}')
    write(tmp_path, "_draft")

    agents = [(a.name, a.id, a.description, a.mission, a.mail) for a in load_agents(tmp_path)]

    assert agents == [
        ("Founder", "boss", "Founder.", "Market it.", "when_idle"),
        ("Marketing Expert", "marketing-expert", "", "Help.", "asap"),
    ]


def test_agents_path_says_where(tmp_path, monkeypatch):
    """Without a path, AGENTS_PATH is used, also from .env."""
    write(tmp_path / "cast", "Founder", mission="Market it.")
    (tmp_path / ".env").write_text("AGENTS_PATH=cast\n")
    monkeypatch.chdir(tmp_path)

    assert [agent.name for agent in load_agents()] == ["Founder"]


def test_everything_wrong_is_told_at_once(tmp_path):
    """One error names every file and field that is wrong."""
    write(tmp_path, "a")
    write(tmp_path, "b", mission="x", toml="description = ")
    write(tmp_path, "c", mission="x", settings='{"descripton": "x", "model": 5}')
    write(tmp_path, "d", mission="x", settings='{"mail": "never"}')
    write(tmp_path, "e", mission="x", settings="[]")

    with pytest.raises(AgentFolderError) as caught:
        load_agents(tmp_path)

    beginnings = [problem.split(" ", 2)[:2] for problem in caught.value.problems]
    assert [letter for letter, _ in beginnings] == ["a:", "b:", "c:", "c:", "d:", "e:"]
    assert "descripton" in str(caught.value)
    assert "mission.md" in str(caught.value)


def test_no_folder_and_an_empty_one_are_told(tmp_path):
    """A folder that is not there, or holds no agent, is an error that says what to do."""
    with pytest.raises(AgentFolderError, match="AGENTS_PATH"):
        load_agents(tmp_path / "nowhere")

    with pytest.raises(AgentFolderError, match="no folder with an agent"):
        load_agents(tmp_path)
