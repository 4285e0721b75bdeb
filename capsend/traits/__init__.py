"""The marker traits: which values are `ProcessSend` or `Serializable`, and which part of a value spoils the trait."""
