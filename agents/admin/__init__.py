"""Agents, tools, credentials and approvals in the console."""

from agents.admin.agents import AgentAdmin
from agents.admin.approvals import ActionAdmin
from agents.admin.credentials import CredentialAdmin
from agents.admin.tools import ToolAdmin

__all__ = ["ActionAdmin", "AgentAdmin", "CredentialAdmin", "ToolAdmin"]
