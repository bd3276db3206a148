"""Commands in processes of their own: tiny ones here, as real as the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from skewless.orchestration.command import Command, Ended

BEGIN = "import json, os, signal, subprocess, sys, time\n"


def command(folder: Path, code: str) -> Command:
    return Command([sys.executable, "-c", BEGIN + code], folder, os.environ)


def run(folder: Path, code: str) -> tuple[Ended, list[str]]:
    said: list[str] = []
    return command(folder, code).run(said.append), said


def soon(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it comes true within some seconds."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_receipt_is_the_last_line_that_was_printed(tmp_path: Path):
    ended, said = run(
        tmp_path,
        "print('a library chats'); print(json.dumps({'rows': 3, 'folder': os.getcwd()}));"
        "print('building', file=sys.stderr); print('built', file=sys.stderr)",
    )
    assert ended == Ended(0, {"rows": 3, "folder": str(tmp_path)}, None)
    assert said == ["building", "built"]


def test_progress_is_said_as_it_comes(tmp_path: Path):
    times: list[float] = []
    slow = "for _ in range(2): print('on', file=sys.stderr, flush=True); time.sleep(0.5)"
    command(tmp_path, slow).run(lambda _: times.append(time.monotonic()))
    assert times[1] - times[0] > 0.3


def test_an_error_is_the_commands_own_and_no_line_of_progress(tmp_path: Path):
    told = "{'error': 'blocked\\n  3 of 9', 'exit_code': 3}"
    ended, said = run(
        tmp_path,
        f"print('checking', file=sys.stderr); print(json.dumps({told}), file=sys.stderr); sys.exit(3)",
    )
    assert ended == Ended(3, None, "blocked\n  3 of 9")
    assert said == ["checking"]


def test_what_is_no_receipt_is_none(tmp_path: Path):
    for printed in ("", "print('done')", "print('{')", "print('[1]')"):
        assert run(tmp_path, printed)[0].receipt is None


def test_more_output_than_a_pipe_holds_stops_nothing(tmp_path: Path):
    ended, said = run(
        tmp_path, "print('x' * 200_000); print('y' * 200_000, file=sys.stderr); print('{\"a\": 1}')"
    )
    assert ended.receipt == {"a": 1}
    assert said == ["y" * 200_000]


def test_a_kill_ends_every_process_of_the_command_even_one_that_will_not(tmp_path: Path):
    stubborn = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "print(os.getpid(), child.pid, file=sys.stderr, flush=True); time.sleep(600)"
    )
    pids: list[int] = []
    one = command(tmp_path, stubborn)
    ended: list[Ended] = []
    running = threading.Thread(
        target=lambda: ended.append(one.run(lambda line: pids.extend(map(int, line.split())))), daemon=True
    )
    running.start()
    assert soon(lambda: len(pids) == 2)
    begun = time.monotonic()
    one.kill()
    running.join(10)
    assert [end.code for end in ended] == [-signal.SIGKILL]
    assert time.monotonic() - begun < 8
    assert soon(lambda: not any(map(alive, pids)))
    one.kill()  # nothing is left to kill


def test_a_command_ends_with_its_task_however_that_ends(tmp_path: Path):
    sleeper = BEGIN + "print(os.getpid(), file=sys.stderr, flush=True); time.sleep(600)"
    code = (
        "import sys; from pathlib import Path; from skewless.orchestration.command import Command\n"
        f"Command([sys.executable, '-c', {sleeper!r}], Path('.'), {{}}).run(lambda line: print(line, flush=True))"
    )
    task = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert task.stdout is not None
    pid = int(task.stdout.readline())
    assert alive(pid)
    task.kill()
    task.wait()
    task.stdout.close()
    assert soon(lambda: not alive(pid))
