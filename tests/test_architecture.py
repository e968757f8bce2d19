"""Who may import whom, read from the files: down one list, never in a circle, through the doors; and our sizes."""

import ast
import json
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from settings import ROOT

# Arrows run down this list only. A file belongs to the longest name here that begins its own.
ORDER = (
    "deploy",
    "benchmarks",
    "cli",
    "server",
    "app",
    "terminal",
    "api",
    "api.mcp",
    "api.sms",
    "api.projects",
    "api.predict",
    "api.anthropic",
    "api.exchange",
    "api.ollama",
    "api.llama",
    "api.openai",
    "api.http",
    "api.settings",
    "page",
    "page.pages",
    "page.stream",
    "page.chat",
    "page.session",
    "exposure",
    "identity",
    "mcp_server",
    "conversations",
    "conversations.exchange",
    "conversations.replies",
    "conversations.library",
    "conversations.store",
    "blocks",
    "documents",
    "chains",
    "tools",
    "tools.own",
    "tools.mcp",
    "tools.web",
    "tools.arithmetic",
    "tools.call",
    "tools.settings",
    "tools.host",
    "tools.info",
    "backends",
    "backends.models",
    "backends.remote",
    "backends.llama",
    "backends.hf",
    "backends.local",
    "backends.thinking",
    "backends.vision",
    "training",
    "prompts",
    "openai_account",
    "llama_library",
    "settings",
)
# What a room leaves alone although it stands further down.
APART = {
    "deploy": {"benchmarks", "cli", "server", "app", "terminal", "page", "exposure", "identity", "training"},
    "benchmarks": {"cli", "server", "app", "terminal", "page", "exposure", "identity"},
    "cli": {"app", "page", "exposure", "identity", "training"},
    "server": {"terminal", "training"},
    "app": {"terminal", "api", "exposure", "identity", "training"},
    "terminal": {"api", "page", "exposure", "identity", "training"},
    "api": {"page", "training"},
    "api.sms": {"api.projects", "api.predict", "api.openai"},
    "api.predict": {"api.openai"},
    "api.anthropic": {"api.openai"},
    "api.ollama": {"api.llama", "api.openai"},
    "page": {"training"},
    "exposure": {"identity", "conversations", "blocks", "documents", "chains", "tools", "training", "prompts"},
    "identity": {"blocks", "documents", "chains", "tools", "backends", "training", "prompts"},
    "conversations": {"training"},
    "conversations.exchange": {"conversations.replies", "conversations.library", "chains", "tools", "backends"},
    "conversations.library": {"chains", "tools", "backends"},
    "conversations.store": {"chains", "tools", "backends"},
    "blocks": {"chains", "tools", "backends", "training", "prompts", "openai_account", "llama_library", "settings"},
    "documents": {"chains", "tools", "backends", "training"},
    "chains": {"training"},
    "tools": {"backends", "training", "openai_account", "llama_library"},
    "backends": {"training"},
    "backends.remote": {"backends.llama", "backends.hf", "backends.local"},
    "backends.llama": {"backends.hf"},
    "training": {"openai_account", "settings"},
    "prompts": {"openai_account", "llama_library", "settings"},
}  # fmt: skip
DOORS = ("store", "replies", "library", "exchange")  # of conversations


def name_of(path: Path) -> str:
    """The module's dotted name; a package's for its __init__."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


ROOMS = [unit for unit in ORDER if "." not in unit]
SOURCES = {
    name_of(path): path
    for room in ROOMS
    for path in [ROOT / f"{room}.py", *sorted((ROOT / room).rglob("*.py"))]
    if path.exists()
}


@cache
def parsed(module: str) -> ast.Module:
    """A file of ours, read once."""
    return ast.parse(SOURCES[module].read_text())


@cache
def statements(module: str) -> list[ast.Import | ast.ImportFrom]:
    """Its imports, wherever in it: also where only types are read."""
    return [node for node in ast.walk(parsed(module)) if isinstance(node, ast.Import | ast.ImportFrom)]


def arrows(module: str) -> Iterator[tuple[str, str]]:
    """Modules of ours that a file imports and the names that it takes.

    Of `from package import module` the arrow points to the module.
    """
    for node in statements(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in SOURCES)
        else:
            assert not node.level, f"{module}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in SOURCES or node.module in SOURCES:
                    yield inner if inner in SOURCES else str(node.module), alias.name


@cache
def imports() -> dict[str, set[str]]:
    """Every file's arrows."""
    return {name: {target for target, _ in arrows(name)} - {name} for name in SOURCES}


def within(module: str, unit: str) -> bool:
    return module == unit or module.startswith(f"{unit}.")


@cache
def unit_of(module: str) -> str:
    return max((unit for unit in ORDER if within(module, unit)), key=len)


def test_arrows_run_down_the_list_only() -> None:
    place = {name: ORDER.index(unit_of(name)) for name in SOURCES}
    up = [(name, target) for name, targets in imports().items() for target in targets if place[target] < place[name]]
    assert up == []


def test_some_rooms_stay_apart() -> None:
    apart = {name: {u for room, units in APART.items() if within(name, room) for u in units} for name in SOURCES}
    met = [(name, target) for name, targets in imports().items() for target in targets for unit in apart[name]
           if within(target, unit)]  # fmt: skip
    assert met == []


def test_the_image_holds_every_room_that_serves() -> None:
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    rooms = {f"{room}.py" if (ROOT / f"{room}.py").exists() else room for room in ROOMS}
    assert rooms - allowed == {"deploy", "benchmarks", "training"}


