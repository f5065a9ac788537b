"""REST of a person's own account."""
