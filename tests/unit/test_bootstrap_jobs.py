"""The job helper under dash and in a userland of busybox alone: locks, stale locks, adoption, cancel, leases."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from figures import size

from amtui.bootstrap.jobs import Report, _report, courier_died, courier_token, helper

LONG = "echo up; sleep 300 & sleep 300"


@dataclass
class Host:
    """A worker's `jobs/` and a shell to ask the helper with."""

    sh: str
    script: Path
    jobs: Path
    env: dict[str, str]

    def ask(self, verb: str, *words: str, stdin: str = "", check: bool = True) -> str:
        argv = [self.sh, str(self.script), verb, str(self.jobs), *words]
        done = subprocess.run(
            argv, input=stdin, env=self.env, capture_output=True, text=True, timeout=60, check=check
        )
        return done.stdout

    def start(self, phase: str, script: str, seconds: int = 60) -> str:
        return self.ask("start", phase, str(seconds), str(len(script)), stdin=script).strip()

    def follow(self, phase: str, offset: int = 0, wait: int = 0, limit: int = 1 << 20) -> Report:
        head, _, log = self.ask("follow", phase, str(offset), str(wait), str(limit)).partition("\n")
        return _report(head.encode(), log.encode())

    def finish(self, phase: str) -> Report:
        until(lambda: self.follow(phase).state != "running" and not (self.jobs / "lock").is_symlink())
        return self.follow(phase)

    def leader(self, phase: str) -> int:
        file = self.jobs / phase / "pid"
        until(lambda: file.exists() and file.read_text().endswith("\n"))
        return int(file.read_text().split()[0])

    def supervisor(self) -> int:
        until(lambda: (self.jobs / "lock").is_symlink())
        return int(os.readlink(self.jobs / "lock").split(":")[0])


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.02)


def living(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    found = shutil.which(request.param)
    assert found, f"install the package {request.param}"
    path, sh = os.environ["PATH"], found
    if request.param == "busybox":
        folder = tmp_path / "applets"
        folder.mkdir()
        subprocess.run([found, "--install", "-s", str(folder)], check=True)
        path, sh = str(folder), str(folder / "sh")
    script = tmp_path / "bin" / "job"
    script.parent.mkdir()
    script.write_bytes(helper().replace(b"/bin/sh", sh.encode()))
    home, jobs = tmp_path / "home", tmp_path / "jobs"
    home.mkdir()
    jobs.mkdir()
    host = Host(sh, script, jobs, {"PATH": path, "HOME": str(home), "AMTUI_GRACE": "6"})
    yield host
    for file in jobs.glob("*/pid"):
        if living(leader := int(file.read_text().split()[0])):
            os.killpg(leader, signal.SIGKILL)


def test_a_job_leaves_log_status_exit_and_runs(host: Host) -> None:
    assert host.start("tools", "echo one; echo two >&2; pwd; exit 3") == "started"
    report = host.finish("tools")
    assert (report.state, report.code, report.why, report.runs) == ("ended", 3, "exit", 1)
    assert report.log.decode().split("\n") == ["--- tools, run 1 ---", "one", "two", host.env["HOME"], ""]
    folder = host.jobs / "tools"
    assert (folder / "exit").read_text().split() == ["3"]
    assert (folder / "status").read_text().split()[:2] == ["ended", "3"]
    assert {file.stat().st_mode & 0o077 for file in folder.iterdir()} == {0}
    until(lambda: not (folder / "pid").exists())
    until(lambda: not (host.jobs / "lock").is_symlink())


def test_a_script_whose_sender_died_half_way_does_not_run(host: Host) -> None:
    assert host.ask("start", "tools", "60", "20", stdin="echo hi").strip() == "cut"
    assert host.follow("tools").state == "none"
    assert list((host.jobs / "tools").iterdir()) == []


def test_the_log_is_followed_by_offset_and_in_pieces(host: Host) -> None:
    host.start("tools", "printf 0123456789")
    size = host.finish("tools").size
    assert host.follow("tools", size - 4).log == b"6789"
    assert host.follow("tools", size - 4, limit=2).log == b"67"
    assert host.follow("tools", size + 5).log == b""


def test_a_poll_waits_for_news_and_returns_with_it(host: Host) -> None:
    gate = host.jobs / "gate"
    host.start("tools", f"until [ -e {gate} ]; do sleep 0.05; done; echo news")
    size = host.follow("tools").size
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(host.follow, "tools", size, 20)
        time.sleep(0.2)
        assert not poll.done()
        gate.touch()
        assert poll.result().log == b"news\n"


def test_of_eight_starts_at_once_one_wins_and_the_work_is_done_once(host: Host) -> None:
    mark = host.jobs / "mark"
    script = f"echo x >>{mark}; sleep 1"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: host.start(f"p{n % 2}", script), range(8)))
    assert answers.count("started") == 1
    assert {answer.split()[0] for answer in answers} <= {"started", "busy"}
    until(lambda: not (host.jobs / "lock").is_symlink())
    assert mark.read_text() == "x\n"


