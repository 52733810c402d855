"""What developers run; no part of the installed package."""
