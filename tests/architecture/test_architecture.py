"""The shape of the package: who may load what, how long modules are, what the native module exports."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gscodec
from gscodec import kernels
from gscodec.kernels import _kernels

PACKAGE = Path(gscodec.__file__).resolve().parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "_generated" not in p.parts)
LONGEST = 400
LONG = {
    "reference/container.py": 600,  # chapter 2 in one piece, as a reader of the specification meets it
}
EXAMPLE = Path(__file__).resolve().parents[2] / "examples/made_scene.ply"


def python(code: str, *arguments: str) -> str:
    """What `code` prints in a Python of its own."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-P", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


DECODE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "gsplat", "click", "scipy", "matplotlib"} or name.startswith(
            ("gscodec.encode", "gscodec.evaluate", "gscodec.cli", "gscodec.api", "gscodec.reference")
        ):
            raise ImportError(f"decoding must not import {name}")
        return None

sys.meta_path.insert(0, Refuse())
import gscodec

splats = gscodec.decode(open(sys.argv[1], "rb").read())
decoder = gscodec.Decoder()
decoder.feed(open(sys.argv[1], "rb").read())
decoder.close()
print(len(splats), sum(len(chunk.splats) for chunk in decoder.chunks()))
"""


def test_decoding_loads_no_encoder_and_no_torch(tmp_path: Path) -> None:
    path = tmp_path / "scene.gsc"
    path.write_bytes(gscodec.encode(gscodec.read(EXAMPLE), effort=1))
    assert python(DECODE, str(path)) == "4000 4000"


def test_decoding_imports_no_encoder_and_no_tools() -> None:
    loaded = set(python("import sys, gscodec.decoder; print(*sys.modules)").split())
    assert not {name for name in loaded if name.split(".")[0] in {"torch", "click", "scipy", "matplotlib"}}
    assert not {
        name
        for name in loaded
        if name.startswith(("gscodec.encode", "gscodec.evaluate", "gscodec.reference", "gscodec.cli"))
    }


def test_public_names() -> None:
    assert sorted(gscodec.__all__) == gscodec.__all__
    for name in gscodec.__all__:
        assert getattr(gscodec, name) is not None
    assert set(gscodec.__all__) <= set(dir(gscodec))
    with pytest.raises(AttributeError, match="nothing"):
        _ = gscodec.nothing


def test_encode_is_the_function_whatever_was_imported_before() -> None:
    code = """import {}
import gscodec, gscodec.encode
from gscodec import encode
from gscodec.encode.whole import encode_splats
print(gscodec.encode is encode and callable(encode))
"""
    for first in ("gscodec.encode.encoder", "gscodec", "gscodec.api", "gscodec.decoder"):
        assert python(code.format(first)) == "True"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_modules(path: Path) -> None:
    """A module fits in a head, and says at its start what it is."""
    source = path.read_text(encoding="utf-8")
    name = path.relative_to(PACKAGE).as_posix()
    assert len(source.splitlines()) <= LONG.get(name, LONGEST)
    assert ast.get_docstring(ast.parse(source)) or (path.name == "__init__.py" and not source.strip())


def test_no_exemption_is_stale() -> None:
    for name in LONG:
        assert len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) > LONGEST


# ---- the typed stub of the native module


def _stub() -> dict[str, int]:
    """Names of the stub; of functions with the number of their arguments, of methods as Class.method."""
    found: dict[str, int] = {}
    tree = ast.parse((PACKAGE / "kernels/_kernels.pyi").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = len(node.args.posonlyargs) + len(node.args.args)
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                assert isinstance(method, ast.FunctionDef)
                found[f"{node.name}.{method.name}"] = len(method.args.posonlyargs) + len(method.args.args)
    return found


def _arguments(function: object) -> int:
    """How many arguments a native function has, from the first line of its documentation."""
    signature = re.match(
        r"\w+\((.*?)\) ->", (inspect.getdoc(function) or "").replace("/, ", "").replace(", /", "")
    )
    assert signature is not None, function
    depth, count = 0, int(bool(signature[1]))
    for letter in signature[1]:
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(letter, 0)
        count += letter == "," and depth == 0
    return count


def test_stub_is_the_native_module() -> None:
    stub = _stub()
    native: dict[str, int] = {}
    for name, value in vars(_kernels).items():
        if name.startswith("_"):
            continue
        if isinstance(value, type):
            for method, function in vars(value).items():
                if callable(function) and (not method.startswith("_") or method in ("__len__", "__init__")):
                    native[f"{name}.{method}"] = -1
        else:
            native[name] = _arguments(value)
    for made_by_functions in ("Mixture", "Ops", "Polynomial", "RecordedRows", "RowPlan", "Similar"):
        native.pop(f"{made_by_functions}.__init__", None)
    assert {n for n in stub if "." in n} == {n for n in native if "." in n}
    functions = {n: count for n, count in stub.items() if "." not in n}
    assert functions == {n: count for n, count in native.items() if "." not in n}
    assert all(hasattr(kernels, name) for name in functions)
