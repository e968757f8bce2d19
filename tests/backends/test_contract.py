"""The contract of a backend, for every file in backends/: LangChain's own standard tests, run on what `build` makes.

Behind `openai` stands our own server with SmolLM2, as a process, and where a test shows pictures over a scripted server
that sees. What the tests would load from the web is made here.
"""

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from langchain_core.exceptions import ModelInvalidRequestError, OutputParserException
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from openai import BadRequestError

import backends
from backends.llama.projector_file import library_error
from settings import Settings

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Exemption(NamedTuple):
    """Why a test cannot pass, and how it has to fail."""

    reason: str
    raises: tuple[type[Exception], ...] = (AssertionError,)

    @property
    def is_certain(self) -> bool:
        """Whether it fails each time: what a small model samples fits by chance now and then."""
        return not self.reason.startswith(SMOLLM2.format(""))


TEXT_ONLY = Exemption(
    "the models here read text only, tools give none, and the rest is refused by name",
    (ModelInvalidRequestError, BadRequestError),
)
SMOLLM2 = "a model of 135 M parameters {}"
ONE_FILE = Exemption(
    "a model of this process is one file: a name in a call changes nothing, and the reply names the file"
)
SMALL = "a model of 10 M parameters {}; tests/backends/local/tools/test_calls.py has what it calls"
PICTURES = (
    *("image_inputs", "audio_inputs", "pdf_inputs", "image_tool_message", "pdf_tool_message"),
    "anthropic_inputs",  # of which one is a picture
)
SEEN = {
    "openai": ("test_image_inputs", "test_anthropic_inputs"),  # by a server of ours whose model sees
    "llamacpp": () if library_error() else ("test_image_inputs", "test_image_tool_message"),  # by eyes drawn at random
}
OVERRIDES = ("invoke_with", "ainvoke_with", "stream_with", "astream_with")
# Backend and test -> why it cannot pass here. Strict: a test that starts to pass must leave the list.
EXEMPT = {
    **{
        (backend, f"test_{kind}"): TEXT_ONLY
        for backend in backends.names()
        for kind in PICTURES
        if f"test_{kind}" not in SEEN.get(backend, ())
    },
    **{(backend, f"test_{kind}_model_override"): ONE_FILE for backend in backends.LOCAL for kind in OVERRIDES},
    **{
        (backend, test): Exemption(SMALL.format(why))
        for backend in backends.LOCAL
        for test, why in {
            "test_tool_calling": "calls, but does not copy the number it is told",
            "test_tool_calling_async": "calls, but does not copy the number it is told",
            "test_unicode_tool_call_integration": "calls, but writes no Chinese",
            "test_agent_loop": "answers where nobody makes it call",
        }.items()
    },
    ("openai", "test_agent_loop"): Exemption(SMOLLM2.format("answers where nobody makes it call")),
    ("openai", "test_unicode_tool_call_integration"): Exemption(SMOLLM2.format("writes no Chinese, and without end")),
    **{
        ("openai", f"test_structured_output_{test}"): Exemption(
            SMOLLM2.format("begins a string that has no end, and the reply is cut"),
            (AssertionError, ModelInvalidRequestError, OutputParserException),
        )
        for test in ("pydantic_2_v1", "optional_param")
    },
    ("openai", "test_json_mode"): Exemption(
        SMOLLM2.format("leaves out keys that it is asked for, where no schema holds it"), (OutputParserException,)
    ),
}
# Of what LangChain does with OpenAI's own client, and of a test of speed that needs what was recorded before.
WARNINGS = (
    *("Pydantic serializer warnings", "Received a Pydantic BaseModel V1 schema", "OpenAI may require a filename"),
    "Benchmark fixture was not used at all",
)


class Built:
    """The class and the constructor's arguments, read off the model that `build` made."""

    backend: str

    @pytest.fixture(autouse=True)
    def _build(
        self,
        backend_environment: Callable[..., None],
        request: pytest.FixtureRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        name = getattr(request.node, "originalname", request.node.name)
        if (exemption := EXEMPT.get((self.backend, name))) is not None:
            mark = pytest.mark.xfail(reason=exemption.reason, raises=exemption.raises, strict=exemption.is_certain)
            request.applymarker(mark)
        if name == "test_stream_time" and not self.enable_vcr_tests:
            pytest.skip("what a server answers is not recorded here")  # nor asked, under what would record it
        backend_environment(self.backend, sees=name in SEEN.get(self.backend, ()))
        monkeypatch.setenv("SEED", "1")  # what a model is exempted from is no luck
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "tests")
        monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(200, content=PICTURE))
        self.built = backends.load(self.backend, Settings.read())

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return type(self.built)

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {name: getattr(self.built, name) for name in self.built.model_fields_set}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        """Our settings read the variables; a client of OpenAI's made without them looks for the key itself."""
        if self.backend != "openai":
            return {}, {}, {}
        return {"OPENAI_API_KEY": "sk-env"}, {"model": "m"}, {"openai_api_key": "sk-env"}

    @property
    def supports_json_mode(self) -> bool:
        """Objects of no schema come, too, but a model of 10 M parameters does not know the keys it was asked for."""
        return self.backend == "openai"

    @property
    def model_override_value(self) -> str:
        """A name that our own server lists beside `default`."""
        return "llamacpp"

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def enable_vcr_tests(self) -> bool:
        """Nothing is recorded of a model of this process, which asks nobody."""
        return self.backend != "openai"


class Unit(Built, ChatModelUnitTests):
    """Construction and standard parameters."""


class Integration(Built, ChatModelIntegrationTests):
    """Calls in every form."""


for _name in backends.names():
    _marks = [pytest.mark.filterwarnings(f"ignore:{text}") for text in WARNINGS]
    _body = {"backend": _name, "pytestmark": [*_marks, *([pytest.mark.server] if _name == "openai" else [])]}
    globals()[f"TestUnit_{_name}"] = type(f"TestUnit_{_name}", (Unit,), dict(_body))
    globals()[f"TestIntegration_{_name}"] = type(f"TestIntegration_{_name}", (Integration,), dict(_body))
del Unit, Integration
