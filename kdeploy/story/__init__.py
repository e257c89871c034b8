"""What the stories (deploy, verify, rollback) are told with: one run's journal, the only loop, checks, the restore."""
