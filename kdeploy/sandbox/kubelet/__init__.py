"""Real pods: images of the sandbox's registry, unpacked and run as child processes with probes, restarts and logs."""
