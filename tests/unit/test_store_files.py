"""The database file under every bad circumstance: newer, damaged, foreign, locked, read-only, shared, killed."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amtui.errors import StoreError
from amtui.model import Autonomy, Worker
from amtui.store import LATEST, Store, migrations
from amtui.store import database as database_module

W = Worker(
    id="a" * 32,
    name="a",
    substrate="local",
    host_id="local",
    runtime="shell",
    autonomy=Autonomy.ASK,
    model="m",
)
PRELUDE = (
    "import os, sys\n"
    "from amtui.errors import StoreError\n"
    "from amtui.model import Autonomy, Worker\n"
    "from amtui.store import Store\n"
    "def worker(n): return Worker(id=f'{n:032x}', name=f'w{n}', substrate='local', host_id='local',"
    " runtime='shell', autonomy=Autonomy.ASK)\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "amtui.db"


def filled(path: Path) -> None:
    store = Store.open(path)
    store.add_worker(W)
    store.close()


def start(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return out


def test_files_are_private_whatever_the_umask(path: Path) -> None:
    old = os.umask(0)
    try:
        store = Store.open(path)
        store.add_worker(W)
    finally:
        os.umask(old)
    for each in path.parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close()


def test_it_remembers(path: Path) -> None:
    filled(path)
    store = Store.open(path)
    assert store.worker("a") == W
    assert store.query("PRAGMA user_version") == [(LATEST,)]
    assert store.query("PRAGMA journal_mode") == [("wal",)]
    assert store.query("PRAGMA integrity_check") == [("ok",)]
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.workers()


def test_a_newer_store_is_left_alone(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer amtui") as caught:
        Store.open(path)
    assert str(path) in caught.value.message
    assert "version 99" in caught.value.message
    assert "upgrade amtui" in caught.value.hint
    assert path.read_bytes() == before


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()
    with pytest.raises(StoreError, match="another program's"):
        Store.open(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    db.close()


@pytest.mark.parametrize("damage", ["text", "head", "middle"])
def test_damage_is_told_with_the_path_and_what_to_do(path: Path, damage: str) -> None:
    filled(path)
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = bytearray(b"this is not a database, it is a letter to you " * 100)
    elif damage == "head":
        data[:64] = os.urandom(64)
    else:
        data[100:] = b"\xff" * (len(data) - 100)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged") as caught:
        Store.open(path).workers()
    assert str(path) in caught.value.message
    assert f"mv {path}" in caught.value.hint
    assert path.read_bytes()[100:] == data[100:]


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    store = Store.open(path)
    assert store.workers() == []
    store.close()


def test_a_directory_in_its_place(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="is a directory"):
        Store.open(path)


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StoreError):
        Store.open(tmp_path / "state" / "amtui.db").add_worker(W)


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process inside a write transaction, until its stdin closes."""
    filled(path)
    code = (
        "store = Store.open(sys.argv[1])\n"
        "with store.change() as db:\n"
        "    db.execute('DELETE FROM workers')\n"
        "    print('holding', flush=True)\n"
        "    sys.stdin.read()\n"
        "    raise SystemExit\n"
    )
    process = start(code, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.communicate()


def test_locked_by_another_process(path: Path, holder: subprocess.Popen[str]) -> None:
    store = Store.open(path, busy_timeout=0.1)
    assert store.worker("a") == W  # reading never waits, and sees what was committed
    with pytest.raises(StoreError, match="locked") as caught:
        store.update_worker(W.id, model="x")
    assert str(path) in caught.value.message
    assert "try again" in caught.value.hint
    holder.communicate(timeout=60)
    assert store.update_worker(W.id, model="x").model == "x"
    store.close()


def test_it_waits_for_a_short_transaction_of_another(path: Path, holder: subprocess.Popen[str]) -> None:
    store = Store.open(path, busy_timeout=30)
    done = threading.Event()

    def change() -> None:
        store.update_worker(W.id, model="x")
        done.set()

    thread = threading.Thread(target=change)
    thread.start()
    assert not done.is_set()
    holder.communicate(timeout=60)
    thread.join(30)
    assert done.is_set()
    assert store.worker("a").model == "x"
    store.close()


@pytest.mark.parametrize("processes", [6])
def test_many_processes_open_and_write_at_once(path: Path, processes: int) -> None:
    """Creation, the switch to WAL, migration and writes race; nothing is lost and nobody fails."""
    code = (
        "me = int(sys.argv[2])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "store = Store.open(sys.argv[1], busy_timeout=30)\n"
        "for n in range(10):\n"
        "    store.add_worker(worker(me * 100 + n))\n"
        "    store.record('', 'made', f'{me} {n}')\n"
        "store.close()\n"
    )
    running = [start(code, path, number) for number in range(processes)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in running:
        finish(process)
    store = Store.open(path)
    assert len(store.workers()) == processes * 10
    assert len({event.id for event in store.events()}) == processes * 10
    assert store.query("PRAGMA integrity_check") == [("ok",)]
    store.close()


def test_a_writer_in_the_way_of_the_switch_to_wal_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself gives up at once here, whatever the busy timeout."""
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr(database_module.time, "sleep", wait)
    store = Store.open(path)
    assert len(waits) == 3
    store.add_worker(W)
    store.close()
    other.close()


def test_one_connection_serves_many_threads(path: Path) -> None:
    store = Store.open(path)
    failures: list[BaseException] = []

    def work(me: int) -> None:
        try:
            for n in range(30):
                store.record(f"{me:032x}", "kind", str(n))
                store.events(worker=f"{me:032x}")
                store.rows()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(store.events()) == 120
    store.close()


def test_revision_tells_of_every_writer(path: Path) -> None:
    one, two = Store.open(path), Store.open(path)
    seen = [(one.revision(), two.revision())]
    assert (one.revision(), two.revision()) == seen[0]

    def changed() -> None:
        now = (one.revision(), two.revision())
        assert all(each[0] != now[0] and each[1] != now[1] for each in seen)
        seen.append(now)

    one.add_worker(W)
    changed()
    two.update_worker(W.id, model="x")
    changed()
    finish(start("Store.open(sys.argv[1]).record('', 'k', 't')", path))
    changed()
    one.close()
    two.close()


@pytest.mark.parametrize(
    ("last", "kept"),
    [
        ("store.add_worker(worker(1)); os.kill(os.getpid(), 9)", ["w1"]),
        (
            "store.open_intent('create', 'k', {}); store.add_worker(worker(1)); os.kill(os.getpid(), 9)",
            ["w1"],
        ),
        (
            "with store.change() as db:\n    db.execute('DELETE FROM workers')\n    os.kill(os.getpid(), 9)",
            ["w0"],
        ),
    ],
)
def test_kill_9_loses_nothing_that_was_promised(path: Path, last: str, kept: list[str]) -> None:
    process = start(f"store = Store.open(sys.argv[1])\nstore.add_worker(worker(0))\n{last}", path)
    process.communicate(timeout=60)
    assert process.returncode == -9
    store = Store.open(path)
    assert [each.name for each in store.workers()] == sorted({"w0", *kept})
    assert len(store.open_intents()) == last.count("open_intent")
    assert store.query("PRAGMA integrity_check") == [("ok",)]
    store.close()


def test_an_exception_inside_a_change_rolls_it_back(path: Path) -> None:
    filled(path)
    store = Store.open(path)

    def interrupted() -> None:
        with store.change(durable=True) as db:
            db.execute("DELETE FROM workers")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(store.workers()) == 1
    store.record("", "k", "usable afterwards")
    store.close()


def test_migrations_run_in_order_once_and_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)

    def second(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE workers ADD COLUMN second TEXT")

    def broken(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE workers ADD COLUMN third TEXT")
        db.execute("SELECT * FROM nowhere")

    def columns(store_path: Path) -> set[str]:
        db = sqlite3.connect(store_path)
        found = {row[1] for row in db.execute("PRAGMA table_info(workers)")}
        db.close()
        return found

    def release(*more: Callable[[sqlite3.Connection], None]) -> None:
        monkeypatch.setattr(migrations, "MIGRATIONS", [*released, *more])
        monkeypatch.setattr(migrations, "LATEST", len(released) + len(more))

    released = list(migrations.MIGRATIONS)
    release(second, broken)
    with pytest.raises(StoreError):
        Store.open(path)
    assert not {"second", "third"} & columns(path)  # all or nothing
    release(second)
    for _ in range(2):
        store = Store.open(path)
        assert store.worker("a") == W
        store.close()
    assert "second" in columns(path)
    release()
    with pytest.raises(StoreError, match="newer"):
        Store.open(path)


ORDINARY = "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
"""Root is not stopped by modes; the interpreter itself may lie where only root can read it, so after the imports."""


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory that an ordinary user can reach, holding a store; root is not stopped by modes."""
    with tempfile.TemporaryDirectory(prefix="amtui-", dir="/tmp") as base:
        filled(Path(base) / "state" / "amtui.db")
        for each in (Path(base), Path(base) / "state"):
            each.chmod(0o755)
        yield Path(base) / "state"
        (Path(base) / "state").chmod(0o755)


READ_ONLY = (
    "store = Store.open(sys.argv[1])\n"
    "print(store.read_only, [w.name for w in store.workers()], len(store.rows()), store.revision() >= 0)\n"
    "for change in (lambda: store.record('', 'k', 't'), lambda: store.add_worker(worker(1))):\n"
    "    try: change()\n"
    "    except StoreError as error: print(error.message.split(':')[0], '|', 'writable' in error.hint)\n"
    "    else: print('written')\n"
    "store.close()\n"
)
REFUSED = "this store is read-only | True\n" * 2


def as_ordinary_user(directory: Path) -> str:
    if os.geteuid() == 0:
        return finish(start(ORDINARY + READ_ONLY, directory / "amtui.db"))
    for each in directory.iterdir():
        each.chmod(0o444)
    directory.chmod(0o555)
    return finish(start(READ_ONLY, directory / "amtui.db"))


def test_read_only_directory_and_file(theirs: Path) -> None:
    (theirs / "amtui.db").chmod(0o644)
    assert as_ordinary_user(theirs) == "True ['a'] 1 True\n" + REFUSED


def test_read_only_while_a_writer_has_it_open(theirs: Path) -> None:
    store = Store.open(theirs / "amtui.db")
    store.update_worker(W.id, name="b")  # only in the -wal file so far
    for each in theirs.iterdir():
        each.chmod(0o644)
    out = as_ordinary_user(theirs)
    assert out == "True ['b'] 1 True\n" + REFUSED
    store.close()


def test_read_only_directory_without_a_store_is_an_empty_fleet(theirs: Path) -> None:
    for each in theirs.iterdir():
        each.unlink()
    assert as_ordinary_user(theirs) == "True [] 0 True\n" + REFUSED


def test_a_store_that_cannot_be_read_says_so(theirs: Path) -> None:
    (theirs / "amtui.db").chmod(0o600 if os.geteuid() == 0 else 0o000)
    code = "try: Store.open(sys.argv[1])\nexcept StoreError as error: print(error.message, '|', error.hint)\n"
    out = finish(start(ORDINARY + code, theirs / "amtui.db"))
    assert "cannot be read" in out
    assert str(theirs) in out


def test_a_full_disk_is_told_and_changes_nothing(path: Path) -> None:
    filled(path)
    store = Store.open(path)
    pages = store.query("PRAGMA page_count")[0][0]
    store.query(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(1000):
            store.put_sample(f"host:{number}", {"x" * 4000: 1.0})

    with pytest.raises(StoreError, match="no space left"):
        fill()
    assert store.worker("a") == W
    store.close()


def test_every_sqlite_error_becomes_a_store_error(path: Path) -> None:
    store = Store.open(path)
    with pytest.raises(StoreError, match="no such table") as caught:
        store.query("SELECT * FROM nowhere")
    assert caught.value.hint
    with pytest.raises(StoreError), store.change() as db:
        db.execute("nonsense")
    store.close()


def test_busy_timeout_is_what_sqlite_waits(path: Path) -> None:
    assert database_module.BUSY_TIMEOUT == 5.0
    store = Store.open(path)
    assert store.query("PRAGMA busy_timeout") == [(5000,)]
    store.close()
