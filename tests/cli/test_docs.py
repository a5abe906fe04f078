"""The guides tell the truth: all commands and Python in docs/ run, in order, and links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import ENVIRONMENT, ROOT
from test_readme import prepare

GUIDES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SITE = "https://example.org"
SHOWN = {"nginx", "apache", "text"}  # settings of other programs


class Ranges(SimpleHTTPRequestHandler):
    """A web server as the guide for artists asks for."""

    def do_GET(self) -> None:
        data = Path(self.translate_path(self.path)).read_bytes()
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        body = data[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def folder(scene_ply: Path, tmp_path: Path) -> Path:
    """Where a reader is: a scene, some scans, the repository's folders, the commands on the path."""
    prepare(scene_ply, tmp_path)
    (tmp_path / "conformance").symlink_to(ROOT / "conformance")
    (tmp_path / "bin").mkdir()
    for name in ("gsenc", "gsdec", "gsinfo", "gscodec", "python"):
        words = [sys.executable, *([] if name == "python" else ["-P", "-m", f"gscodec.cli.{name}"])]
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def site(folder: Path) -> Iterator[str]:
    """The address of a server of the folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=os.fspath(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(sys.platform == "win32", reason="written for a POSIX shell")
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_every_block_runs(guide: Path, folder: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    environment = {**ENVIRONMENT, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    names: dict[str, object] = {}
    ran = 0
    for kind, code in BLOCK.findall(guide.read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(code, guide.name, "exec"), names)
        elif kind == "sh batch" and not find_spec("distributed"):
            continue
        elif kind in ("sh", "sh batch"):
            done = subprocess.run(
                ["sh", "-e", "-c", code.replace(SITE, site)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            assert done.returncode == 0, f"{code}\n{done.stderr}"
        else:
            assert kind in SHOWN, kind
            continue
        ran += 1
    assert ran


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_links_and_widths(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in target or (guide.parent / target).exists(), target
    lines = BLOCK.sub("", text).splitlines()
    assert [line for line in lines if len(line) > 140 and not line.startswith("|")] == []


def test_there_are_guides() -> None:
    assert {"artists", "researchers", "decoder-authors"} <= {guide.stem for guide in GUIDES}
