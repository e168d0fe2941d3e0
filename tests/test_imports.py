"""What may import what: start-up time and the direction of dependencies depend on it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "featcodec"
LEARNING = {"cli/train.py", *(f"learning/{path.name}" for path in PACKAGE.glob("learning/*.py"))}
HEAVY = ("numpy", "torch", "constriction", "safetensors", "compressai")


def imports(path: Path) -> set[str]:
    """Return the dotted names a module imports, relative ones resolved."""
    found = set()
    package = ("featcodec", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def reaches(path: Path, name: str) -> bool:
    return any(found == name or found.startswith(f"{name}.") for found in imports(path))


@pytest.mark.parametrize("stage", ["align", "transform", "quantise", "entropy"])
def test_a_stage_knows_neither_the_others_nor_the_container(stage: str) -> None:
    others = {"align", "transform", "quantise", "entropy", "container", "pipeline", "cli"} - {stage}
    for path in (PACKAGE / stage).rglob("*.py"):
        for other in others:
            assert not reaches(path, f"featcodec.{other}"), f"{path} imports {other}"


def test_the_container_needs_the_standard_library_only() -> None:
    for path in [
        *(PACKAGE / "container").glob("*.py"),
        PACKAGE / "errors.py",
        PACKAGE / "limits.py",
    ]:
        for name in (*HEAVY, "click", "featcodec.pipeline", "featcodec.entropy"):
            assert not reaches(path, name), f"{path} imports {name}"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("constriction", {"entropy/rans.py"}),
        ("torch", {"torch.py", "transform/neural/network.py", *LEARNING}),
        ("compressai", {"learning/hyperprior.py"}),
    ],
)
def test_a_library_is_imported_by_the_files_that_may(name: str, allowed: set[str]) -> None:
    users = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if reaches(p, name)}
    assert users <= allowed


def test_only_its_command_knows_the_evaluation() -> None:
    inside = {*(PACKAGE / "evaluate").glob("*.py")}
    users = {p for p in PACKAGE.rglob("*.py") if reaches(p, "featcodec.evaluate")} - inside
    assert users == {PACKAGE / "cli/eval.py"}
    for path in inside:  # packages that may be missing are loaded when they are needed
        for name in ("matplotlib", "bjontegaard", "zstandard", "pcodec", "pysz", "zfpy"):
            assert not reaches(path, name), f"{path} imports {name}"


@pytest.mark.parametrize("command", [["--help"], ["info", "FILE"], ["verify", "FILE"]])
def test_light_commands_load_nothing_heavy(
    command: list[str], tmp_path: Path, digits: Path
) -> None:
    from featcodec.files import encode_file

    encode_file(digits / "vit_train.safetensors", tmp_path / "x.fcz")
    command = [str(tmp_path / "x.fcz") if word == "FILE" else word for word in command]
    script = (
        "import sys\nfrom featcodec.cli.main import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit as stop:\n    status = stop.code\n"
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "assert not loaded, loaded\nassert not status, status"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
