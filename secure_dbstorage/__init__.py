"""Keep Django's files in one database table, and serve them through signed URLs.

Import what you need from the modules below. Nothing is imported here, because the package must be
importable before the app registry is ready. These paths are public, and change only with a note in
the changelog:

===================================  ============================================================
``storage.DatabaseStorage``          the storage, for ``STORAGES`` and ``FileField(storage=...)``
``storage.default``                  the default storage, with its type
``storage.named``                    the storage of another alias, with its type
``urls``                             the route, for ``include()``
``urls_internal``                    the route from which nginx fetches, with ``offload``
``access``                           the types of hooks, and two hooks that are ready to use
``signals``                          signals about files and links
``exceptions``                       the errors that a project may want to catch
``files.FileStat``                   what is known about a file
``files.DeletedFile``                what is known about a deleted file
``sealing.services.KeyService``      the interface of a key service for encryption
``files.ReceivedFile``               a complete upload, as hooks and forms get it
``forms``                            form fields that take uploads, and a function for APIs
``redaction.TokenFilter``            a logging filter that removes tokens
``redaction.without_tokens``         the same for one text
``{% load secure_dbstorage %}``      template tags for links
``secure_dbstorage/refused.html``    the template of the page that explains a refusal
===================================  ============================================================

Also public are the options, the setting ``SECURE_DBSTORAGE``, the commands, the ids of the checks,
and the names of the loggers: ``secure_dbstorage.access`` has one record for each request, and
``secure_dbstorage.links``, at level DEBUG, one for each signed link that is made;
``secure_dbstorage.serving``, ``secure_dbstorage.storage`` and ``secure_dbstorage.upkeep`` report
problems. Everything else may change without notice. The package has twelve wings:

- ``serving`` answers a request: who asks, whether they may, and with which bytes and headers.
- ``receiving`` takes uploads, in one piece or in many, and makes them files.
- ``forms`` has form fields that take uploads, and their widget.
- ``storage`` is the storage: Django's ``Storage``, with links, uploads and signals.
- ``links`` says what a link allows, and spells it as a token.
- ``sealing`` has the keys of encrypted files, and opens and seals their rows.
- ``table`` knows the rows, and how each database moves their bytes fastest.
- ``files`` says what is known about a file, its content, or an upload on its way.
- ``parsers`` checks the values of options, and makes them what the package uses.
- ``copying`` copies files between storages, and imports other tables.
- ``checks`` finds settings that can't work, are not safe, or could be better.
- ``upkeep`` counts, prunes, verifies, and deletes files along with their model instances.
"""
