"""A test finds its database as if nothing had ever been in it."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal


def found(database: str) -> list[object]:
    permissions = Permission.objects.using(database).order_by("pk")
    values = "pk", "codename", "name", "content_type__app_label", "content_type__model"
    return list(permissions.values_list(*values))


@pytest.mark.django_db(transaction=True)
def test_what_django_keeps_in_a_database_is_restored(database: str) -> None:
    call_command("flush", interactive=False, verbosity=0, database=database)
    kept = found(database)
    Permission.objects.using(database).all().delete()
    Group.objects.using(database).create(name="readers")
    ContentType.objects.using(database).create(app_label="no", model="more")
    call_command("flush", interactive=False, verbosity=0, database=database)
    assert found(database) == kept
    assert not Group.objects.using(database).exists()
    Permission.objects.using(database).all().delete()
    ContentType.objects.using(database).all().delete()
    emit_post_migrate_signal(0, False, database)
    assert [row[1:] for row in found(database)] == [row[1:] for row in kept]


@pytest.mark.django_db
def test_a_content_type_that_is_remembered_is_the_one_of_the_database() -> None:
    assert ContentType.objects.get_for_model(Group) in ContentType.objects.all()
