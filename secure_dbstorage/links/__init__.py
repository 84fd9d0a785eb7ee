"""What a link allows, and its text."""
