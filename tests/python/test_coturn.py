"""The credentials of XEP-0215 at the TURN server they are for: coturn relays for who has them, and for nobody else."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from support import DEADLINE_SECONDS, Case

SERVICES = "{urn:xmpp:extdisco:2}service"
COTURN = all(shutil.which(program) for program in ("turnserver", "turnutils_uclient"))


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@unittest.skipUnless(COTURN or os.environ.get("TEST_REQUIRE_ALL"), "coturn is not installed")
class Coturn(Case):
    """`use-auth-secret` with the secret that run-clients gave the server under test."""

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.work = tempfile.TemporaryDirectory(prefix="magpie-coturn.")
        self.addCleanup(self.work.cleanup)
        self.port = free_port(socket.SOCK_STREAM)
        log = Path(self.work.name, "log")
        command = [
            "turnserver", "-n", "--use-auth-secret", f"--static-auth-secret={os.environ['TEST_TURN_SECRET']}",
            "--realm=localhost", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={self.port}",
            "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls", f"--userdb={self.work.name}/db",
            f"--pidfile={self.work.name}/pid", "--log-file=stdout", "--simple-log",
        ]
        with log.open("wb") as out:
            turnserver = subprocess.Popen(command, stdout=out, stderr=out)
        self.addCleanup(turnserver.wait)
        self.addCleanup(turnserver.terminate)
        end = time.monotonic() + DEADLINE_SECONDS
        while not self.answers():
            if time.monotonic() > end or turnserver.poll() is not None:
                self.fail(log.read_text())
            time.sleep(0.05)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def relays(self, username, password):
        """Sends packets through a relay and back; the credentials decide."""
        command = [
            "turnutils_uclient", "-y", "-c", "-n", "2", "-m", "1", "-p", str(self.port),
            "-u", username, "-w", password, "127.0.0.1",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
        received = re.findall(r"tot_recv_msgs=(\d+)", done.stdout + done.stderr)
        return done.returncode == 0 and received[-1:] not in ([], ["0"])

    async def credentials(self, user):
        iq = user.make_iq_get(ito=user.boundjid.domain)
        iq.append(user.element("{urn:xmpp:extdisco:2}services", type="turn"))
        service = (await iq.send()).xml.find(f".//{SERVICES}")
        return service.get("username"), service.get("password")

    async def test_the_credentials_are_accepted(self):
        romeo = await self.newcomer("romeo").log_in()
        username, password = await self.credentials(romeo)
        self.assertTrue(username.endswith(":" + romeo.boundjid.bare), username)
        self.assertTrue(self.relays(username, password))

    async def test_others_are_not(self):
        romeo = await self.newcomer("romeo").log_in()
        username, password = await self.credentials(romeo)
        self.assertFalse(self.relays(username, "guessed"))
        until = int(username.split(":")[0])
        self.assertFalse(self.relays(username.replace(str(until), str(until + 1)), password), "they last no longer")
