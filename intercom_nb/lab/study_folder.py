"""The folder of a study: finished logs in it, those at work and those that came to nothing in folders of their own.

A log is moved here whole, by one rename, once its service has stopped: whatever kills the process, a log that lies here
is a finished run, and every finished run lies here once. What a run is a run of, its tags say.
"""

import itertools
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from intercom_nb.errors import InterComError, LifecycleError, LogError
from intercom_nb.limits import Spent
from intercom_nb.log.state import state
from intercom_nb.log.summary import summary

if TYPE_CHECKING:
    import filelock

__all__ = ["FAILED", "FinishedRun", "Lost", "StudyFolder", "tags_of"]

FAILED = "failed"  # the reason of a run in which some agent did

_STUDY, _REPLICATION, _FINGERPRINT, _LEVEL = "study", "replication", "fingerprint", "vary "


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One finished run of a study, read from its log.

    Attributes
    ----------
    labels : mapping of str to str
        Factor → what its level is called.
    replication : int
        1, 2, …
    fingerprint : str
        Of what it was made from.
    log : Path
        Its log.
    reason : str
        Why it stopped; ``quiet`` is a good end.
    error : str
        Of a failed one, a sentence; else empty.
    spent : Spent
        What it has spent.
    seconds : float
        During which somebody was at work.
    """

    labels: Mapping[str, str]
    replication: int
    fingerprint: str
    log: Path
    reason: str
    error: str
    spent: Spent
    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """A file in the folder that is no run of the study.

    Attributes
    ----------
    path : Path
        Which.
    why : str
        In one sentence.
    """

    path: Path
    why: str


def tags_of(study: str, labels: Mapping[str, str], replication: int, fingerprint: str) -> dict[str, str]:
    """Return the tags of a run's log, by which it is known again."""
    levels = {_LEVEL + factor: label for factor, label in labels.items()}
    return {_STUDY: study, _REPLICATION: str(replication), _FINGERPRINT: fingerprint, **levels}


class StudyFolder:
    """The logs of one study.

    Parameters
    ----------
    path : Path
        The folder; it need not be there.
    study : str
        The study's name.
    """

    def __init__(self, path: Path, study: str) -> None:
        self.path = path
        self._study = study
        self._read: dict[Path, FinishedRun | Lost] = {}

    def read(self) -> tuple[list[FinishedRun], list[Lost]]:
        """Return the finished runs, and files that are none."""
        paths = sorted(self.path.glob("*.db"))
        for path in paths:
            if path not in self._read:
                self._read[path] = self._run_at(path)
        found = [self._read[path] for path in paths]
        return [one for one in found if isinstance(one, FinishedRun)], [one for one in found if isinstance(one, Lost)]

    def _run_at(self, path: Path) -> FinishedRun | Lost:
        try:
            known = summary(path)
            replication = int(known.tags[_REPLICATION])
            error_text = _error_in(path) if known.reason == FAILED else ""
        except (InterComError, KeyError, ValueError, TypeError) as error:
            return Lost(path, str(error) if isinstance(error, InterComError) else "it is the log of no study")
        tags = known.tags
        if tags.get(_STUDY) != self._study:
            return Lost(path, f"it is of the study {tags.get(_STUDY)!r}")
        labels = {name.removeprefix(_LEVEL): label for name, label in tags.items() if name.startswith(_LEVEL)}
        reason = known.reason or "stopped"
        return FinishedRun(
            labels, replication, tags.get(_FINGERPRINT, ""), path, reason, error_text, known.spent, known.seconds
        )  # fmt: skip

    def lost_spending(self) -> list[Spent]:
        """Return what runs have spent that came to nothing."""
        found = []
        for path in sorted((self.path / "not_run").glob("*.db")):
            try:
                found.append(summary(path).spent)
            except LogError:
                continue  # cut off while it was being made: nothing was spent
        return found

    def own(self) -> "filelock.BaseFileLock":
        """Return the lock of the folder, held, with what a killed process left behind put aside.

        Raises
        ------
        LifecycleError
            If the study runs in another process.
        LogError
            If the folder cannot be written.
        """
        import filelock

        try:
            (self.path / "at_work").mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / "at_work" / ".lock", thread_local=False)
            lock.acquire(timeout=0)
        except filelock.Timeout:
            msg = f"the study in {self.path} runs already, here or in another process; wait for it, or stop it there"
            raise LifecycleError(msg) from None
        except OSError as error:
            raise LogError(self.path, f"cannot be written ({error.strerror}); choose another folder") from None
        for left in sorted((self.path / "at_work").glob("*/*.db")):
            self.put_aside(left)
        return lock

    def let_go(self, lock: "filelock.BaseFileLock") -> None:
        """Let others run the study; nothing but logs is left behind."""
        lock.release()
        shutil.rmtree(self.path / "at_work", ignore_errors=True)

    def place_to_work(self) -> Path:
        """Return a new folder for one run."""
        folder = self.path / "at_work" / uuid.uuid4().hex[:12]
        folder.mkdir(parents=True)
        return folder

    def finish(self, log: Path, stem: str) -> None:
        """Put the log of a finished run in its place."""
        self._move(log, self.path, stem)
        shutil.rmtree(log.parent, ignore_errors=True)

    def put_aside(self, log: Path) -> None:
        """Keep the log of a run that came to nothing, for what it has spent."""
        self._move(log, self.path / "not_run", log.stem)
        shutil.rmtree(log.parent, ignore_errors=True)

    def _move(self, log: Path, folder: Path, stem: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        names = itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2)))
        target = next(path for name in names if not (path := folder / f"{name}.db").exists())
        for tail in ("-wal", ""):  # the log itself last: a log without its tail would be half of one
            if (part := log.with_name(log.name + tail)).exists():
                part.replace(target.with_name(target.name + tail))

    def runs_again(self, run: FinishedRun) -> None:
        """Put a finished run aside, so that it runs again."""
        self._read.pop(run.log, None)
        self._move(run.log, self.path / "not_run", run.log.stem)


def _error_in(path: Path) -> str:
    """Return what a failed run's log says of the agent that failed."""
    failed = next((run for run in state(path).runs if run.reason == FAILED), None)
    return "" if failed is None else f"{failed.agent_id}: {failed.error}"
