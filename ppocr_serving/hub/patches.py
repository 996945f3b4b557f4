"""Replacements for functions of PaddleHub, each with the reason.

`startup` calls `apply` right after a module of PaddleHub has been executed and before other code can use it.
Replacements import the rest of this package only when called, so that importing PaddleHub stays as cheap as before.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ppocr_serving.errors import InvalidSetting, OcrError

__all__ = ["REPLACEMENTS", "Replacement", "apply"]


class Replacement(NamedTuple):
    """One function of PaddleHub and its replacement.

    Attributes:
        module: The module of PaddleHub that owns the name, or that has imported it and calls it.
        name: The name in that module, dotted for a method.
        function: The replacement, called like the original.
        reason: Why the original is unsuitable, as the end of a sentence.
        wraps: Whether the replacement receives the original as its first argument, and calls it.
    """

    module: str
    name: str
    function: Callable[..., Any]
    reason: str
    wraps: bool = False


def _send_nothing(*args: object, **kwargs: object) -> None:
    """Suppress the request in which PaddleHub reports commands, modules and a machine id."""


def _create_app(
    init_flag: bool = False,  # noqa: ARG001  # PaddleHub passes it by name
    configs: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Return the table of modules, for whichever server is started with it."""
    return configs or {}


def _run(configs: Mapping[str, Any] | None = None, port: int | str = 8866) -> None:
    """Serve in one process, PaddleHub's default mode."""
    from ppocr_serving.hub.serving import serve

    serve(configs or {}, int(port), workers=1)


class _StandaloneApplication:
    """Serve in several processes, PaddleHub's mode `--use_multiprocess`."""

    def __init__(self, configs: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        self._configs = configs
        self._port = int(options["bind"].rpartition(":")[2])
        self._workers = int(options["workers"])

    def run(self) -> None:
        from ppocr_serving.hub.serving import serve

        serve(self._configs, self._port, self._workers)


def _execute(original: Callable[[], int]) -> int:
    """Run a command; report errors in settings, models, pictures and module names in one line."""
    from paddlehub.server.server_source import ServerConnectionError

    try:
        return original()
    except OcrError as error:
        message = str(error)
    except ServerConnectionError as error:
        # If a module is not installed, PaddleHub looks for it in its online registry.
        message = f"{error}; modules of this service must be installed first: hub install modules/<name>"
    sys.stderr.write(f"hub: {message}\n")
    return 1


def _parse_args(original: Callable[[Any], Any], command: Any) -> Any:
    """Parse `hub serving start`: report errors in one line, and let `-p` override the port of a `-c` file."""
    from ppocr_serving.settings import parse_setting

    arguments = command.args
    port = arguments.port
    if arguments.config is not None:
        _require_config(arguments.config)
    elif not arguments.modules:
        raise InvalidSetting("no modules named; add --modules ocr_system ocr_cls ocr_det ocr_rec, or -c config.json")
    modules = original(command)
    _require_installed(modules)
    if isinstance(port, str):  # given explicitly: PaddleHub's default is a number
        arguments.port = port
    arguments.port = parse_setting("port", "port", str(arguments.port))
    if arguments.use_multiprocess:
        arguments.workers = parse_setting("workers", "--workers", str(arguments.workers))
    return modules


def _require_config(path: str) -> None:
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSetting(f"-c {path}: {error.strerror}; give a module's config.json") from error
    except ValueError as error:
        raise InvalidSetting(f"-c {path}: is not valid JSON ({error}); give a module's config.json") from error
    if not isinstance(config, dict) or not isinstance(config.get("modules_info"), dict):
        raise InvalidSetting(f"-c {path}: modules_info is missing; give a module's config.json")


def _require_installed(names: Iterable[str]) -> None:
    # PaddleHub would look for others in its online registry, but this service could not serve them.
    from paddlehub.env import MODULE_HOME

    from ppocr_serving.values import suggestion

    installed = sorted(path.name for path in Path(MODULE_HOME).iterdir() if path.is_dir())
    for name in names:
        if name not in installed:
            raise InvalidSetting(
                f"module {name!r} is not installed{suggestion(name, installed)}; "
                f"installed: {', '.join(installed) or 'none'} (hub install modules/<name> installs one)"
            )


def _require_free_port(is_occupied: Callable[[str, int], bool], host: str, port: int) -> bool:
    """Report in one line that a port is in use; PaddleHub logs it and exits with status 0."""
    if is_occupied(host, port):
        raise InvalidSetting(f"port {port} is in use; stop the process using it, or choose another one with -p")
    return False


def _start_gpu_serving(_command: object) -> None:
    """Refuse PaddleHub's GPU mode."""
    raise InvalidSetting("--use_gpu: PaddleHub's GPU mode is not supported; omit it and set PPOCR_USE_GPU=true")


REPLACEMENTS = (
    Replacement(
        module="paddlehub.commands.utils",
        name="execute",
        function=_execute,
        reason="it reports a wrong setting with a stack trace",
        wraps=True,
    ),
    Replacement(
        # The method rather than the class: commands import the class by name, and still start it as a thread.
        module="paddlehub.server.server",
        name="CacheUpdater.update_resource_list_file",
        function=_send_nothing,
        reason="it reports every command and module to a server on the internet",
    ),
    Replacement(
        module="paddlehub.serving.app_compat",
        name="create_app",
        function=_create_app,
        reason="its application returns errors as HTML, forwards paths of the server's files from a request to a "
        "module, and crashes when it logs an exception",
    ),
    Replacement(
        module="paddlehub.serving.app_compat",
        name="run",
        function=_run,
        reason="it is Werkzeug's development server, which answers one request at a time",
    ),
    Replacement(
        # Replaced in the calling module, which imports it by name.
        module="paddlehub.commands.serving",
        name="StandaloneApplication",
        function=_StandaloneApplication,
        reason="its sync workers leave health checks unanswered while a picture is read, and load no models before "
        "the first request",
    ),
    Replacement(
        module="paddlehub.commands.serving",
        name="ServingCommand.parse_args",
        function=_parse_args,
        reason="it ignores -p if -c is given, and reports missing modules with a stack trace",
        wraps=True,
    ),
    Replacement(
        module="paddlehub.commands.serving",
        name="is_port_occupied",
        function=_require_free_port,
        reason="its caller suggests no remedy for an occupied port, and exits with status 0",
        wraps=True,
    ),
    Replacement(
        module="paddlehub.commands.serving",
        name="ServingCommand.start_zmq_serving_with_args",
        function=_start_gpu_serving,
        reason="it serves PaddleHub's own application, which does not follow the contract",
    ),
)


def apply(module: ModuleType) -> None:
    """Apply the replacements for one module.

    Args:
        module: A module of PaddleHub that has just been executed.

    Raises:
        ImportError: PaddleHub no longer has the name.
    """
    for replacement in REPLACEMENTS:
        if replacement.module == module.__name__:
            _replace(module, replacement)


def _replace(module: ModuleType, replacement: Replacement) -> None:
    *path, last = replacement.name.split(".")
    owner: Any = module
    for part in path:
        owner = getattr(owner, part, None)
    if not hasattr(owner, last):
        raise ImportError(
            f"{replacement.module} has no {replacement.name}, which must be replaced because {replacement.reason}; "
            "this is not the PaddleHub that requirements.txt pins: run scripts/setup.sh",
            name=replacement.module,
        )
    function = replacement.function
    setattr(owner, last, _around(getattr(owner, last), function) if replacement.wraps else function)


def _around(original: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    # A function rather than a `functools.partial`, which would not become a method.
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(original, *args, **kwargs)

    return wrapper
