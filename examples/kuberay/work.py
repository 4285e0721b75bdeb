"""Count primes on all machines of a Ray cluster; the functions run in processes of capsend."""

from capsend import Cluster, Environment, Executor


def primes(first: int) -> int:
    """Count the primes among a thousand numbers."""
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(max(first, 2), first + 1000))


if __name__ == "__main__":
    with Cluster.ray() as cluster:
        environment = Environment(on=cluster, memory=256 << 20, timeout=60)
        with Executor(environment=environment) as executor:
            print(sum(executor.map(primes, range(0, 100_000, 1000))), "primes, on", len(cluster.nodes), "nodes")
