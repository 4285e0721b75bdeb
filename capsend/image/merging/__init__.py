"""The core modules of an image merged into one."""
