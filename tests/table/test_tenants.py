"""The schema that a connection reaches."""

import sys
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from secure_dbstorage.table.tenants import schema_of

_PUBLIC = SimpleNamespace(schema_name="public")
_active: ContextVar[Any] = ContextVar("active", default=_PUBLIC)

#: As django-pgschemas has it.
_PgschemasWrapper: Any = type(
    "DatabaseWrapper", (), {"__module__": "django_pgschemas.postgresql.base"}
)


class _DerivedWrapper(_PgschemasWrapper):
    """A project's own."""


def test_a_database_of_django_has_none() -> None:
    assert schema_of(connections["default"]) == ""


@pytest.mark.parametrize("name", ["public", "acme", ""])
def test_django_tenants_notes_it_on_the_connection(name: str) -> None:
    connection: Any = SimpleNamespace(schema_name=name)
    assert schema_of(connection) == name


async def test_a_note_on_a_connection_means_nothing_in_an_event_loop() -> None:
    connection: Any = SimpleNamespace(schema_name="public")
    with pytest.raises(SynchronousOnlyOperation, match=r"`await storage\.aurl\(\.\.\.\)`"):
        schema_of(connection)
    assert schema_of(connections["default"]) == ""


@pytest.fixture
def _pgschemas(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("django_pgschemas.schema")
    module.get_current_schema = _active.get
    monkeypatch.setitem(sys.modules, "django_pgschemas", ModuleType("django_pgschemas"))
    monkeypatch.setitem(sys.modules, "django_pgschemas.schema", module)


@pytest.mark.usefixtures("_pgschemas")
@pytest.mark.parametrize("wrapper", [_PgschemasWrapper, _DerivedWrapper])
async def test_django_pgschemas_notes_it_in_the_context(wrapper: Any) -> None:
    assert schema_of(wrapper()) == "public"
    token = _active.set(SimpleNamespace(schema_name="acme"))
    assert schema_of(wrapper()) == "acme"
    _active.reset(token)
    assert schema_of(wrapper()) == "public"
