"""Whom each agent is shown, may reach and finds."""
