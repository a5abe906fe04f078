"""The options of gsenc for what a file holds besides the look of its splats."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import click

if TYPE_CHECKING:
    from gscodec.container import Metadata
    from gscodec.container.tensors import Tensors
    from gscodec.encode.further import Further
    from gscodec.io.offset import Offset
    from gscodec.io.splat_file import SplatFile

THUMBNAIL = 256
MOST_META_BYTES = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The values of the options."""

    extra_errors: dict[str, float]
    drop_extra: tuple[str, ...]
    meta: tuple[str, ...]
    weights: str | None
    comments: bool
    thumbnail: int | None
    keep_order: bool
    offset: Offset

    def texts(self) -> list[Metadata | Tensors]:
        """What the files of --meta and --weights hold. Raises `InputError`."""
        found: list[Metadata | Tensors] = [read_metadata(path) for path in self.meta]
        if self.weights is not None:
            from gscodec.container.tensors import Tensors
            from gscodec.io.safetensors import read_weights

            found.append(Tensors(kind="feature_decoder", data=read_weights(self.weights)))
        return found

    def further(self, comments: Iterable[str], texts: Iterable[Metadata | Tensors]) -> Further:
        """What to store of a scene with such comments; the file says where it is."""
        from gscodec.container import Metadata
        from gscodec.encode.further import Further
        from gscodec.io.offset import is_offset

        lines = [line for line in comments if not is_offset(line)] if self.comments else []
        kept = [Metadata(kind="comment", text="\n".join(lines))] if lines else []
        return Further(
            extra_errors=self.extra_errors,
            keep_order=self.keep_order,
            metadata=[*kept, *texts],
            thumbnail=self.thumbnail,
        )


def storing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as one argument, `wishes`."""

    @click.option(
        "--extra-error",
        "extra_errors",
        multiple=True,
        callback=_extra_errors,
        metavar="NAME=ERR",
        help="How far an extra property of floating point may be off, which is lossless otherwise; NAME may "
        "have wildcards: '*=0.001'.",
    )
    @click.option("--drop-extra", multiple=True, metavar="NAME", help="Leave out an extra property.")
    @click.option(
        "--meta", multiple=True, metavar="FILE", help="A .json or .xmp file to store; gsinfo --meta shows it."
    )
    @click.option(
        "--weights",
        metavar="FILE",
        help="A .safetensors or .npz file to carry, such as the weights of a decoder of features; gsdec "
        "--weights writes it.",
    )
    @click.option(
        "--no-comments", is_flag=True, help="Leave out the comments of IN, which gsdec would write."
    )
    @click.option(
        "--thumbnail",
        is_flag=False,
        flag_value=THUMBNAIL,
        type=click.IntRange(16, 2048),
        metavar="[SIZE]",
        help=f"Store a picture from the first camera or from outside, SIZE pixels long ({THUMBNAIL}).",
    )
    @click.option(
        "--keep-order", is_flag=True, help="Have gsdec restore the order of splats; some 2 bytes a splat."
    )
    @click.option(
        "--offset",
        callback=_offset,
        default="auto",
        show_default=True,
        metavar="auto|X,Y,Z",
        help="What to subtract from positions, so that far ones keep their precision: auto does it where "
        "they are doubles and far away; gsdec --world adds it again.",
    )
    @functools.wraps(command)
    def with_wishes(*, no_comments: bool, **given: Any) -> Any:
        names = ("extra_errors", "drop_extra", "meta", "weights", "thumbnail", "keep_order", "offset")
        wishes = Wishes(comments=not no_comments, **{name: given.pop(name) for name in names})
        return command(wishes=wishes, **given)

    return with_wishes


def read_metadata(path: str) -> Metadata:
    """The text of a .json or .xmp file. Raises `InputError`, `EncodeError`."""
    from gscodec.container import Metadata
    from gscodec.errors import EncodeError, InputError

    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ("json", "xmp"):
        raise InputError("meta.format", f"{path} is neither .json nor .xmp")
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_META_BYTES + 1)
    except OSError as error:
        raise InputError("io.read", f"cannot read {path}: {error.strerror}") from error
    if len(data) > MOST_META_BYTES:
        most = f"a .gsc holds at most {MOST_META_BYTES:,} bytes of metadata"
        raise EncodeError("encode.metadata", f"{path} is too long: {most}")
    try:
        text = data.decode("utf-8-sig")
        if kind == "json":
            json.loads(text, parse_constant=_refuse)
        else:
            expat.ParserCreate("utf-8").Parse(text.encode(), True)
    except UnicodeDecodeError as error:
        raise InputError("meta.format", f"{path} is not UTF-8", offset=error.start) from error
    except (ValueError, RecursionError) as error:
        raise InputError("meta.format", f"{path} is not JSON: {error}") from error
    except expat.ExpatError as error:
        raise InputError("meta.format", f"{path} is not XML: {error}") from error
    return Metadata(kind=kind, text=text)


def warnings(scene: SplatFile, report: dict[str, object], wishes: Wishes) -> Iterable[str]:
    """What a person should know of what was stored."""
    steps = report.get("extra_steps")
    lossless = [name for name, step in steps.items() if step is None] if isinstance(steps, dict) else []
    if lossless:
        yield f"no step keeps {', '.join(lossless)} that close: kept lossless"
    if any(scene.moved):
        yield moved_warning(scene.offset)
    if wishes.thumbnail is not None and report.get("thumbnail") is False:
        yield "no thumbnail: no camera sees anything"


def moved_warning(offset: Sequence[float]) -> str:
    """What a person should know of positions that were moved."""
    x, y, z = offset
    return f"positions are stored relative to {x:.12g}, {y:.12g}, {z:.12g}: gsdec --world adds this again"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _extra_errors(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    found = {}
    for value in values:
        name, equals, error = value.rpartition("=")
        try:
            found[name] = float(error)
        except ValueError:
            equals = ""
        if not equals or not name or not 0 <= found[name] < float("inf"):
            raise click.BadParameter(f"{value!r} is not of the form NAME=ERR, such as confidence=0.01")
    return found


def _offset(_context: click.Context, _option: click.Parameter, value: str) -> Offset:
    from gscodec.errors import UsageError
    from gscodec.io.offset import checked_offset

    if value == "auto":
        return "auto"
    try:
        return checked_offset([float(word) for word in value.split(",")])
    except (ValueError, UsageError) as error:
        raise click.BadParameter(f"{value!r} is neither auto nor of the form X,Y,Z") from error
