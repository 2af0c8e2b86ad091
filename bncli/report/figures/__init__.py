"""The figures of a study, registered by name; see `bncli.report.figure`."""
