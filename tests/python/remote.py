"""Programs in Node.js that a test drives (tests/node/remote.mjs), and a bad line between them and the server."""

import asyncio
import json
import os
from pathlib import Path

NODE = os.environ.get("TEST_NODE")
"""Where run-clients has put the scripts and what they need; empty without Node.js 20."""

STEP_SECONDS = 60
"""Ends a step that would wait for ever, in the program; nothing is timed by it."""


class Remote:
    """One program. Its commands are called like methods."""

    def __init__(self, process):
        self._process = process
        self._turn = asyncio.Lock()

    @classmethod
    async def launch(cls, script, **environment):
        process = await asyncio.create_subprocess_exec(
            "node", Path(NODE, script),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=64 * 1024 * 1024,
            env={**os.environ, "TEST_DEADLINE_SECONDS": str(STEP_SECONDS), **environment},
        )  # fmt: skip
        return cls(process)

    def __getattr__(self, name):
        async def call(**given):
            async with self._turn:
                self._process.stdin.write(json.dumps({"do": name, **given}).encode() + b"\n")
                await self._process.stdin.drain()
                # The program has a deadline of its own, and explains more.
                line = await asyncio.wait_for(self._process.stdout.readline(), 2 * STEP_SECONDS)
            answer = json.loads(line) if line else {"failed": f"{name}: the program ended"}
            if "failed" in answer:
                raise AssertionError(answer["failed"])
            return answer["done"]

        return call

    async def end(self):
        """Waits for its end, which follows that of its input."""
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), STEP_SECONDS)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()


class Line:
    """A line to the server that can be cut. It looks into nothing."""

    def __init__(self, target):
        self._target = target
        self._ends = set()
        self._up = True
        self._server = None
        self.port = None

    @classmethod
    async def to(cls, target):
        line = cls(target)
        line._server = await asyncio.start_server(line._connect, "127.0.0.1", 0)
        line.port = line._server.sockets[0].getsockname()[1]
        return line

    async def _connect(self, reader, writer):
        if not self._up:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._ends |= ends
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        self._ends -= ends
        for end in ends:
            end.transport.abort()

    @staticmethod
    async def _carry(reader, writer):
        try:
            while chunk := await reader.read(64 * 1024):
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError, NotImplementedError):
            # One end is gone; the other one hears of it.
            writer.transport.abort()

    def cut(self):
        """Everything that goes over it is lost, and nobody gets through until `mend`."""
        self._up = False
        for end in self._ends:
            end.transport.abort()

    def mend(self):
        self._up = True

    async def close(self):
        self.cut()
        self._server.close()
