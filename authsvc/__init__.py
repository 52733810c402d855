"""The token authority of a mesh of backend services."""

__version__ = "0.1.0"
