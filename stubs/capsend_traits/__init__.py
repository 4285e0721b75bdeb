"""The declarations: which types are ProcessSend or Serializable, and why the others are not."""

from capsend_traits._declaration import Declaration, DeclarationError, Trait
from capsend_traits._folder import BAKED, installed_providers
from capsend_traits._table import Table, fingerprint, table

__all__ = ["BAKED", "Declaration", "DeclarationError", "Table", "Trait", "fingerprint", "installed_providers", "table"]
