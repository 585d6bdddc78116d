"""STAND-IN for AWX's API, which needs a cluster: README.md says what it is good for."""
