"""The least that Temporal can do for a document: a workflow of one activity, in a worker of its own.

`python -m benchmarks.bare ADDRESS NAMESPACE` runs the worker until it is told to stop.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE: Final = "bare"


@activity.defn
async def bare_step(document: str) -> str:
    return document


@workflow.defn
class BareDocument:
    @workflow.run
    async def run(self, document: str) -> str:
        return await workflow.execute_activity(bare_step, document, start_to_close_timeout=timedelta(minutes=1))


async def serve(address: str, namespace: str) -> None:
    client = await Client.connect(address, namespace=namespace)
    async with Worker(client, task_queue=QUEUE, workflows=[BareDocument], activities=[bare_step]):
        print("worker is up", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