def test_no_circle_of_files() -> None:
    left = {name: set(targets) for name, targets in imports().items()}
    while leaves := [name for name, targets in left.items() if not targets]:
        for name in leaves:
            del left[name]
        for targets in left.values():
            targets.difference_update(leaves)
    while tops := set(left) - set().union(*left.values()):  # who only leads there
        for name in tops:
            del left[name]
    assert sorted(left) == []


def test_conversations_are_entered_through_their_doors() -> None:
    for module in SOURCES:
        if not within(module, "conversations"):
            for node in statements(module):
                enters_through_a_door(module, node)


def enters_through_a_door(module: str, node: ast.Import | ast.ImportFrom) -> None:
    """Raises AssertionError for an import of what is behind one, or is not offered at it."""
    if isinstance(node, ast.Import):
        assert not [alias.name for alias in node.names if within(alias.name, "conversations")], module
    elif within(str(node.module), "conversations"):
        rooms = [str(node.module).removeprefix("conversations").removeprefix(".")]
        names = [alias.name for alias in node.names]
        if rooms == [""]:  # `from conversations import exchange`
            rooms, names = names, []
        assert set(rooms) <= set(DOORS), f"{module}: {node.module} is behind a door"
        assert set(names) <= offered(rooms[0]), f"{module}: {node.module} does not offer that"


@cache
def offered(room: str) -> set[str]:
    """A door's `__all__`."""
    for node in parsed(f"conversations.{room}").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def test_every_room_is_in_the_list() -> None:
    rooms = {p.parent.name for p in ROOT.glob("*/__init__.py")} | {p.stem for p in ROOT.glob("*.py")}
    assert rooms - {"tests"} == set(ROOMS)
    for outer in ("api", "page", "conversations", "tools", "backends"):
        inner = {name_of(path) for path in (ROOT / outer).glob("*/__init__.py")}
        assert inner <= set(ORDER)


def test_files_are_small() -> None:
    lengths = [len(p.read_text().splitlines()) for p in SOURCES.values()]
    assert statistics.median(lengths) < 150
    assert max(lengths) <= 400


def test_each_module_says_what_it_is() -> None:
    assert [module for module in SOURCES if not ast.get_docstring(parsed(module))] == []


def test_the_backends_rooms_are_not_imported_by_name_elsewhere() -> None:
    """Pages, commands and chains know backends through `backends` alone."""
    outside = [name for name in SOURCES if not within(name, "backends")]
    found = [(name, node.module) for name in outside for node in statements(name) if isinstance(node, ast.ImportFrom)]
    assert [each for each in found if str(each[1]).startswith("backends.")] == []


def tracked_code() -> dict[str, str]:
    """The Python of every file of ours, tests and the cells of notebooks among it, by path."""
    files = [*SOURCES.values(), *(ROOT / "tests").rglob("*.py")]
    code = {str(path.relative_to(ROOT)): path.read_text() for path in files if "node_modules" not in path.parts}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        code[str(path.relative_to(ROOT))] = "\n".join(line for line in sources if not line.startswith(("%", "!")))
    return code


def scopes(tree: ast.Module) -> Iterator[list[ast.AST]]:
    """What stands in the module and in each function, without the functions within, from the first line to the last."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
            yield list(_inside(scope))


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _inside(child)


def llama_names(nodes: list[ast.AST]) -> set[str]:
    """The names by which a scope imports llama_cpp, or what is in it; "" for a program or a dynamic import of it."""
    found = set[str]()
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            package = [str(node.module)] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            if any(within(name, "llama_cpp") for name in package):
                found |= {each.asname or each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "Popen", "run")):
            constants = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
            found |= {"" for value in constants if isinstance(value, str) and within(value, "llama_cpp")}
    return found


def unloaded_uses(code: str) -> list[int]:
    """The lines at which llama_cpp is imported where `llama_library.load()` does not stand before all that uses it."""
    if "llama_cpp" not in code:
        return []
    wrong, lists = list[int](), list(scopes(ast.parse(code)))
    for nodes in lists:
        if not (names := llama_names(nodes)):
            continue
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        loaded = min((node.lineno for node in calls if ast.unparse(node) == "llama_library.load()"), default=None)
        uses = [node.lineno for node in nodes if isinstance(node, ast.Name) and node.id in names]
        if "" in names or loaded is None or any(line < loaded for line in uses):
            wrong.append(next((line for line in uses), 0))
    return wrong


@pytest.mark.parametrize(
    ("code", "is_right"),
    [
        ("from llama_cpp import Llama\nllama_library.load()\nLlama(1)", True),
        ("def f():\n    from llama_cpp import Llama as L\n    llama_library.load()\n    return L(1)", True),
        ("from llama_cpp import Llama\nLlama(1)", False),
        ("from llama_cpp import Llama\nLlama(1)\nllama_library.load()", False),
        ("from llama_cpp import Llama as L\ndef f():\n    llama_library.load()\ndef g():\n    return L(1)", False),
        ("import llama_cpp.llama_cpp as api\napi.llama_decode(1)", False),
        ("import_module('llama_cpp')", False),
        ("subprocess.Popen([sys.executable, '-m', 'llama_cpp.server'])", False),
        ("find_spec('llama_cpp')", True),
    ],
)
def test_uses_of_llama_cpp_are_seen(code: str, is_right: bool) -> None:
    assert (unloaded_uses(code) == []) is is_right


def test_llama_cpp_computes_with_its_kernels_loaded() -> None:
    """They may be libraries of their own (LLAMA_CPP_KERNELS), without which it says "no backends are loaded"."""
    found = {path: unloaded_uses(code) for path, code in tracked_code().items() if path != "llama_library.py"}
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert {"notebooks/inference.ipynb", "training/formats/lora_gguf.py"} <= set(found)
