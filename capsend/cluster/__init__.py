"""Clusters: processes on other machines, and on other interpreters of this one."""

from capsend.cluster.lines import Token
from capsend.cluster.tls import Certificates

__all__ = ["Certificates", "Token"]
