"""The declarations: which types are ProcessSend or Serializable, and why the others are not."""
