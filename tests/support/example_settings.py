"""The example's settings, but that a password is hashed at once: people sign in all the time."""

from project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
