"""Experiments with missions: a cast, run again and again."""

from intercom_nb.lab.lab_run import LabRun
from intercom_nb.lab.mission_lab import MissionLab

__all__ = ["LabRun", "MissionLab"]
