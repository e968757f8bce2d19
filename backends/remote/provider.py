"""Any other provider, as `provider:model`, through LangChain's own init_chat_model. Knows no provider by name."""

from typing import Any

from langchain_core.exceptions import ModelNotFoundError
from langchain_core.language_models import BaseChatModel

from settings import Settings


def unready(name: str) -> str | None:
    """Only building it tells; that is left to the first use."""
    return None


def build(name: str, settings: Settings) -> BaseChatModel:
    """Raises ModelNotFoundError naming the package to install or the provider that is unknown."""
    from langchain.chat_models import init_chat_model

    try:
        sampling: dict[str, Any] = {**settings.sampling()}
        model: BaseChatModel = init_chat_model(name, **sampling)
    except ImportError as error:
        raise ModelNotFoundError(f"{name}: {error}") from error
    except ValueError as error:
        raise ModelNotFoundError(f"{name}: {str(error).splitlines()[0]}") from error
    return model
