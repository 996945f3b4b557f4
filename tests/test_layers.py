"""The import rule: every module imports only from lower layers."""

import ast
from pathlib import Path

import ppocr_serving

ROOT = Path(ppocr_serving.__file__).parent

# Top to bottom. Each name is a folder or file of the package; those in one row do not import each other.
LAYERS = (
    {"__main__"},
    {"cli", "hub"},
    {"server", "integrations"},
    {"web", "client"},
    {"outputs"},
    {"workers"},
    {"reading"},
    {"settings"},
    {"vision"},
    {"engines"},
    {"models"},
    {"values", "results"},
    {"errors", "access", "cpu", "heap", "timing", "watching"},
)
DEPTH = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
HOMES = {
    "httpx2": {"client"},
    "stamina": {"client", "integrations"},
    "uvicorn": {"server"},
    "h11": {"server"},
    "paddlehub": {"hub"},
    "pypdfium2_raw": {"vision"},
    "mcp": {"integrations"},
    "mcp_types": {"integrations"},
    "ocrmypdf": {"integrations"},
    "ray": {"integrations"},
}


def imports() -> list[tuple[Path, str]]:
    """Return every import in the package as (file, dotted name)."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(path, name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                found += [(path, f"{node.module}.{name.name}") for name in node.names]
    return found


def part_of(path: Path) -> str:
    """Return the folder or file of the package that a path belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_module_belongs_to_a_layer() -> None:
    parts = {part_of(path) for path in ROOT.rglob("*.py")} - {"__init__"}
    assert parts <= DEPTH.keys()


def test_modules_import_only_from_lower_layers() -> None:
    wrong = []
    for path, name in imports():
        package, _, rest = name.partition(".")
        if package != "ppocr_serving" or part_of(path) == "__init__":
            continue
        target, source = rest.partition(".")[0], part_of(path)
        if target in DEPTH and target != source and DEPTH[target] <= DEPTH[source]:
            wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_no_layer_below_the_settings_imports_them() -> None:
    below = {name for name, depth in DEPTH.items() if depth > DEPTH["settings"]}
    assert not [
        path for path, name in imports() if name.startswith("ppocr_serving.settings") and part_of(path) in below
    ]


def test_each_framework_is_imported_only_where_it_belongs() -> None:
    for path, name in imports():
        homes = HOMES.get(name.partition(".")[0], {part_of(path)})
        assert part_of(path) in homes, f"{path.relative_to(ROOT)} imports {name}"


def test_only_commands_import_the_downloader() -> None:
    for path, name in imports():
        if name.startswith("ppocr_serving.models.fetch"):
            assert path.is_relative_to(ROOT / "models" / "fetch") or part_of(path) == "cli", path