def test_the_work_begins_even_when_nobody_hears_that_it_did(host: Host) -> None:
    folder = host.jobs / "tools"
    folder.mkdir()
    (folder / "script.1").write_text("echo hi")
    reader, writer = os.pipe()
    os.close(reader)
    words = ["supervise", str(host.jobs), "tools", "60", str(folder / "script.1")]
    subprocess.run([host.sh, str(host.script), *words], stdout=writer, env=host.env, check=False)
    os.close(writer)
    assert host.follow("tools").ok


def test_a_phase_is_lost_when_the_lock_is_anothers(host: Host) -> None:
    (host.jobs / "tools").mkdir()
    (host.jobs / "tools" / "status").write_text("running - - 1\n")
    born = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    os.symlink(f"{os.getpid()}:{born}:other", host.jobs / "lock")
    assert host.follow("tools").state == "lost"


def test_a_job_that_ran_into_a_full_disk_or_quota_is_told_apart(host: Host) -> None:
    host.start("tools", "echo 'npm error ENOSPC: No space left on device, write'; exit 228")
    assert host.finish("tools").why == "full"
    host.start("quota", "echo 'write: Disk quota exceeded'; exit 1")
    assert host.finish("quota").why == "full"


def test_a_second_start_names_the_phase_that_runs(host: Host) -> None:
    host.start("tools", LONG)
    assert host.start("tools", LONG) == "busy tools"
    assert host.start("other", LONG) == "busy tools"
    assert host.follow("tools").runs == 1
    assert not (host.jobs / "other" / "runs").exists()
    host.ask("cancel", "tools")


def test_the_job_outlives_whoever_started_it(host: Host) -> None:
    gate = host.jobs / "gate"
    script = f"until [ -e {gate} ]; do sleep 0.05; done; echo done"
    argv = [host.sh, str(host.script), "start", str(host.jobs), "tools", "60", str(len(script))]
    starter = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=host.env, start_new_session=True
    )
    assert starter.stdin
    starter.stdin.write(script.encode())
    starter.stdin.close()
    leader = host.leader("tools")
    with suppress(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    assert os.getsid(leader) == leader
    gate.touch()
    assert host.finish("tools").ok


def test_after_kill_9_of_the_supervisor_its_work_is_ended_before_it_is_done_again(host: Host) -> None:
    alone = host.jobs / "alone"
    # Two at once would make the second mkdir fail.
    script = f"mkdir {alone} || exit 42; trap 'rmdir {alone}; exit 0' TERM; sleep 300 & wait"
    host.start("tools", script)
    first = host.leader("tools")
    until(alone.exists)
    os.kill(host.supervisor(), signal.SIGKILL)
    until(lambda: host.follow("tools").state == "lost")
    assert living(first)
    assert host.start("tools", f"mkdir {alone} || exit 42") == "started"
    report = host.finish("tools")
    assert (report.code, report.runs) == (0, 2)
    assert not living(first)


def test_after_kill_9_of_the_work_itself_the_verdict_says_so(host: Host) -> None:
    host.start("tools", LONG)
    os.kill(host.leader("tools"), signal.SIGKILL)
    report = host.finish("tools")
    assert (report.state, report.code) == ("ended", 137)


def test_a_lock_of_a_recycled_process_id_is_stale(host: Host) -> None:
    os.symlink(f"{os.getpid()}:1:tools", host.jobs / "lock")
    assert host.start("tools", "echo hi") == "started"
    assert host.finish("tools").ok


def test_a_lock_of_a_zombie_is_stale(host: Host) -> None:
    child = subprocess.Popen(["sleep", "0"])
    stat = Path(f"/proc/{child.pid}/stat")
    until(lambda: stat.read_text().rpartition(") ")[2][0] == "Z")
    born = stat.read_text().rpartition(") ")[2].split()[19]
    os.symlink(f"{child.pid}:{born}:tools", host.jobs / "lock")
    assert host.start("tools", "echo hi") == "started"
    child.wait()
    assert host.finish("tools").ok


def test_a_lock_of_a_live_process_is_respected(host: Host) -> None:
    born = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    os.symlink(f"{os.getpid()}:{born}:other", host.jobs / "lock")
    assert host.start("tools", "echo hi") == "busy other"


def test_many_who_find_a_dead_lock_make_one_new_holder(host: Host) -> None:
    mark = host.jobs / "mark"
    for _ in range(3):
        mark.write_text("")
        if not (host.jobs / "lock").is_symlink():
            os.symlink("999999999:1:tools", host.jobs / "lock")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: host.start("tools", f"echo x >>{mark}; sleep 0.5"), range(6)))
        assert answers.count("started") == 1
        until(lambda: not (host.jobs / "lock").is_symlink())
        assert mark.read_text() == "x\n"


