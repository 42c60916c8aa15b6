"""What every test may rely on: no settings but its own, no network, and no thread left behind."""

import os
import socket
import sys
import threading

import pytest
from hypothesis import HealthCheck, settings

from intercom_nb import InterComService, ScriptedAssistant

# `--hypothesis-profile` chooses one; tests ask `counts.times` how often to try. What is slow here is the machine.
_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _COMMON, derandomize=True)
settings.register_profile("ci", _COMMON, derandomize=True)
settings.register_profile("long", _COMMON, derandomize=False, print_blob=True)
settings.load_profile("ci")

_SETTINGS = ("OPENAI_", "INTERCOM_", "THREAD_LOGS_PATH", "AGENTS_PATH")


@pytest.fixture(autouse=True)
def _no_thread_left():
    """Fail a test that leaves one of our threads behind."""
    before = set(threading.enumerate())
    yield
    ours = [t for t in threading.enumerate() if t.name.startswith("intercom") and t not in before]
    for thread in ours:
        thread.join(timeout=30)  # one that is ending may end

    assert [thread.name for thread in ours if thread.is_alive()] == []


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    """Run each test in a folder of its own, with none of the settings of whoever runs it."""
    for name in [name for name in os.environ if name.startswith(_SETTINGS)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for kept in ("_intercom_nb_services", "_intercom_nb_taped", "_intercom_nb_servers"):
        monkeypatch.setitem(sys.__dict__, kept, {})  # what an earlier test left is none of this one's


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Forbid every connection that leaves this computer."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _local_only(getattr(socket.socket, name)))


def _local_only(connect):
    def checked(self, address):
        if self.family != socket.AF_UNIX and address[0] != "127.0.0.1":
            pytest.fail(f"a test may not connect to {address!r}")
        return connect(self, address)

    return checked


@pytest.fixture
def scripted():
    """Give a function that makes a service whose agents answer as written; every service is stopped at the end.

    It takes what `ScriptedAssistant` takes and, by name, what `InterComService` takes. The assistant is the service's
    attribute `assistant`. The log is in memory unless ``logs=`` says where.
    """
    made = []

    def make(replies=None, *, name="test", default=None, logs=None, **settings):
        assistant = ScriptedAssistant(replies, default=default)
        service = InterComService(name, model=assistant, logs=logs, **settings)
        service.assistant = assistant
        made.append(service)
        return service

    yield make
    for service in made:
        service.stop()
