"""What the cloud roles are tested with: stand-ins for what cannot be had, and the modules' own Python environment."""
