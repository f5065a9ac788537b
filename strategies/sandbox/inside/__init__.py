"""What runs on the inside of the boundary: these files are copied into the jail and know nothing of the platform."""
