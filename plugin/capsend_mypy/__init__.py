"""The mypy plugin of capsend."""
