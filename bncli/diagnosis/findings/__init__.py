"""The findings, a module each; see `diagnosis.finding`."""
