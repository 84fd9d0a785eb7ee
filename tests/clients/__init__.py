"""Clients that people have: browsers, scripts of their pages, and programs that download."""
