"""An image registry by the OCI distribution specification, over a folder, in this process.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Where the specification leaves a choice, it
answers as Docker's own registry 2.8 does; docs/sandbox.md lists where it does not.
"""
