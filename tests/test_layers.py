"""A module of gradgen imports only from modules above it in ORDER."""

import ast
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).parent.parent
# fmt: off
ORDER = [
    "collector", "definitions", "directives", "errors", "types", "ops", "graph", "read", "rules",
    "sweep", "derive", "forward", "liveness", "rewriter", "vanishing", "simplify", "shifts",
    "regular", "passes", "kernels", "batching", "question", "columns", "monomials", "sharing",
    "assembly", "elimination", "jacobians", "modes", "targets", "spelling", "fastmath", "rows",
    "blocks", "stacked", "products", "stabilize", "layout", "guards", "bounds", "saved", "unit",
    "surroundings", "emission", "buffers", "dtypes", "inplace", "loops", "notes", "render",
    "certificate", "program", "header", "cache", "live", "differences", "oracles", "checking",
    "certify", "byhand", "auditing", "testing", "pytest_plugin", "measure", "point", "statements",
    "worksheet", "shown", "notation", "explaining", "picture", "drawing", "api", "flatten", "files",
    "sync", "terminal", "jobs", "cli", "cli_options", "cli_check", "cli_audit", "cli_compare",
    "cli_explain", "cli_graph", "cli_sync", "cli_verify",
]
# fmt: on
EXEMPT = {"__init__", "__main__"}


def imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import of gradgen, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{base}.{alias.name}" for alias in node.names]
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "gradgen")


def violations(root: Path) -> Iterator[str]:
    for path in sorted((root / "gradgen").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[1] in EXEMPT:
            continue
        if parts[1] not in ORDER:
            yield f"{path.relative_to(root)}: {parts[1]} has no place in ORDER"
            continue
        allowed = ORDER[: ORDER.index(parts[1]) + 1]
        if path.parent == root / "gradgen":
            allowed.pop()
        for line, name in imported(path.read_text("utf-8"), ".".join(parts[:-1])):
            if "".join(name.split(".")[1:2]) not in allowed:
                yield f"{path.relative_to(root)}:{line}: imports {name}"


def test_every_module_imports_only_from_modules_above_it():
    assert list((ROOT / "gradgen").glob("*.py"))
    assert list(violations(ROOT)) == []


def test_a_planted_import_from_below_is_found_however_it_is_written(tmp_path):
    files = {
        "__init__.py": "from .cli import main\n",
        "types.py": "import ast, numpy.linalg\nfrom .errors import SourceError\n",
        "graph.py": "def f():\n    from .api import grad\n",
        "ops/__init__.py": "from . import special\nfrom ..types import Type\n",
        "ops/special.py": "from .. import cli\nimport gradgen\nimport gradgen.emit as e\n",
        "helpers.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "gradgen" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert [found.replace("\\", "/") for found in violations(tmp_path)] == [
        "gradgen/graph.py:2: imports gradgen.api.grad",
        "gradgen/helpers.py: helpers has no place in ORDER",
        "gradgen/ops/special.py:1: imports gradgen.cli",
        "gradgen/ops/special.py:2: imports gradgen",
        "gradgen/ops/special.py:3: imports gradgen.emit",
    ]
