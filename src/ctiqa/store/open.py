"""Open a store, a file of SQLite or a database of PostgreSQL, and bring it up to date.

A file keeps SQLite's rollback journal: the write-ahead log lets readers in beside a writer, but
fails on network drives and in folders that may only be read, and writers take turns with either.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from ctiqa.errors import StoreError
from ctiqa.store.schema import VERSION_TABLE

__all__ = ["Store"]

_PATIENCE_S = 60
_MIGRATIONS = ScriptDirectory(
    Path(__file__).parent / "migrations",
    version_locations=[Path(__file__).parent / "migrations" / "versions"],
)
_LOCK = 0x637469716100  # "ctiqa", one number in the whole database for whoever changes its form


class Store:
    """A store of results.

    Args:
        where: a file of SQLite, or a URL such as postgresql+psycopg://host/name.
        new: make the file if it is not there.

    Raises:
        StoreError: if there is none, it is no store, a newer one, or cannot be reached; from every
            method as well.
    """

    def __init__(self, where: str, *, new: bool = False) -> None:
        url = _url_of(where)
        self.name = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite":
            self.name = url.database or ""
            _check_file(Path(self.name), new=new)
        try:
            self._engine = _engine(url)
        except ArgumentError as error:
            raise StoreError(f"{self.name} names no driver of PostgreSQL that is known") from error
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{self.name} needs the driver {error.name}: pip install {error.name}"
            ) from error
        with self.reading() as connection:
            current = self._is_current(connection)
        if not current:
            with self.writing() as connection:
                self._upgrade(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees the store as it is at one moment."""
        with self._told(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection of which all changes stay or none; a file has one writer at a time."""
        with self._told(), self._engine.connect() as bare:
            connection = bare.execution_options(writes=True)
            with connection.begin():
                yield connection

    def _is_current(self, connection: Connection) -> bool:
        """Say whether the store has the newest form.

        Raises:
            StoreError: if this program does not know its form, or it is a file of something else.
        """
        found = _form(connection)
        known = [step.revision for step in _MIGRATIONS.walk_revisions()]
        if found is None and connection.dialect.name == "sqlite":
            others = inspect(connection).get_table_names()
            if others:
                raise StoreError(
                    f"{self.name} is no store of ctiqa (it holds a table {others[0]}); "
                    "name another file"
                )
        if found is not None and found not in known:
            raise StoreError(
                f"{self.name} was written by a newer ctiqa (form {found}, this one knows "
                f"{known[0]}); install that one"
            )
        return found == known[0]

    def _upgrade(self, connection: Connection) -> None:
        """Take the steps that lead from the form of a store to the newest, all or none."""
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        # Another process may have been here since the store was looked at.
        if self._is_current(connection):
            return
        context = _context(connection)
        found = context.get_current_revision()
        steps = list(_MIGRATIONS.iterate_revisions("head", found or "base"))
        with Operations.context(context):
            for step in reversed(steps):
                step.module.upgrade()
        context.stamp(_MIGRATIONS, "head")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            raise StoreError(
                f"{self.name} cannot be used as a store ({reason}); check the path, "
                "the rights and the space there"
            ) from error


def _form(connection: Connection) -> str | None:
    return _context(connection).get_current_revision()


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})


def _url_of(where: str) -> URL:
    """Return the URL of a store, that of a plain path included."""
    if "://" not in where:
        return URL.create("sqlite", database=where)
    try:
        url = make_url(where)
        backend = url.get_backend_name()
    except ArgumentError as error:
        raise StoreError(f"{where} is neither a file nor a URL of PostgreSQL") from error
    if backend not in {"postgresql", "sqlite"}:
        raise StoreError(f"a store lies in SQLite or PostgreSQL, not in {backend}")
    return url


def _check_file(path: Path, *, new: bool) -> None:
    if path.is_file() or (new and path.parent.is_dir() and not path.exists()):
        return
    if new:
        raise StoreError(f"{path} cannot be made; name a file in a folder that exists")
    raise StoreError(f"{path}: there is no store; 'ctiqa track add' makes one")


def _engine(url: URL) -> Engine:
    """Return the engine of a store, in which a transaction begins as it must."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": _PATIENCE_S})

    # sqlite3 begins a transaction by itself, but late: two that read first would both be refused
    # the right to write. So it is told not to, and a writer takes its turn before it reads.
    @event.listens_for(engine, "connect")
    def connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
