"""What people type. Commands parse, check and call; whatever computes is imported only when they run."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Annotated

import typer

from kdcli._version import __version__
from kdcli.cli import console
from kdcli.cli.bench import bench_app
from kdcli.cli.deblur import deblur
from kdcli.cli.estimate_kernel import estimate_kernel
from kdcli.cli.save_psf import SavePsfCommand
from kdcli.cli.synth import synth
from kdcli.cli.train import train
from kdcli.errors import KdError

INTERRUPTED = 130
EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."

app = typer.Typer(
    name="kd",
    help="Make photos sharp that camera motion has blurred.",
    epilog=EPILOG,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("deblur", cls=SavePsfCommand, epilog=EPILOG)(deblur)
app.command("estimate-kernel", cls=SavePsfCommand, epilog=EPILOG)(estimate_kernel)
app.add_typer(bench_app, name="bench", epilog=EPILOG)
app.command("synth", epilog=EPILOG)(synth)
app.command("train", epilog=EPILOG)(train)


@app.callback(invoke_without_command=True)
def _kd(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"kd {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run `kd` on the process's arguments, and exit with its code."""
    # File names and kernel drawings hold characters that not every terminal or pipe can take.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not _debug():
        # What a library has to say about its insides is no use to someone with a photo.
        warnings.simplefilter("ignore")
        logging.getLogger().addHandler(logging.NullHandler())
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run `kd` on `arguments` and return its exit code: every failure becomes one line on stderr."""
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="kd", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except KdError as error:
        console.error(str(error))
        return error.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):  # Typer's own errors, whose class moved between its versions
            command = getattr(getattr(error, "ctx", None), "command_path", "kd")
            console.error(f"{error.format_message()} (see {command} --help)")
            return 2
        if _is_out_of_memory(error):
            console.error("out of memory: close other programs, scale the photo down, or try --device cpu")
            return 1
        if _debug():
            raise
        console.error(f"unexpected {type(error).__name__}: {error} (KD_DEBUG=1 shows where)")
        return 1
    if code == INTERRUPTED:  # Typer turns Ctrl-C into this code or into an exception, by its version
        console.error("interrupted")
    return int(code)


def _debug() -> bool:
    return bool(os.environ.get("KD_DEBUG"))


def _is_out_of_memory(error: Exception) -> bool:
    """Told by name and text, since naming torch's class would import torch."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )
