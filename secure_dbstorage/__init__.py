"""Keep Django's files in one database table, and serve them through signed URLs.

Nothing is imported here: this must be importable before the app registry is ready. Import what you
need from where it is. These paths are public, and change only with a note in the changelog:

===================================  ============================================================
``storage.DatabaseStorage``          the storage, for ``STORAGES`` and ``FileField(storage=...)``
``storage.default``                  the default storage, with its type
``storage.named``                    the storage of another alias, with its type
``urls``                             the route, for ``include()``
``urls_internal``                    the route from which nginx fetches, with ``offload``
``access``                           the types of hooks, and two ready ones
``signals``                          what happened to files and links
``exceptions``                       the errors that a project may catch
``files.FileStat``                   what is known about a file
``files.DeletedFile``                what is known about a deleted one
``sealing.services.KeyService``      what a key service for encryption must have
``files.ReceivedFile``               an upload that is complete, as hooks and forms get it
``forms``                            fields of forms that take uploads, and the same for an API
``redaction.TokenFilter``            a logging filter that removes tokens
``redaction.without_tokens``         the same for one text
``{% load secure_dbstorage %}``      template tags for links
``secure_dbstorage/refused.html``    the template of the page that explains a refusal
===================================  ============================================================

So are the options, the setting ``SECURE_DBSTORAGE``, the commands, the ids of the checks, and the
names of the loggers: ``secure_dbstorage.access`` has one record for each request, and
``secure_dbstorage.links``, at level DEBUG, one for each signed link that is made;
``secure_dbstorage.serving``, ``secure_dbstorage.storage`` and ``secure_dbstorage.upkeep`` have
problems. Everything else may change without notice. It lives in eight wings:

- ``serving`` answers a request: who asks, whether they may, and with which bytes and headers.
- ``receiving`` takes uploads, in one piece or in many, and makes them files.
- ``forms`` has form fields that take uploads, and their widget.
- ``links`` says what a link allows, and spells it as a token.
- ``sealing`` has the keys of encrypted files, and opens and seals their rows.
- ``table`` knows the rows, and how each database moves their bytes fastest.
- ``copying`` copies files between storages, and imports other tables.
- ``checks`` finds settings that can't work, are not safe, or could be better.
- ``upkeep`` counts, prunes, verifies, and deletes files along with their model instances.
"""
