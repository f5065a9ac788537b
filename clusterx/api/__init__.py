"""What every REST endpoint shares: authentication, errors, pagination, rendering."""
