"""`gscodec completion SHELL`: the script that makes a shell complete the commands and their options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAMS = ("gsenc", "gsdec", "gsinfo", "gscodec")
EPILOG = """\b
Examples
  gscodec completion bash >> ~/.bashrc
  gscodec completion zsh >> ~/.zshrc
  gscodec completion fish > ~/.config/fish/completions/gscodec.fish"""


@click.command("completion", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    """Print what makes SHELL complete gsenc, gsdec, gsinfo and gscodec."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    for program in PROGRAMS:
        maker = kind(click.Command(program), {}, program, f"_{program.upper()}_COMPLETE")
        click.echo(kind.source_template % maker.source_vars())
