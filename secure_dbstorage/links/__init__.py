"""Links: what they allow, and how they are spelled."""