def test_a_lock_whose_breaker_died_is_still_broken(host: Host) -> None:
    os.symlink("999999999:1:tools", host.jobs / "lock")
    os.symlink("999999998:1:tools", host.jobs / "lock.break")
    assert host.start("tools", "echo hi") == "started"
    assert host.finish("tools").ok


def test_a_verdict_that_comes_while_it_is_read_is_read_whole(host: Host) -> None:
    """A shell reads byte by byte, so half of a line may be from before the verdict and half from after it."""
    folder = host.jobs / "tools"
    folder.mkdir()
    status = folder / "status"
    verdicts = [f"{words:<79}\n".encode() for words in ("running - - 1795180000", "ended 7 exit 1795180001")]
    status.write_bytes(verdicts[0])
    over = threading.Event()

    def settle() -> None:
        while not over.wait(0.0002):
            verdicts.reverse()
            with status.open("r+b", buffering=0) as file:
                file.write(verdicts[0])

    writer = threading.Thread(target=settle)
    writer.start()
    try:
        reports = [host.follow("tools") for _ in range(size(60, 1000))]
    finally:
        over.set()
        writer.join()
    assert {(report.state, report.code, report.why) for report in reports} <= {
        ("lost", None, ""),
        ("ended", 7, "exit"),
    }


def test_cancel_ends_everything_the_job_started(host: Host) -> None:
    host.start("tools", "sleep 300 & echo $! >child; trap '' TERM; sleep 300")
    child = Path(host.env["HOME"], "child")
    until(lambda: child.exists() and child.read_text().strip())
    leader = host.leader("tools")
    assert host.ask("cancel", "tools").strip() == "ended"
    report = host.follow("tools")
    assert (report.state, report.why) == ("ended", "cancelled")
    assert not living(leader)
    assert not living(int(child.read_text()))
    assert host.ask("cancel", "tools").strip() == "idle"


def test_the_deadline_is_kept_on_the_host(host: Host) -> None:
    host.start("tools", "trap '' TERM; echo on; sleep 300", seconds=1)
    report = host.finish("tools")
    assert (report.state, report.why) == ("ended", "timeout")
    assert report.code != 0
    until(lambda: not (host.jobs / "lock").is_symlink())


def test_what_a_job_left_behind_ends_with_it(host: Host) -> None:
    host.start("tools", "sleep 300 & echo $! >child")
    assert host.finish("tools").ok
    child = int(Path(host.env["HOME"], "child").read_text())
    until(lambda: not living(child))


def test_book_keeping_of_a_phase_done_from_outside(host: Host) -> None:
    assert host.ask("begin", "configure").strip() == "ok"
    assert host.follow("configure").state == "lost"
    host.ask("end", "configure", "0", "exit", stdin="wrote it\n")
    report = host.follow("configure")
    assert report.ok
    assert report.runs == 1
    assert report.log.endswith(b"wrote it\n")


def test_the_lease_has_one_driver(host: Host) -> None:
    assert host.ask("lease", "a", "60", "-").split()[0] == "ok"
    assert host.ask("lease", "a", "60", "-").split() == ["ok", "a", "-"]
    assert host.ask("lease", "b", "60", "-").split()[:2] == ["held", "a"]
    assert host.ask("lease", "b", "60", "a").split()[0] == "ok"
    assert host.ask("lease", "a", "60", "-").split()[:2] == ["held", "b"]
    host.ask("drop", "a", "done")  # not a's to give up
    assert host.ask("lease", "a", "60", "-").split()[:2] == ["held", "b"]
    host.ask("drop", "b", "failed:tools")
    assert host.ask("lease", "a", "0", "-").split() == ["ok", "b", "failed:tools"]
    assert host.ask("lease", "b", "60", "-").split()[0] == "ok"


def test_a_courier_of_this_computer_is_known_to_be_dead_or_alive() -> None:
    token = courier_token()
    assert not courier_died(token)
    parts = token.split("/")
    assert courier_died("/".join([*parts[:3], "1", parts[4]]))  # same number, another process
    assert courier_died("/".join([*parts[:2], "999999999", *parts[3:]]))
    assert not courier_died("/".join(["another-boot", *parts[1:2], "999999999", *parts[3:]]))
    assert not courier_died("nonsense")


def test_the_helpers_are_clean_shell() -> None:
    folder = Path(__file__).parents[2] / "amtui" / "bootstrap" / "remote"
    shellcheck = str(Path(sys.executable).parent / "shellcheck")
    checked = subprocess.run(
        [shellcheck, "-s", "sh", *map(str, folder.glob("*.sh"))], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
