"""Where a language's own formats are not those of these pages."""
