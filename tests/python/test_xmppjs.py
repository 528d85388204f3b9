"""xmpp.js (tests/node/login.mjs): login in one round trip with SASL2, Bind 2 and FAST, and resumption within it."""

import json
import os
import subprocess
import unittest
from pathlib import Path

from support import DEADLINE_SECONDS, PASSWORD, Magpie

NODE = os.environ.get("TEST_NODE")
"""Where run-clients has put the script and xmpp.js; empty without Node.js 20."""


@unittest.skipUnless(NODE, "xmpp.js needs Node.js 20 and npm")
class XmppJs(unittest.TestCase):
    def setUp(self):
        self.server = Magpie()
        self.jid = self.server.new_account("romeo")

    def run_scenario(self, name, direct=False):
        host, port = self.server.direct_tls if direct else self.server.starttls
        environment = {
            **os.environ,
            "TEST_JID": self.jid,
            "TEST_PASSWORD": PASSWORD,
            # The name in the certificate is that of the domain.
            "TEST_SERVICE": f"xmpps://localhost:{port}" if direct else f"xmpp://{host}:{port}",
            "NODE_EXTRA_CA_CERTS": str(self.server.ca),
        }
        done = subprocess.run(
            ["node", Path(NODE, "login.mjs"), name],
            env=environment, capture_output=True, text=True, timeout=2 * DEADLINE_SECONDS, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def elements(self, log, kind="C authenticate"):
        return [line for line in log if line.startswith(kind)]

    def test_one_element_logs_in_and_binds(self):
        for direct in [False, True]:
            with self.subTest(direct=direct):
                done = self.run_scenario("password", direct)
                self.assertTrue(done["address"].startswith(f"{self.jid}/phone/"), done["address"])
                (authenticate,) = self.elements(done["log"])
                self.assertEqual(authenticate, "C authenticate SCRAM-SHA-1 (initial-response user-agent bind request-token)")
                (success,) = self.elements(done["log"], "S success")
                self.assertEqual(success, "S success (additional-data authorization-identifier bound token)")
                # Nothing behind it: no bind, no enable.
                self.assertEqual(done["log"][-2:], ["S stream:features", "C a"], "nothing but a farewell")

    def test_a_token_takes_the_place_of_the_password(self):
        done = self.run_scenario("fast")
        self.assertEqual(done["first"]["tokens"][-1]["mechanism"], "HT-SHA-256-NONE")
        log = done["second"]["log"]
        self.assertEqual(self.elements(log), ["C authenticate HT-SHA-256-NONE (initial-response user-agent bind fast)"])
        self.assertEqual(self.elements(log, "S challenge"), [], "one round trip")
        self.assertEqual(done["second"]["address"], done["first"]["address"], "the same device")
        # A token that nobody gave out is refused; the same stream goes on with the password, and has a new one.
        log = done["third"]["log"]
        self.assertEqual([line.split()[2] for line in self.elements(log)], ["HT-SHA-256-NONE", "SCRAM-SHA-1"])
        self.assertIn("S failure", log)
        self.assertNotEqual(done["third"]["tokens"][-1]["token"], done["first"]["tokens"][-1]["token"])

    def test_a_token_is_of_no_use_to_another_device(self):
        log = self.run_scenario("stolen")["log"]
        self.assertEqual([line.split()[2] for line in self.elements(log)], ["HT-SHA-256-NONE", "SCRAM-SHA-1"])
        self.assertIn("S failure", log)

    def test_a_lost_session_is_resumed_within_the_login(self):
        done = self.run_scenario("resume")
        self.assertEqual(done["after"], done["before"])
        (authenticate,) = self.elements(done["log"])
        self.assertTrue(authenticate.startswith("C authenticate HT-SHA-256-NONE"), "with the token it was given")
        self.assertIn("resume", authenticate)
        (success,) = self.elements(done["log"], "S success")
        self.assertIn("resumed", success)
