"""A cluster and its nodes belong to the program that has them, and processes on nodes are checked as others are."""

from capsend import Cluster, Environment

ITEMS = [1]


def run(cluster: Cluster) -> None:
    anywhere, node = Environment(on=cluster), cluster.nodes[0]
    anywhere.spawn(lambda: cluster.nodes)  # E: captured "cluster" is Cluster, which is not ProcessSend
    # N: it belongs to the program that has it
    anywhere.spawn(lambda: node.name)  # E: captured "node" is Node
    found: list[int] = []
    anywhere.spawn(lambda: found)  # E: captured "found" is list[int]
