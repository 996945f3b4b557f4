"""The one rule of imports: everything imports only what lies below it."""

import ast
from pathlib import Path

import ppocr_serving

ROOT = Path(ppocr_serving.__file__).parent

# From the top down. A name is a folder or a file of the package; those of one row know nothing of each other.
LAYERS = (
    {"__main__"},
    {"cli", "hub"},
    {"server"},
    {"web", "handover", "memory"},
    {"outputs", "integrations"},
    {"reading"},
    {"settings"},
    {"vision"},
    {"engines"},
    {"models"},
    {"values", "results"},
    {"errors", "cpu", "heap", "timing"},
)
DEPTH = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
HOMES = {"flask": "web", "werkzeug": "web", "gunicorn": "server", "paddlehub": "hub"}


def imports() -> list[tuple[Path, str]]:
    """Each import in the package: the file that has it, and the dotted name."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(path, name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                found += [(path, f"{node.module}.{name.name}") for name in node.names]
    return found


def room_of(path: Path) -> str:
    """The folder or file of the package that a path belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_everything_has_its_place() -> None:
    rooms = {room_of(path) for path in ROOT.rglob("*.py")} - {"__init__"}
    assert rooms <= DEPTH.keys()


def test_imports_lead_down() -> None:
    wrong = []
    for path, name in imports():
        package, _, rest = name.partition(".")
        if package != "ppocr_serving" or room_of(path) == "__init__":
            continue
        target, source = rest.partition(".")[0], room_of(path)
        if target in DEPTH and target != source and DEPTH[target] <= DEPTH[source]:
            wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_nothing_below_reading_knows_the_settings() -> None:
    below = {name for name, depth in DEPTH.items() if depth > DEPTH["settings"]}
    assert not [
        path for path, name in imports() if name.startswith("ppocr_serving.settings") and room_of(path) in below
    ]


def test_foreign_frameworks_stay_in_their_rooms() -> None:
    for path, name in imports():
        home = HOMES.get(name.partition(".")[0])
        assert home in (None, room_of(path)), f"{path.relative_to(ROOT)} imports {name}"


def test_only_commands_fetch_models() -> None:
    for path, name in imports():
        if name.startswith("ppocr_serving.models.fetch"):
            assert path.is_relative_to(ROOT / "models" / "fetch") or room_of(path) == "cli", path
