"""What every call passes, each concern in a module of its own; their order stands in ``chain``."""
