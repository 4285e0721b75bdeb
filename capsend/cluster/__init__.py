"""Clusters: processes on other machines, and in other interpreters on this machine."""

from capsend.cluster.lines import Token
from capsend.cluster.tls import Certificates

__all__ = ["Certificates", "Token"]
