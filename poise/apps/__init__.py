"""Another loop, or a Python application, as guest or host."""
