"""A mutant in a process that has imported everything: the code of one function is exchanged, whoever holds that function."""

from __future__ import annotations

import functools
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any


def swap(module: ModuleType, function: str, source: bytes) -> None:
    """Give a function of the module the code that it has in another source of the module. Raises SyntaxError, LookupError."""
    compiled = compile(source, module.__file__ or "", "exec", dont_inherit=True)
    found = _function(module, function)
    found.__code__ = _code(compiled, function)


def forget_answers(package: str) -> None:
    """Empty the memories of functions that remember their answers: they may be those of the code as it was."""
    for name, module in list(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


def _function(module: ModuleType, name: str) -> FunctionType:
    owner: Any = module
    *classes, last = name.split(".")
    for part in classes:
        owner = getattr(owner, part)
    value = vars(owner)[last]
    for attribute in ("fget", "__func__", "__wrapped__"):
        value = getattr(value, attribute, value)
    if isinstance(value, FunctionType):
        return value
    raise LookupError(f"{name} of {module.__name__} is no function: {value!r}")


def _code(code: CodeType, name: str) -> CodeType:
    for part in name.split("."):
        inner = [const for const in code.co_consts if isinstance(const, CodeType) and const.co_name == part]
        if not inner:
            raise LookupError(f"there is no {name} in the changed source")
        code = inner[-1]
    return code
