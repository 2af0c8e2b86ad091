"""Checks: each measures something that the records of a study can't answer."""
