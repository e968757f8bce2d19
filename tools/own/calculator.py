"""The tool `calculator`: a sum, worked out exactly where that is possible. Knows the tool; the sums are arithmetic/."""

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from settings import Settings
from tools.arithmetic.evaluate import evaluate, format_value
from tools.arithmetic.syntax import MAX_LENGTH, ArithmeticProblem
from tools.call import Run, ToolError
from tools.info import ToolContext

TITLE = "Calculator"
DESCRIPTION = (
    "Works out an arithmetic expression exactly: + - * / // mod ^ ! % and brackets, pi, e, and functions such as sqrt, "
    "log, sin, round, gcd. Example: (17.5% * 80 + 2^10) / 3"
)
NEEDS_APPROVAL = False


class Arguments(BaseModel):
    """A sum."""

    model_config = ConfigDict(extra="forbid")

    expression: str = Field(max_length=MAX_LENGTH, description="the expression, such as 3 * (2 + 4)^2")


def build(settings: Settings, context: ToolContext) -> Run:
    """What works out an expression."""

    async def run(arguments: Arguments) -> str:
        try:
            return await asyncio.to_thread(lambda: format_value(evaluate(arguments.expression)))
        except ArithmeticProblem as error:
            raise ToolError(str(error)) from None

    return run
