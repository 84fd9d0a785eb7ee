"""Where the tables of these models are."""


class TestAppRouter:
    """In one database: files may be in another than the models that name them."""

    def allow_migrate(self, db: str, app_label: str, **_: object) -> bool | None:
        """Keep them out of all but the default one."""
        return db == "default" if app_label == "testapp" else None
