"""Code that test modules share."""
