"""Any other provider, as `provider:model`, through LangChain's own init_chat_model. Knows no provider by name.

The name is taken apart here and nowhere else; the value has the functions that a backend's file has.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Self

from dotenv import load_dotenv
from langchain_core.exceptions import ModelNotFoundError
from langchain_core.language_models import BaseChatModel

from settings import ENV_FILE, Settings, install_hint

LOCAL = ("gpt2", "llamacpp")  # backends of this process: behind their colon stands a model that lies here


@dataclass(frozen=True)
class ProviderModel:
    """A model of another provider, as LLM_BACKEND names it: `provider:model`."""

    provider: str
    model: str

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The provider and the model that a backend's name holds; None for a file in backends/, or a model of one."""
        provider, colon, model = name.partition(":")
        return cls(provider, model) if colon and provider not in LOCAL else None

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"

    def availability_error(self, settings: Settings) -> str | None:
        """Why it cannot answer, as far as its package tells: its key is asked for when it is built."""
        from langchain.chat_models.base import _BUILTIN_PROVIDERS as KNOWN

        if self.provider not in KNOWN:
            return f"LangChain knows no provider {self.provider}; it knows {', '.join(sorted(KNOWN))}"
        package = KNOWN[self.provider][0].partition(".")[0]
        if find_spec(package) is None:
            wanted = package.replace("_", "-")
            return install_hint(wanted, f"pip install {wanted}", f"EXTRAS={wanted}")
        return None

    def is_metered(self, settings: Settings) -> bool:
        """True: what a provider charges is not known here."""
        return True

    def build(self, settings: Settings) -> BaseChatModel:
        """The provider's own chat model.

        Raises ModelNotFoundError naming the package to install, and what the provider's own class raises.
        """
        from langchain.chat_models import init_chat_model

        if problem := self.availability_error(settings):
            raise ModelNotFoundError(f"{self}: {problem}")
        load_dotenv(ENV_FILE)  # a provider reads its key from the environment
        sampling: dict[str, Any] = {**settings.sampling_options()}
        model: BaseChatModel = init_chat_model(str(self), **sampling)
        return model
