"""OpenAI, and every server that speaks its API, through LangChain's ChatOpenAI. The package is imported in `build`."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.exceptions import ModelAuthenticationError, ModelNotFoundError
from pydantic import Field, SecretStr

from backends.models.size import parameters_in_name
from openai_account import OFFICIAL, OpenAIAccount, is_official
from settings import Settings

if TYPE_CHECKING:
    from backends.remote.chat import OpenAIChat
    from backends.remote.load_balancer import LoadBalancedChat

DEFAULT_MODEL = "gpt-5.4-mini"  # at OpenAI itself: small, current, and it takes a temperature
FAILOVER_TIMEOUT = 3.0  # seconds to connect, and to list the models, where another server could answer meanwhile


class BackendSettings(OpenAIAccount):
    """The variables of this backend alone."""

    model: str | None = Field(
        None,
        description=f"the model; unset: {DEFAULT_MODEL} at OpenAI, "
        "the first of /v1/models that can chat at OPENAI_BASE_URL",
    )
    n_ctx: int | None = Field(
        None, ge=8, description="the server's window in tokens; unset: what the server itself tells of it"
    )
    thinking: Literal["reasoning_effort", "chat_template_kwargs", "no"] | None = Field(
        None,
        description="how the server is told how much to think: reasoning_effort; chat_template_kwargs, with "
        "enable_thinking and thinking; no: it is not; unset: by what the server says that it is",
    )
    timeout: float = Field(60, gt=0, allow_inf_nan=False, description="seconds to wait for the server")


def availability_error(settings: Settings) -> str | None:
    """Why this backend cannot answer, with the remedy; None when it can."""
    if find_spec("langchain_openai") is None:
        return "langchain-openai: not installed; run `make install`"
    options = settings.group(BackendSettings)
    if options.api_key is None and not is_compatible_server(options):
        return "no key: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own"
    return None


def is_compatible_server(options: BackendSettings) -> bool:
    """Whether another server than OpenAI's own is asked. A list never holds both."""
    return bool(options.addresses) and not any(map(is_official, options.addresses))


def is_metered(settings: Settings) -> bool:
    """Whether the server is asked with a key."""
    return settings.group(BackendSettings).api_key is not None


def parameters(settings: Settings) -> int | None:
    """How many parameters the model has, where its name tells."""
    return parameters_in_name(settings.group(BackendSettings).model or "")


def list_models(settings: Settings) -> list[str]:
    """The models that the server lists, of several servers all of theirs, by asking. Raises ModelError kinds."""
    return build(settings).list_models()


def build(settings: Settings) -> "OpenAIChat | LoadBalancedChat":
    """A client; nothing is sent before the first message. Raises ModelError kinds where a setting is missing."""
    reason = availability_error(settings)
    if reason:
        kind = ModelAuthenticationError if "no key" in reason else ModelNotFoundError
        raise kind(f"openai: {reason}")
    options = settings.group(BackendSettings)
    addresses = options.addresses or [OFFICIAL]
    if len(addresses) == 1:
        return _build_client(addresses[0], options, settings, timeout=options.timeout)
    from httpx2 import Timeout

    from backends.remote.load_balancer import LoadBalancedChat

    quick = min(options.timeout, FAILOVER_TIMEOUT)
    timeout = Timeout(options.timeout, connect=quick)
    clients = [
        _build_client(address, options, settings, timeout=timeout, listing_timeout=quick) for address in addresses
    ]
    return LoadBalancedChat(servers=clients, failover_timeout=options.timeout)


def _build_client(address: str, options: BackendSettings, settings: Settings, **timeouts: Any) -> "OpenAIChat":
    """A client of one server; `timeouts`: fields of OpenAIChat, in seconds."""
    from backends.remote.chat import OpenAIChat

    own = is_compatible_server(options)
    return OpenAIChat(
        model=options.model or ("" if own else DEFAULT_MODEL),
        api_key=options.api_key or SecretStr("none"),
        base_url=address,  # named, since the SDK would look into variables of its own
        compatible=own,
        max_retries=0,  # the chain retries, and counts it
        stream_usage=True,
        stream_chunk_timeout=None,  # OPENAI_TIMEOUT is ours; and its wait_for loses a stop on Python 3.11
        use_responses_api=False,
        thinking_way=options.thinking,
        n_ctx=options.n_ctx,
        profile={"max_input_tokens": options.n_ctx} if options.n_ctx else None,
        **timeouts,
        **settings.sampling_options(),
    )
