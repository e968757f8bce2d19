"""How many parameters a model has by its name, where nobody tells more. Knows names; no file and no server."""

import re

UNITS = {"m": 10**6, "b": 10**9}
NUMBER = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)([mb])(?![a-z0-9])", re.IGNORECASE)


def parameters_in_name(name: str) -> int | None:
    """The parameters that a name such as `SmolLM2-135M-Instruct` or `qwen2.5:0.5b` tells; None where it tells none."""
    found = NUMBER.search(name)
    return None if found is None else round(float(found[1]) * UNITS[found[2].lower()])
