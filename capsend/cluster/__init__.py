"""Clusters: processes on other machines, and on other interpreters of this one."""
