"""Logs of strangers: a log that a service wrote, and what somebody then made of it."""

import sqlite3
from contextlib import closing

from intercom_nb import Agent, InterComService, ScriptedAssistant


def a_log(folder, *names, **settings):
    """Return the path of a closed log in which agents of these names were set to work and said something."""
    names = names or ("Ann", "Bob")
    with InterComService("world", logs=folder, model=ScriptedAssistant(default="Fine."), **settings) as intercom:
        intercom.add(*(Agent(name) for name in names))
        for agent in intercom.agents:
            agent.begin()
        assert intercom.wait(60) == "quiet"
    return intercom.log.path


def change(log, sql):
    """Let a stranger change a log."""
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.executescript(sql)


def opened(log, **given):
    """Open a log, and let it go again."""
    with InterComService.open(log, model=ScriptedAssistant(default="Fine."), **given) as intercom:
        assert intercom.wait(60) == "quiet"
    return intercom
