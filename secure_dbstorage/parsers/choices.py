"""Parsers of options that have a few values to choose from."""

#: The values of Cross-Origin-Resource-Policy (Fetch standard section 3.7).
_RESOURCE_POLICIES = ("same-origin", "same-site", "cross-origin")


def boolean(raw: object) -> bool:
    """Return a flag."""
    if not isinstance(raw, bool):
        raise ValueError("must be True or False")
    return raw


def cross_origin(raw: object) -> str:
    """Return a Cross-Origin-Resource-Policy."""
    if not isinstance(raw, str) or raw not in _RESOURCE_POLICIES:
        raise ValueError(f"must be one of {', '.join(map(repr, _RESOURCE_POLICIES))}")
    return raw


def offload(raw: object) -> str | None:
    """Return the proxy that sends large files, or None."""
    if raw is None or (isinstance(raw, str) and raw == "nginx"):
        return raw
    raise ValueError("must be None or 'nginx'")
