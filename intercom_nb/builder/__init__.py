"""Agents from folders: load them, save them, and apply a changed folder to a running service."""

from intercom_nb.builder.builder import AgentBuilder, AgentReport, BuildReport
from intercom_nb.builder.folders import load_agents, save_agents

__all__ = ["AgentBuilder", "AgentReport", "BuildReport", "load_agents", "save_agents"]
