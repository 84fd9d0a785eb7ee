"""From a request to the bytes of a file, or a refusal."""
