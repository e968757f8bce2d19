"""`python -m deploy.install NAME` installs requirements-NAME.txt into the environment it runs in, or all that serves.

`--serve` starts the page as soon as its own packages are there. Each local backend appears in it when it is installed,
without a restart: backends/local/installing.py reads how far that is.
"""

import argparse
import signal
import subprocess
import sys
import threading
from pathlib import Path

from deploy.install.installation import Installation
from deploy.install.llama import ROOT
from deploy.install.packages import InstallError, prepare


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.install", description=__doc__)
    parser.add_argument("name", help="openai, all, or the NAME of a requirements-NAME.txt")
    parser.add_argument("--serve", action="store_true", help="start the page meanwhile")
    parser.add_argument("--weights", action="store_true", help="the weights of the base model too")
    options = parser.parse_args()
    installation = Installation(prepare(Path(sys.executable), ROOT / "requirements-install.txt"))
    try:
        if options.name not in {"openai", "all"}:
            installation.install_others(options.name)
            return 0
        return (_serve if options.serve else _install)(installation, options)
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1


def _install(installation: Installation, options: argparse.Namespace) -> int:
    waited_for = _start_local(installation, options)
    installation.install_page()
    if waited_for:
        _rest(installation, waited_for)
    return int(installation.failed)


def _serve(installation: Installation, options: argparse.Namespace) -> int:
    """The exit status of the page, which is up while the rest is installed."""
    waited_for = _start_local(installation, options)
    installation.install_page()
    print("Starting the page; Ctrl-C ends it.", flush=True)
    page = subprocess.Popen([sys.executable, "cli.py", "serve"], cwd=ROOT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the page by itself
    signal.signal(signal.SIGTERM, lambda *_: page.terminate())
    if waited_for:
        threading.Thread(target=_rest, args=(installation, waited_for), daemon=True).start()
    return page.wait()


def _start_local(installation: Installation, options: argparse.Namespace) -> list[threading.Thread]:
    """What takes longest, on its way: llama.cpp, and the weights."""
    if options.name != "all":
        return []
    for backend in ("gpt2", "llamacpp"):
        installation.progress.update(backend, "It is being installed")
    work = [installation.install_llamacpp, *([installation.install_weights] if options.weights else [])]
    threads = [threading.Thread(target=each, daemon=True) for each in work]
    for thread in threads:
        thread.start()
    return threads


def _rest(installation: Installation, waited_for: list[threading.Thread]) -> None:
    installation.install_gpt2()
    for thread in waited_for:
        thread.join()
    try:
        installation.finish("all")
    except InstallError as error:
        installation.failed = True
        print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
