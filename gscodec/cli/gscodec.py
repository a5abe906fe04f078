"""gscodec: one command with subcommands, for work on splats beyond encoding and decoding."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from gscodec.cli.batch import command as batch
from gscodec.cli.common import EXIT_CODES, run, version_option
from gscodec.cli.compare import command as compare
from gscodec.cli.completion import command as completion
from gscodec.cli.convert import command as convert
from gscodec.cli.crop import crop, merge

NAME = "gscodec"
EPILOG = f"""\b
Examples
  gscodec compare scene.ply scene.gsc
  gscodec compare --help
  gscodec crop scene.gsc -o room.gsc --box 0,0,0,4,3,4
  gscodec merge left.gsc right.gsc -o whole.gsc
  gscodec completion bash >> ~/.bashrc
  gscodec convert scene.spz scene.ply
  gscodec convert --help
  gscodec batch encode 'scans/**/*.ply' -o packed -- --quality small

\b
See also gsenc (encode), gsdec (decode) and gsinfo (look into a .gsc).

{EXIT_CODES}"""


@click.group(
    NAME,
    epilog=EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@version_option(NAME)
@click.pass_context
def command(context: click.Context) -> None:
    """Tools for Gaussian splats."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


command.add_command(batch)
command.add_command(compare)
command.add_command(crop)
command.add_command(merge)
command.add_command(completion)
command.add_command(convert)


def main() -> NoReturn:
    """The console script."""
    if len(sys.argv) > 1 and (subcommand := command.commands.get(sys.argv[1])):
        name = f"{NAME} {sys.argv.pop(1)}"  # so that errors name the command whose --help has the answer
        run(subcommand, name)
    run(command, NAME)


if __name__ == "__main__":
    main()
