"""No module, function or list of parameters of the package is longer than a reader can hold."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "featcodec"
MODULES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULE, FUNCTION = 300, 60  # lines
PARAMETERS = 8

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(source: str) -> Iterator[Function]:
    yield from (node for node in ast.walk(ast.parse(source)) if isinstance(node, Function))


def lines(function: Function) -> int:
    """Return how long a function is, without its decorators."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def parameters(function: Function) -> int:
    """Return how many parameters a function has but for `self` and `cls`.

    Those of a command are its options: click hands them over by name.
    """
    if any(is_of_click(decorator) for decorator in function.decorator_list):
        return 0
    found = function.args
    named = [*found.posonlyargs, *found.args, *found.kwonlyargs, found.vararg, found.kwarg]
    return sum(one is not None and one.arg not in ("self", "cls") for one in named)


def is_of_click(decorator: ast.expr) -> bool:
    """Return whether a decorator makes a command or an option."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).split(".")[-1] in ("command", "group", "option", "argument")


def too_long(source: str) -> list[str]:
    """Return what of a module exceeds a limit."""
    found = []
    if len(source.splitlines()) > MODULE:
        found.append(f"{len(source.splitlines())} lines")
    for function in functions(source):
        if lines(function) > FUNCTION:
            found.append(f"{function.name}: {lines(function)} lines")
        if parameters(function) > PARAMETERS:
            found.append(f"{function.name}: {parameters(function)} parameters")
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_functions_are_short(name: str) -> None:
    assert too_long(MODULES[name].read_text(encoding="utf-8")) == []


def test_what_is_longer_is_found() -> None:
    names = [f"a{i}" for i in range(PARAMETERS + 1)]
    wide = f"def wide(self, {', '.join(names)}): ..."
    assert too_long(wide) == ["wide: 9 parameters"]
    assert too_long(wide.replace("self", "*").replace("a8", "**a8")) == ["wide: 9 parameters"]
    assert too_long(f"@click.command()\n@click.option('-a')\n{wide}") == []
    assert too_long(f"@cached\n{wide}") == ["wide: 9 parameters"]
    body = "    pass\n" * FUNCTION
    assert too_long(f"@click.command\ndef long():\n{body}") == ["long: 61 lines"]
    inner = body.replace("    ", " " * 8).removesuffix(" " * 8 + "pass\n")
    assert too_long(f"class A:\n    def fits(self):\n{inner}") == []
    assert too_long("#\n" * 300) == [] and too_long("#\n" * 301) == ["301 lines"]
