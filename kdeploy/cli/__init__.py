"""The command line: one file a command; the wiring of the edges; the only place that exits."""
