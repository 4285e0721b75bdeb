"""A FastAPI service that runs untrusted Python code: each request is a separate process with limits.

pip install capsend fastapi uvicorn
uvicorn fastapi_service:app
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from capsend import Environment, SerializationError, Source

LIMITS = Environment(
    memory=128 << 20, timeout=5, output=64 << 10, result=1 << 20, processes=0, stdout=None, stderr=None
)
AT_ONCE = 8

app = FastAPI()
turns = asyncio.Semaphore(AT_ONCE)


class Program(BaseModel):
    """A request: the text, and its globals."""

    code: str = Field(max_length=100_000)
    inputs: dict[str, Any] = {}


@app.post("/run")
async def run(program: Program) -> dict[str, Any]:
    """Run a program, and return its outcome: value, error, output, time and memory."""
    async with turns:  # other requests wait, without a process
        try:
            outcome = await LIMITS.execute_async(Source(program.code, name="program.py"), **program.inputs)
        except (SyntaxError, TypeError, SerializationError) as error:
            raise HTTPException(422, str(error)) from None
    told: dict[str, Any] = json.loads(outcome.to_json())
    return told
