"""How pip is configured here, in uv's words, which reads nothing of pip's. Installs nothing.

https://pip.pypa.io/en/stable/topics/configuration/ and https://docs.astral.sh/uv/reference/environment/
"""

import ast
import os
import re
import subprocess
from pathlib import Path

# pip's option, uv's variable, and what stands between several values there.
VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", None),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", None),
    "client-cert": ("SSL_CLIENT_CERT", None),
    "proxy": ("ALL_PROXY", None),
    "timeout": ("UV_HTTP_TIMEOUT", None),
    "retries": ("UV_HTTP_RETRIES", None),
}
SWITCHES = {"no-index": ["--no-index"], "pre": ["--prerelease", "allow"], "no-cache-dir": ["--no-cache"]}
PACKAGES = {"no-binary": "--no-binary", "only-binary": "--only-binary"}
SYNONYMS = {"default-timeout": "timeout", "no-cache": "no-cache-dir", "pypi-url": "index-url"}
HARMLESS = {
    "break-system-packages",
    "cache-dir",
    "compile",
    "config-file",
    "disable-pip-version-check",
    "no-color",
    "no-compile",
    "no-input",
    "no-python-version-warning",
    "no-warn-script-location",
    "prefer-binary",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "root-user-action",
    "verbose",
}
SECTIONS = ("global", "install", ":env:")  # the later goes before the earlier
LINE = re.compile(r"(global|install|:env:)\.([a-z-]+)=(.+)")
FALSE = {"", "0", "false", "no", "off", "n", "f"}


class UntranslatableError(Exception):
    """An option of pip's that uv has no word for."""


def read(python: Path) -> dict[str, str]:
    """The options that hold for `pip install`, from its files and the environment."""
    loud = {**os.environ, "PIP_QUIET": "0"}  # told to be quiet it lists nothing
    command = [str(python), "-m", "pip", "config", "list"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=loud).stdout
    lines = [match.groups() for match in map(LINE.fullmatch, told.splitlines()) if match]
    lines.sort(key=lambda line: SECTIONS.index(line[0]))
    return {SYNONYMS.get(name, name): str(ast.literal_eval(value)).strip() for _, name, value in lines}


def translate(options: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Arguments and variables that have uv do what pip would. Raises UntranslatableError, which names the option.

    What may hold a password goes into variables: arguments are seen by everybody on the machine.
    """
    arguments, variables = list[str](), dict[str, str]()
    for name, value in options.items():
        if name in VARIABLES:
            variable, separator = VARIABLES[name]
            variables[variable] = separator.join(value.split()) if separator else value
        elif name in SWITCHES:
            arguments += [] if value.lower() in FALSE else SWITCHES[name]
        elif name in PACKAGES:
            arguments += [part for package in re.split(r"[\s,]+", value) for part in (PACKAGES[name], package)]
        elif name not in HARMLESS:
            raise UntranslatableError(name)
    if "UV_INDEX" in variables:  # pip takes the best of all indexes; uv by itself the first that has the package
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return arguments, {name: value for name, value in variables.items() if name not in os.environ}
