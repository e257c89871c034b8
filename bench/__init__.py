"""The benchmark: what kdeploy costs and how soon it knows, with kubectl beside it in the same run."""
