"""STAND-IN for Azure Resource Manager, which costs money and hours: README.md says what it is good for."""
