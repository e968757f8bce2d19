"""The API on Ray Serve: replicas on one or many machines, each with a loaded backend of its own.

`python -m deploy.ray_serve` listens at HOST and PORT, on a Ray of its own, or on the cluster that RAY_ADDRESS names and
that goes on without it; started again, it replaces one replica after the other. `serve run deploy.ray_serve:app` and
`serve build deploy.ray_serve:application` take the same. Knows Serve, settings and the API's start; no route.

Our variables are read here, once, and every replica is given the same. Files they name must be on every machine.
"""

import math
import os
import signal
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import backends
from api.http.auth import check_keys
from api.http.state import create_state
from api.lifespan import CLOSE_TIMEOUT
from api.settings import ApiSettings, ReplicaSettings, all_settings
from conversations.store import disconnect
from settings import ROOT, Settings, SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from ray.serve import Application

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray tells its makers of each cluster otherwise
NAME = "assistant"
GATE = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "deploy.ray_gate.gates"}
KILL_MARGIN = 5.0  # seconds beyond our own grace until Serve kills a replica
# Times RAY_TARGET_REQUESTS at once; others wait in the proxy, go wherever is room first, and outlive replicas.
OVERSUBSCRIPTION = 1.5
MAX_CONSTRUCTOR_RETRIES = 3  # of a replica that cannot start


class Replica:
    """One process of the API. Raises SettingsError, ModelError kinds where it cannot answer; Serve then tells of it."""

    def __init__(self, variables: dict[str, str]) -> None:
        os.environ.update(variables)
        self._settings = backends.read_settings()
        self._name = _backend(self._settings)
        backends.load(self._name, self._settings)  # no request comes before this is done

    async def check_health(self) -> None:
        """Serve calls this now and then, and replaces a replica that raises. RuntimeError where ours is not ready."""
        problem = backends.availability_error(self._name, self._settings)
        if problem is not None:
            raise RuntimeError(f"{self._name}: {problem}")


def build() -> "FastAPI":
    """The application of a replica; imported there, after its variables are set."""
    from api import app as application

    return application


def app(_: dict[str, str]) -> "Application":
    """The application as `serve` wants it. Raises SettingsError before anything starts."""
    settings, api, replicas = backends.read_settings(), ApiSettings.read(), ReplicaSettings.read()
    check_replicas(settings, replicas)
    from ray import serve

    scaling = {
        "min_replicas": replicas.min_replicas,
        "max_replicas": replicas.max_replicas,
        "target_ongoing_requests": replicas.target_requests,
        "upscale_delay_s": replicas.upscale_delay,
    }
    deployment = serve.deployment(
        name=NAME,
        autoscaling_config=scaling,
        max_constructor_retry_count=MAX_CONSTRUCTOR_RETRIES,
        ray_actor_options={"num_cpus": replicas.cpus, "num_gpus": replicas.gpus},
        max_ongoing_requests=math.ceil(replicas.target_requests * OVERSUBSCRIPTION),
        max_queued_requests=api.max_queue,
        graceful_shutdown_timeout_s=api.shutdown_grace + CLOSE_TIMEOUT + KILL_MARGIN,
        graceful_shutdown_wait_loop_s=0.5,
    )
    application: Application = deployment(serve.ingress(build)(Replica)).bind(configured_variables())
    return application


def __getattr__(name: str) -> "Application":
    """`application`, which is made when it is asked for: `serve build` takes no function."""
    if name == "application":
        return app({})
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def configured_variables() -> dict[str, str]:
    """The variables of ours that are set, by name: the environment's, then `.env`'s."""
    fields = ((group, field) for group in all_settings() for field in group.model_fields)
    return {group.variable(field): lookup[0] for group, field in fields if (lookup := group.lookup(field))}


def check_replicas(settings: Settings, replicas: ReplicaSettings) -> None:
    """Raises SettingsError for what cannot work with so many replicas, or with any."""
    least, most = replicas.min_replicas, replicas.max_replicas
    if least > most:
        raise SettingsError(f"RAY_MIN_REPLICAS={least}: more than RAY_MAX_REPLICAS={most}. Raise that one, too")
    if most > 1 and settings.database_url.startswith("sqlite"):
        raise SettingsError(
            f"RAY_MAX_REPLICAS={most}: replicas share sessions in a database that all machines reach, and SQLite is a "
            "file on one. Set DATABASE_URL=postgresql+psycopg://…, or RAY_MAX_REPLICAS=1"
        )
    if most > 1 and settings.cookie_secret is None:
        raise SettingsError(
            f"RAY_MAX_REPLICAS={most}: each machine would sign with a key file of its own. Set COOKIE_SECRET to "
            "32 characters or more, or RAY_MAX_REPLICAS=1"
        )
    _backend(settings)


def _backend(settings: Settings) -> str:
    """The name of the backend that answers. Raises SettingsError where it is not ready."""
    name, reason = backends.choose(settings)
    if name is None:
        raise SettingsError(reason)
    problem = backends.availability_error(name, settings)
    if problem is not None:
        raise SettingsError(f"LLM_BACKEND={name}: {problem}")
    return name


def start_ray(settings: Settings, address: str | None, **more: Any) -> None:
    """Start Ray, here or at `address`, and Serve's proxies at HOST and PORT."""
    import ray
    from ray import serve

    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    alone: dict[str, Any] = {} if address else {"include_dashboard": False}
    ray.init(address=address or "local", runtime_env={"env_vars": {**GATE, "PYTHONPATH": path}}, **alone, **more)
    serve.start(http_options={"host": settings.host, "port": settings.port})


def deploy() -> None:
    """Start the application, or replace the running one. Raises SettingsError, RuntimeError."""
    from ray import serve

    serve.run(app({}), name=NAME, route_prefix="/")


def run(address: str | None) -> None:
    """Start Ray and the application; with a Ray of our own, run until the signal to end. Raises SettingsError."""
    if find_spec("ray") is None:
        raise SettingsError("ray: not installed; run pip install -r requirements-ray.txt")
    check_replicas(backends.read_settings(), ReplicaSettings.read())
    state = create_state()  # the database answers, before any replica is started
    check_keys(state)
    state.sms.check()
    disconnect()
    start_ray(state.settings, address)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # after Ray's own, which aborts and lets no reply finish
    try:
        deploy()
        while not address:  # a Ray of our own lives as long as we do
            time.sleep(3600)
    finally:
        if not address:
            shut_down()


def shut_down() -> None:
    """Stop Serve, after every replica has had SHUTDOWN_GRACE to finish its replies."""
    from ray import serve

    serve.delete(NAME)  # first, since `shutdown` takes the proxies away, through which the replies go
    serve.shutdown()  # type: ignore[no-untyped-call]


def main() -> int:
    """Run the command line; returns 2 where a setting is wrong, 1 where Ray did not start."""
    try:
        run(os.environ.get("RAY_ADDRESS") or None)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    except ray_errors() as error:
        print(f"Ray Serve: {describe(error)}", file=sys.stderr)
        return 1
    return 0


def ray_errors() -> tuple[type[Exception], ...]:
    """The exceptions of a Ray that does not start, for a wrong RAY_ADDRESS, too."""
    from ray.exceptions import RayError

    return (RayError, RuntimeError, ConnectionError, ValueError)


def describe(error: Exception) -> str:
    """The text of an error; of one in another process without its traceback, which is in Ray's log."""
    return str(getattr(error, "cause", None) or error)


if __name__ == "__main__":
    sys.exit(main())
