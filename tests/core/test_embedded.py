"""The embedded PostgreSQL: comes up from any state it can be left in, once, and stays where it is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from core.database.embedded import EmbeddedPostgres
from core.database.places import EmbeddedPostgresError, can_enter
from tests.core.conftest import Make

pytestmark = pytest.mark.thorough

PROJECT = Path(__file__).resolve().parent.parent.parent
START = """
import pathlib, sys
from core.database.embedded import EmbeddedPostgres
EmbeddedPostgres(pathlib.Path(sys.argv[1])).ensure_running()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user run the server")


@pytest.fixture
def postgres(make: Make) -> EmbeddedPostgres:
    cluster = make()
    cluster.ensure_running()
    return cluster


def ask(postgres: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(host=str(postgres.socket_dir), user="postgres", dbname="postgres", autocommit=True) as connection:
        cursor = connection.execute(question)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def server_pid(postgres: EmbeddedPostgres) -> int:
    return int((postgres.places.data / "postmaster.pid").read_text().splitlines()[0])


def test_it_starts_and_keeps_its_data_over_a_restart(postgres: EmbeddedPostgres) -> None:
    ask(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert postgres.stop()
    assert not postgres.is_running()
    assert not postgres.stop()
    postgres.ensure_running()
    assert ask(postgres, "SELECT answer FROM kept") == 42


def test_a_second_start_changes_nothing(postgres: EmbeddedPostgres) -> None:
    before = server_pid(postgres)
    EmbeddedPostgres(postgres.places.wanted).ensure_running()
    assert server_pid(postgres) == before


def test_settings_of_ones_own_hold_from_the_next_start_on(postgres: EmbeddedPostgres) -> None:
    postgres.settings = {"work_mem": "7MB", "cluster_name": "it's ours"}
    postgres.stop()
    postgres.ensure_running()
    with psycopg.connect(postgres.url("postgres", "postgres")) as connection:
        shown = connection.execute("SELECT current_setting('work_mem'), current_setting('cluster_name')").fetchone()
    assert shown == ("7MB", "it's ours")


def test_four_first_starts_at_once_make_one_server(make: Make) -> None:
    postgres = make()
    starters = [subprocess.Popen([sys.executable, "-c", START, str(postgres.places.wanted)], cwd=PROJECT) for _ in range(4)]
    assert [starter.wait(60) for starter in starters] == [0, 0, 0, 0]
    assert ask(postgres, "SELECT 1") == 1


def test_it_comes_back_at_once_after_kill_9(postgres: EmbeddedPostgres) -> None:
    ask(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server_pid(postgres), signal.SIGKILL)
    postgres.ensure_running()
    assert ask(postgres, "SELECT answer FROM kept") == 42


def test_it_comes_back_after_kill_9_with_a_client_still_connected(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(host=str(postgres.socket_dir), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute("SELECT 1")
        os.kill(server_pid(postgres), signal.SIGKILL)
        postgres.ensure_running()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert ask(postgres, "SELECT 1") == 1


@pytest.mark.parametrize("content", ["{pid}\n{rest}", "", "{half}", "not a number\n"])
def test_a_left_over_pid_file_does_not_stop_it(postgres: EmbeddedPostgres, content: str) -> None:
    """Its number may be another program's by now (here one of the same user), or the file may be cut off."""
    pid_file = postgres.places.data / "postmaster.pid"
    own, _, rest = pid_file.read_text().partition("\n")
    postgres.stop()
    account = postgres.places.account
    with subprocess.Popen(["sleep", "60"], user=account.uid if account else None) as somebody_else:
        pid_file.write_text(content.format(pid=somebody_else.pid, rest=rest, half=own[:1]))
        postgres.places.hand_over(pid_file)
        postgres.ensure_running()
        assert ask(postgres, "SELECT 1") == 1
        somebody_else.kill()


def test_what_a_killed_initdb_left_is_made_anew(make: Make) -> None:
    postgres = make()
    half_made = postgres.home / "data.partial"
    (half_made / "base").mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    postgres.ensure_running()
    assert ask(postgres, "SELECT 1") == 1
    assert not half_made.exists()


def test_removed_it_leaves_nothing_and_starts_again(postgres: EmbeddedPostgres) -> None:
    ask(postgres, "CREATE TABLE gone ()")
    postgres.remove()
    assert not postgres.home.exists()
    postgres.ensure_running()
    assert ask(postgres, "SELECT to_regclass('gone')") is None


@pytest.mark.parametrize(
    "name", ["with a space", "O'Brien's \"clinic\"", "$HOME `id` 100%", "Klinik-Süd, Москва", "deep/" + "x" * 60 + "/" + "y" * 60]
)
def test_any_folder_will_do(make: Make, name: str) -> None:
    postgres = make(name)
    postgres.ensure_running()
    assert ask(postgres, "SELECT 1") == 1


def test_a_moved_folder_keeps_its_data(make: Make, folder: Path) -> None:
    before = make("before")
    before.ensure_running()
    ask(before, "CREATE TABLE kept AS SELECT 42 AS answer")
    before.stop()
    (folder / "before").rename(folder / "after")
    after = make("after")
    after.ensure_running()
    assert ask(after, "SELECT answer FROM kept") == 42


def test_only_its_owner_gets_to_the_socket(postgres: EmbeddedPostgres) -> None:
    assert postgres.socket_dir.stat().st_mode & 0o777 == 0o700
    assert postgres.places.data.stat().st_mode & 0o777 == 0o700
    assert ask(postgres, "SHOW listen_addresses") == ""


def test_text_is_compared_alike_everywhere(postgres: EmbeddedPostgres) -> None:
    assert ask(postgres, "SELECT lower('É') || lower('Ж')") == "éж"
    assert ask(postgres, "SHOW server_encoding") == "UTF8"


def test_data_of_another_version_is_refused_with_a_reason(make: Make) -> None:
    postgres = make()
    postgres.ensure_running()
    postgres.stop()
    version = postgres.places.data / "PG_VERSION"
    own = version.read_text()
    version.write_text("9\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 9"):
        postgres.ensure_running()
    version.write_text(own)


def test_a_failure_shows_the_end_of_the_log(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.database.embedded.START_TRIES", 1)
    postgres = make()
    postgres.ensure_running()
    postgres.stop()
    with (postgres.places.data / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = on\n")
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        postgres.ensure_running()


@as_root
def test_as_root_the_files_are_the_servers_own(postgres: EmbeddedPostgres) -> None:
    account = postgres.places.account
    assert account and account.uid != 0
    files = [postgres.places.data, postgres.socket_dir, postgres.places.log, *postgres.places.data.iterdir()]
    assert {path.lstat().st_uid for path in files} == {account.uid}


@as_root
def test_as_root_on_a_users_data_the_server_stays_that_users(make: Make) -> None:
    postgres = make()
    postgres.home.mkdir()
    postgres.places.data.mkdir(mode=0o700)
    os.chown(postgres.places.data, 65534, 65534)
    account = postgres.places.account
    assert account and account.uid == 65534
    postgres.places.data.rmdir()


@as_root
def test_as_root_in_a_closed_folder_it_lives_elsewhere_and_stays_there(make: Make, folder: Path) -> None:
    folder.chmod(0o700)
    postgres = make()
    postgres.ensure_running()
    assert postgres.home.parent == Path("/var/lib")
    assert ask(postgres, "SELECT 1") == 1
    folder.chmod(0o755)
    assert EmbeddedPostgres(postgres.places.wanted).home == postgres.home
    postgres.remove()
    assert not postgres.home.exists()


@as_root
def test_as_root_binaries_out_of_reach_are_copied_with_their_libraries(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.database.places.can_enter", lambda path, uid: "pginstall" not in str(path) and can_enter(path, uid))
    postgres = make()
    postgres.ensure_running()
    assert postgres.places.binary_dir.is_relative_to(postgres.home)
    assert ask(postgres, "SELECT 1") == 1
    psql = subprocess.run(
        [str(postgres.places.binary_dir / "psql"), "-h", str(postgres.socket_dir), "-U", "postgres", "-Atc", "SELECT 1"],
        capture_output=True,
        check=True,
    )
    assert psql.stdout == b"1\n"


def test_a_socket_folder_made_by_somebody_else_is_not_trusted(make: Make, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("core.database.places.SHORT_DIRECTORY", folder)
    postgres = make("x" * 100)
    trap = folder / "trap"
    trap.mkdir()
    postgres.socket_dir.symlink_to(trap)
    with pytest.raises(EmbeddedPostgresError, match="somebody else"):
        postgres.ensure_running()
    postgres.socket_dir.unlink()
