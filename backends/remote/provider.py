"""Any other provider, as `provider:model`, through LangChain's own init_chat_model. Knows no provider by name."""

from importlib.util import find_spec
from typing import Any

from dotenv import load_dotenv
from langchain_core.exceptions import ModelNotFoundError
from langchain_core.language_models import BaseChatModel

from settings import ENV_FILE, Settings, install_hint


def availability_error(name: str) -> str | None:
    """Whether the provider is known and its package is there; the key is asked for when it is built."""
    from langchain.chat_models.base import _BUILTIN_PROVIDERS as KNOWN

    provider = name.partition(":")[0]
    if provider not in KNOWN:
        return f"LangChain knows no provider {provider}; it knows {', '.join(sorted(KNOWN))}"
    package = KNOWN[provider][0].partition(".")[0]
    if find_spec(package) is None:
        wanted = package.replace("_", "-")
        return install_hint(wanted, f"pip install {wanted}", f"EXTRAS={wanted}")
    return None


def build(name: str, settings: Settings) -> BaseChatModel:
    """Raises ModelNotFoundError naming the package to install, and what the provider's own class raises."""
    from langchain.chat_models import init_chat_model

    if problem := availability_error(name):
        raise ModelNotFoundError(f"{name}: {problem}")
    load_dotenv(ENV_FILE)  # a provider reads its key from the environment
    sampling: dict[str, Any] = {**settings.sampling_options()}
    model: BaseChatModel = init_chat_model(name, **sampling)
    return model
