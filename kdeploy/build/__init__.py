"""From a git checkout to an image in a registry: naming and planning are pure, engines and registry reads are edges."""
