"""What people type. Commands parse, check and call; whatever computes is imported only when they run."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from kdcli._version import __version__
from kdcli.cli import console
from kdcli.cli.bench import bench_app
from kdcli.cli.commands import Commands
from kdcli.cli.config import FILE, config_files, origins, read_config
from kdcli.cli.deblur import deblur
from kdcli.cli.estimate_kernel import estimate_kernel
from kdcli.cli.known import KnownOptions
from kdcli.cli.synth import synth
from kdcli.cli.train import train
from kdcli.cli.weights import weights_app
from kdcli.debug import debugging, hush_libraries
from kdcli.errors import KdError, explain
from kdcli.memory import keep_freed_memory
from kdcli.threads import wait_without_spinning

INTERRUPTED = 130
EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n\n"
    "Options can also be set by KD_* variables and in kd.toml: see kd --help."
)
HELP = (
    "Make photos sharp that camera motion has blurred.\n\n"
    f"Options can be set for good: in {FILE} in the current folder or in {config_files()[-1].parent}, as "
    'preset = "best" for all commands or below \\[deblur] for one; or by variables, KD_PRESET=best or '
    "KD_DEBLUR_PRESET=best. The command line comes first, then variables, then the current folder's file, "
    "then yours. A flag that is set there, such as --overwrite, is undone by --no-overwrite."
)

app = Commands(
    name="kd",
    help=HELP,
    epilog=EPILOG.partition("\n")[0],
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("deblur", epilog=EPILOG)(deblur)
app.command("estimate-kernel", epilog=EPILOG)(estimate_kernel)
app.add_typer(bench_app, name="bench", epilog=EPILOG)
app.command("synth", epilog=EPILOG)(synth)
app.command("train", epilog=EPILOG)(train)
app.add_typer(weights_app, name="weights", epilog=EPILOG)


@app.callback(invoke_without_command=True)
def _kd(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    show_config: Annotated[
        bool,
        typer.Option(
            "--show-config",
            help="Print every option's value and where it comes from, of all commands or the one named.",
        ),
    ] = False,
) -> None:
    if version:
        typer.echo(f"kd {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None and not show_config:
        typer.echo(context.get_help())
        return
    options = KnownOptions(context.command)
    context.obj = read_config(options)
    context.default_map = context.obj.default_map
    if show_config:
        from kdcli.cli.show_config import show_config as lines

        typer.echo("\n".join(lines(context, options, context.invoked_subcommand)))
        raise typer.Exit


def main() -> None:
    """Run `kd` on the process's arguments, and exit with its code."""
    # File names and kernel drawings hold characters that not every terminal or pipe can take.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    hush_libraries()
    keep_freed_memory()
    wait_without_spinning()
    code = run(sys.argv[1:])
    if code == INTERRUPTED:  # kd has tidied up; what libraries do at exit can take seconds
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run `kd` on `arguments` and return its exit code: every failure becomes one line on stderr."""
    try:
        program = typer.main.get_command(app)
        KnownOptions(program).name_variables()
        code = program.main(arguments, prog_name="kd", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except KdError as error:
        console.error(str(error))
        return error.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):  # Typer's own errors, whose class moved between its versions
            context, message = getattr(error, "ctx", None), error.format_message()
            command = "kd" if context is None else context.command_path
            hints = [*(origins(context, message) if context else []), f"see {command} --help"]
            console.error(f"{message} ({'; '.join(hints)})")
            return 2
        if debugging():
            raise
        console.error(explain(error))
        return 1
    if code == INTERRUPTED:  # Typer turns Ctrl-C into this code or into an exception, by its version
        console.error("interrupted")
    return int(code)
