"""The embedded run: a local AWS, a traffic generator, the real workload and a receiver, on one machine."""
