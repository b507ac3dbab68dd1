"""Agents, tools, credentials and approvals in the console."""

from agents.admin.agents import AgentAdmin
from agents.admin.approvals import ActionAdmin
from agents.admin.credentials import CredentialAdmin
from agents.admin.spending import ModelCallAdmin
from agents.admin.spending_budgets import BudgetAdmin
from agents.admin.spending_prices import ModelPriceAdmin
from agents.admin.tools import ToolAdmin

__all__ = [
    "ActionAdmin",
    "AgentAdmin",
    "BudgetAdmin",
    "CredentialAdmin",
    "ModelCallAdmin",
    "ModelPriceAdmin",
    "ToolAdmin",
]
