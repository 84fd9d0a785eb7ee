"""Signals about files. An exception in a receiver is logged, and does no harm.

The sender is the class of the storage. Each signal also has ``storage``, the storage itself.
"""

from django.dispatch import Signal

#: A file was saved, and the transaction committed. Arguments: ``name``, and ``created``, which is
#: False for an overwrite.
file_saved = Signal()

#: A file was deleted, and the transaction committed. Argument: ``name``.
file_deleted = Signal()

#: A file was made public or private, renamed, or given another expiry time, and the transaction
#: committed. A cache in front may still have the old answer. Arguments: ``name``; ``old_name``,
#: which differs after a rename; ``attribute``, that of its
#: :class:`~secure_dbstorage.files.FileStat`: ``is_public``, ``name``, ``expires``, or
#: ``content_type``, which ``dbstorage_verify --repair`` may correct. Sent even if the value is the
#: same as before.
file_changed = Signal()

#: A signed link was made. Arguments: ``name``, that of the file or the folder, and ``link``, the
#: link's short name in the access log, which opens nothing.
link_made = Signal()

#: A request got an answer that isn't a refusal. For a streamed body this is sent when the body has
#: ended or broken off; for a zip archive, once for each file that was sent, wholly or in part, all
#: with the same record. Arguments: ``request``; ``file``, a
#: :class:`~secure_dbstorage.files.FileStat`; ``grant``, a
#: :class:`~secure_dbstorage.links.grants.Grant`, or None without a token; ``record``, an
#: :class:`~secure_dbstorage.serving.visits.AccessRecord`.
file_served = Signal(use_caching=True)

#: An upload through a signed link has become a file. Arguments: ``request``; ``name``, that of the
#: file; ``grant``, an :class:`~secure_dbstorage.links.grants.UploadGrant`; ``record``, as above.
#: Sent at most once, for the request that gave the file its name.
#: An upload that waits for a form sends ``file_saved`` alone, when the form has taken it.
file_received = Signal()

#: A request was refused, or a hook gave its own response. Arguments: ``request``; ``name``;
#: ``reason``, the word of a :class:`~secure_dbstorage.serving.refusals.Reason`, of a
#: :class:`~secure_dbstorage.receiving.faults.Fault`, or ``sent-away``;
#: ``record``, as above.
file_refused = Signal(use_caching=True)
