"""Times in the table are instants, also where a project has local times that come twice."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import heads, uses

#: In New York, both are half past one: at two o'clock, it was one o'clock again.
FIRST, SECOND = (datetime(2027, 11, 7, hour, 30, tzinfo=UTC) for hour in (5, 6))

#: `FIRST` plus this, and plus this again, crosses the hour in which clocks go back.
TWENTY_MINUTES = timedelta(minutes=20)


@pytest.fixture(params=[True, False], ids=["USE_TZ", "naive"])
def storage(database: str, request: pytest.FixtureRequest, settings: Settings) -> DatabaseStorage:
    settings.TIME_ZONE = "America/New_York"
    settings.USE_TZ = request.param
    storage = DatabaseStorage(using=database, namespace="clocks")
    storage.save("a.txt", b"content")
    return storage


@pytest.mark.parametrize("moment", [FIRST, SECOND])
def test_a_file_expires_when_it_should(storage: DatabaseStorage, moment: datetime) -> None:
    storage.set_expires("a.txt", moment)
    assert storage.stat("a.txt").expires == moment
    row = storage.catalog.files().get()
    assert row.expires == moment
    assert row.expires.tzinfo is UTC
    for later, found in ((timedelta(seconds=-1), 0), (timedelta(0), 1)):
        assert storage.catalog.files().filter(expires__lte=moment + later).count() == found


@pytest.mark.parametrize("moment", [FIRST, SECOND])
def test_a_naive_time_says_which_of_two_it_is(storage: DatabaseStorage, moment: datetime) -> None:
    storage.set_expires("a.txt", timezone.make_naive(moment))  # With a fold, if it is the second.
    assert storage.stat("a.txt").expires == moment


@pytest.mark.parametrize("begun", [FIRST, SECOND, FIRST + TWENTY_MINUTES])
def test_a_temporary_file_lives_as_long_as_it_should(
    storage: DatabaseStorage, begun: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            assert tz is UTC
            return begun

    monkeypatch.setattr(heads, "datetime", Clock)
    options = {"using": storage.catalog.writer, "namespace": "clocks"}
    temporary = DatabaseStorage(delete_after=lambda name: TWENTY_MINUTES, **options)
    temporary.save("b.txt", b"content")
    stat = temporary.stat("b.txt")
    assert (stat.created, stat.modified, stat.expires) == (begun, begun, begun + TWENTY_MINUTES)
    assert timezone.is_aware(storage.get_created_time("b.txt")) == timezone.is_aware(
        timezone.now()
    )


@pytest.mark.django_db(transaction=True)
def test_a_used_link_is_known_until_it_expires(storage: DatabaseStorage) -> None:
    using = storage.catalog.writer
    assert uses.begin(1, b"client", SECOND, now=FIRST.timestamp(), using=using)
    marks = StoredFile.rows.using(using).use_marks()
    assert not marks.filter(expires__lte=FIRST + TWENTY_MINUTES)
    assert marks.filter(expires__lte=SECOND)
