"""For docstrings, `intercom`, a finished first demo; what the notebooks are held to; and which test waits for which."""

import fcntl
import os
from pathlib import Path

import nbformat
import pytest
from nbmake.nb_result import NotebookError, NotebookResult
from nbmake.pytest_items import NotebookFailedException

from intercom_nb import demos
from tools.refresh_notebooks import COMMAND, copied, differences, edited, is_stored, tidied


@pytest.fixture(scope="session", autouse=True)
def _examples(doctest_namespace, tmp_path_factory):
    """Give the examples a finished demo, and a backend that needs no screen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "Agg")
        doctest_namespace["intercom"] = demos.run(1, model="offline", logs=tmp_path_factory.mktemp("examples"))
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Run one test more at a time than there are cores: many wait for a process or a timer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Begin with what takes long, so that no core idles at the end, and end with what runs alone, on one worker."""
    for item in items:
        if item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.xdist_group("alone"))
    items.sort(key=lambda item: (bool(item.get_closest_marker("alone")), not item.get_closest_marker("slow")))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Let a test that runs alone wait for those of the other workers, and them for it."""
    with Path(__file__).open() as turnstile:
        fcntl.flock(turnstile, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            fcntl.flock(turnstile, fcntl.LOCK_UN)  # a process that was forked meanwhile has the file, too


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Hold a notebook of ours, run once by nbmake, to what is stored of it, and to leaving nothing behind."""
    if not getattr(item, "nbmake", False) or item.config.option.overwrite:
        return (yield)
    path = Path(item.filename)
    stored = nbformat.read(path, as_version=4)
    if not is_stored(stored):
        return (yield)
    _fail_if(edited(stored), path, stored)
    with copied(path) as copy, pytest.MonkeyPatch.context() as patch:
        patch.setattr(item, "filename", str(copy.path))
        patch.setattr(item.config.option, "overwrite", True)  # of the copy: that is how nbmake hands over what it ran
        result = yield
        fresh = copy.ran()
        _fail_if(differences(tidied(stored), fresh) + copy.left_behind(), path, fresh)
    return result


def _fail_if(told, path, notebook):
    if told:
        lines = [f"{path.name}: {sentence}" for sentence in told]
        trace = "\n".join([*lines, f"to store it anew: {COMMAND}"])
        summary = f"{lines[0].splitlines()[0]}; to store it anew: {COMMAND}"
        raise NotebookFailedException(NotebookResult(nb=notebook, error=NotebookError(summary, trace, 0)))
