"""Keep files in one database table and serve them safely."""
