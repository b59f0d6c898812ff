"""Run every benchmark."""

import asyncio

from tests.benchmarks import throughput

asyncio.run(throughput.main())
