"""A throw-away environment with LangChain's stock models, which ours does without: our packages, and two of its own.

Knows pip and folders; nothing of what is measured.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

PINS = ("langchain-community==0.4.2", "langchain-huggingface==1.2.3")  # without what they want: it is there


def stock_python(folder: Path) -> str:
    """Its Python, installed where it is not there. Raises ValueError where pip cannot."""
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    if stamp.is_file() and stamp.read_text() == "\n".join(PINS):
        return str(python)
    print("Installing LangChain's stock models into an environment of their own…", file=sys.stderr)
    venv.create(folder, clear=True, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(packages, "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", *PINS]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        errors = [line for line in process.stderr.splitlines() if line.startswith("ERROR")]
        error = (errors or process.stderr.splitlines() or ["?"])[-1]
        raise ValueError(f"pip cannot install it: {error.removeprefix('ERROR: ')}")
    stamp.write_text("\n".join(PINS))
    return str(python)
