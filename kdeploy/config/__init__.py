"""kdeploy.yaml, flags and environment variables become one frozen `Settings`. Pure, but for reading the file."""
