"""gsdec --weights: the tensors that a .gsc carries, as a safetensors file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gscodec.cli.common import Teller, check_paths, open_output, size_in_words
from gscodec.cli.gsc_file import read_gsc

if TYPE_CHECKING:
    from gscodec.container.tensors import Tensors

NAME = "gsdec"


def weights_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --weights, which is done here; the command then always gets a `target`."""

    @click.option(
        "--weights",
        "weights_path",
        metavar="FILE",
        help="Write the tensors that IN carries, as .safetensors; without -o nothing else.",
    )
    @functools.wraps(command)
    def with_weights(*, source: str, target: str | None, weights_path: str | None, **given: Any) -> Any:
        if weights_path is None:
            if target is None:
                raise click.UsageError("Missing option '-o' / '--output'.")
            return command(source=source, target=target, **given)
        check_paths(source, weights_path, "a .gsc")
        if target is not None and "-" in (source, weights_path):
            raise click.UsageError("--weights with -o is for files: stdin and stdout are one stream")
        teller = Teller(
            NAME, as_json=given["as_json"], quiet=given["quiet"], data_on_stdout=weights_path == "-"
        )
        with teller.failures():
            size = write_weights(source, weights_path)
        if target is not None:
            return command(source=source, target=target, **given)
        facts: dict[str, object] = {"input": source, "weights": weights_path, "bytes_out": size}
        teller.report(facts, f"{size_in_words(size)} of tensors")
        return None

    return with_weights


def write_weights(source: str, path: str) -> int:
    """Write them; how many bytes. Raises `StreamError`, `InputError`, `UsageError` "usage.weights"."""
    from gscodec.dynamic.weights import no_weights

    found = _tensors(source)
    if found is None:
        raise no_weights()
    with open_output(path, hashed=False) as file:
        file.write(found.data)
    return len(found.data)


def _tensors(source: str) -> Tensors | None:
    """Of a URL that changes with time, only the header part is fetched."""
    from gscodec.container.tensors import find_tensors
    from gscodec.dynamic.scene import Scene
    from gscodec.dynamic.weights import tensors_in
    from gscodec.io.remote import RangeSource, is_url
    from gscodec.limits import LEVELS, Limits

    if not is_url(source):
        return tensors_in(read_gsc(source))
    with Scene(source) as scene:
        if not scene.static:
            return find_tensors(scene.skipped, Limits.of_level(LEVELS[-1]))
    with RangeSource(source) as ranges:
        return tensors_in(ranges.read_at(0, ranges.size))
