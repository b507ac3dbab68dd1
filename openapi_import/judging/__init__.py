"""What an operation does and who must agree to it: judged by rules, then, where wanted, by the configured model."""

from openapi_import.judging.endpoint import Endpoint, Judgement
from openapi_import.judging.rules import judge

__all__ = ["Endpoint", "Judgement", "judge"]
