"""Tasks in several processes: done once each, whatever is killed, and nothing lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import NoReturn

import pytest

from kdcli.errors import KdError, UsageError
from kdcli.processes import Died, run_in_processes
from tests.conftest import hear_ctrl_c

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def square(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def squares() -> Callable[[int], int]:
    return square


def refuse() -> NoReturn:
    raise UsageError("no such weights")


def perish() -> NoReturn:
    os._exit(3)


def test_every_task_is_done_once() -> None:
    assert dict(run_in_processes(range(7), squares, 2)) == {n: n * n for n in range(7)}
    assert list(run_in_processes([], squares, 2)) == []
    assert not active_children()


@posix
def test_a_killed_process_costs_its_task_alone() -> None:
    answers = dict(run_in_processes([1, -1, 2, -2, 3], squares, 2))
    assert {task for task, answer in answers.items() if isinstance(answer, Died)} == {-1, -2}
    assert [answers[n] for n in (1, 2, 3)] == [1, 4, 9]
    assert "ended with code -9: out of memory? Try fewer --jobs" in answers[-1].reason  # type: ignore[union-attr]


def test_what_keeps_a_process_from_getting_ready_is_raised() -> None:
    with pytest.raises(UsageError, match="no such weights"):
        list(run_in_processes([1, 2], refuse, 2))
    with pytest.raises(KdError, match="did not get ready: its process ended with code 3"):
        list(run_in_processes([1, 2], perish, 1))
    assert not active_children()


def sleeper(folder: Path) -> Callable[[int], None]:
    """Starts a program that would run for long, and notes its number."""

    def sleep(number: int) -> None:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
            temporary = folder / f".{number}"
            temporary.write_text(f"{process.pid} {os.getpid()}")
            temporary.rename(folder / f"{number}")
            try:
                process.wait()
            except BaseException:  # as subprocess.run does
                process.kill()
                raise

    return sleep


def numbers(folder: Path) -> list[int]:
    """Of the program and the process that started it, once they run."""
    until = time.monotonic() + 100
    while not (folder / "0").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    return [int(word) for word in (folder / "0").read_text().split()]


def gone(number: int) -> bool:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.kill(number, 0)
            if Path(f"/proc/{number}/stat").exists() and ") Z " in Path(f"/proc/{number}/stat").read_text():
                return True  # nobody has asked for its code
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


@posix
def test_a_process_and_what_it_runs_end_when_the_iterator_is_closed(tmp_path: Path) -> None:
    running = run_in_processes([-1, 0], partial(first_then_sleep, tmp_path), 2)
    assert next(running) == (-1, None)
    program, process = numbers(tmp_path)
    running.close()  # type: ignore[attr-defined]
    assert gone(process)
    assert gone(program)


def first_then_sleep(folder: Path) -> Callable[[int], None]:
    sleep = sleeper(folder)
    return lambda number: None if number < 0 else sleep(number)


RUN = """
import sys
from functools import partial
from pathlib import Path
from kdcli.processes import run_in_processes
from tests.test_processes import sleeper

if __name__ == "__main__":
    list(run_in_processes([0], partial(sleeper, Path(sys.argv[1])), 1))
"""


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, script, tmp_path],
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    ) as parent:
        program, process = numbers(tmp_path)
        if number is signal.SIGINT:
            os.killpg(parent.pid, number)  # as a terminal does
        else:
            parent.send_signal(number)
        said = parent.communicate(timeout=60)[1].decode()
    assert gone(process)
    assert gone(program)
    assert said.count("Traceback") == (number is signal.SIGINT)  # the parent's own
