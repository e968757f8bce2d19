"""The contract of a backend, for every file in backends/: LangChain's own standard tests, run on what `build` makes."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

import backends
from settings import Settings

# Backend and test -> why it cannot pass here. Strict: a test that starts to pass must leave the list.
EXEMPT = {
    ("openai", "test_usage_metadata_streaming"): "llama_cpp.server sends no usage in streams; "
    "tests/backends/test_openai.py has it against a server that does",
}


class Built:
    """The class and the constructor's arguments, read off the model that `build` made."""

    backend: str

    @pytest.fixture(autouse=True)
    def _build(self, backend_environment: Callable[[str], None], request: pytest.FixtureRequest) -> None:
        name = getattr(request.node, "originalname", request.node.name)
        if (self.backend, name) in EXEMPT:
            request.applymarker(pytest.mark.xfail(reason=EXEMPT[self.backend, name], strict=True))
        backend_environment(self.backend)
        self.built = backends.load(self.backend, Settings.read())

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return type(self.built)

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {name: getattr(self.built, name) for name in self.built.model_fields_set}

    @property
    def has_tool_calling(self) -> bool:
        """No chain of ours calls tools."""
        return False

    @property
    def has_structured_output(self) -> bool:
        """Nor asks for structured output."""
        return False


class Unit(Built, ChatModelUnitTests):
    """Construction and standard parameters."""


class Integration(Built, ChatModelIntegrationTests):
    """Calls in every form."""


for _name in backends.names():
    _body = {"backend": _name, "pytestmark": [pytest.mark.server] if _name == "openai" else []}
    globals()[f"TestUnit_{_name}"] = type(f"TestUnit_{_name}", (Unit,), dict(_body))
    globals()[f"TestIntegration_{_name}"] = type(f"TestIntegration_{_name}", (Integration,), dict(_body))
del Unit, Integration
