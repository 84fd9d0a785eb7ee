"""Grants: what a link allows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a link allows, as its token says it."""

    #: The file's link epoch when the link was made, in microseconds since 1970. For the link of a
    #: folder, or to an unseen file, the instant at which it was made.
    link_epoch: int
    #: Issue time in seconds since 1970, rounded down to the window.
    issued: int
    #: Seconds for which the link works.
    lifetime: int
    #: The directory whose files the link opens; None for a link to one file.
    folder: str | None = None
    #: Whether the link was made without a look at the table, as in an event loop.
    unseen: bool = False
    #: Whether the file is saved instead of shown.
    attachment: bool = False
    #: The name under which the file is saved; None for the file's name.
    filename: str | None = None
    #: Keyed digest of the user whom the link is for; None for everybody.
    user: str | None = None
    #: Prefix length and keyed digest of the network that the link is for; None for everywhere.
    network: tuple[int, str] | None = None
    #: Random characters that make a one-time link unlike any other; None for any number of uses.
    nonce: str | None = None
    #: The content key under which the use of a one-time link is kept.
    use_key: int = 0
    #: When the use of a one-time link may be forgotten, in seconds since 1970. This is the end
    #: that was signed, uncapped, plus an allowance for servers with slow clocks.
    usable_until: int = 0
    #: A short name of the link for logs and budgets; it opens nothing.
    link_id: str = ""

    def opens(self, link_epoch: int) -> bool:
        """Tell whether the link is for a file with this link epoch.

        A link for a folder, or to an unseen file, opens what existed when it was made and hasn't
        been revoked since.
        """
        if self.unseen or self.folder is not None:
            return link_epoch <= self.link_epoch
        return link_epoch == self.link_epoch

    @property
    def is_bound(self) -> bool:
        """Whether the link is for one user or one network."""
        return self.user is not None or self.network is not None

    @property
    def is_for_once(self) -> bool:
        """Whether the link works only once."""
        return self.nonce is not None

    @property
    def expires(self) -> int:
        """When the link stops working, in seconds since 1970."""
        return self.issued + self.lifetime
