"""Runs the code of strategies that people wrote, behind a boundary of the operating system. docs/sandbox.md says how."""
