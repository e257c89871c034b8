"""What GitHub's runner reads: workflow commands in the log, and the files of outputs. Pure; sinks write it."""
