"""A model's files on the Hugging Face hub, fetched into the hub's own cache: of a split model all its parts.

Knows names of files; nothing of what is in them.
"""

from pathlib import Path

from langchain_core.exceptions import ModelNotFoundError

from backends.llama.parts import parse_name


def fetch(name: str) -> Path:
    """The path of `repo_id:filename`, of a split model's first part. Raises ModelNotFoundError."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, filename = name.partition(":")
    part = parse_name(filename)
    if part is not None and part.number != 1:
        first = part._replace(number=1)
        raise ModelNotFoundError(
            f"llamacpp: LLAMACPP_MODEL={name} is part {part.number} of {part.total} of a split model: name the first, "
            f"{repository}:{first}, and all are fetched."
        )
    try:
        files = [_download(repository, file) for file in (part.all() if part else [filename])]
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise ModelNotFoundError(f"llamacpp: LLAMACPP_MODEL={name} {_explain(error, repository)}") from error
    return files[0]


def _download(repository: str, filename: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, filename))
    except LocalEntryNotFoundError:
        raise
    except EntryNotFoundError as error:
        raise FileNotFoundError(f"it has no {filename}") from error


def _explain(error: Exception, repository: str) -> str:
    """Why the hub gave no file, and the remedy."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return f"is given on terms only: accept them on the page of {repository}, and set HF_TOKEN to your token."
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"cannot be fetched: the hub shows nobody a {repository}. Look at its name; if it is private, set HF_TOKEN."
        )
    if isinstance(error, FileNotFoundError) and error.errno is None and str(error).startswith("it has no "):
        return f"cannot be fetched from {repository}: {error}. Look at its list of files."
    cause = " ".join(str(error).split())
    return f"cannot be fetched from the hub ({cause}). Download the file by other means and name its path."
