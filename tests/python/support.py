"""The server under test (started by tests/run-clients) and users with slixmpp."""

import asyncio
import json
import logging
import os
import secrets
import ssl
import subprocess
import time
import unittest
from pathlib import Path
from xml.etree import ElementTree

import slixmpp

logging.basicConfig(level=os.environ.get("TEST_LOG", "CRITICAL"))
"""DEBUG shows every stanza slixmpp sends and receives."""

DEADLINE_SECONDS = 20
"""Ends a test that would wait for ever; nothing is timed by it."""

DOMAIN = "localhost"
PASSWORD = "correct horse"


class Magpie:
    """The running server, through its own command."""

    def __init__(self):
        self.command = os.environ["TEST_MAGPIE"]
        self.ca = Path(os.environ["TEST_CA"])
        listeners = self.json("status")["listeners"]
        self.starttls = self._address(listeners["starttls"][0])
        self.direct_tls = self._address(listeners["direct_tls"][0])
        self.https = self._address(listeners["https"][0])

    def run(self, *args, stdin=""):
        return subprocess.run(
            [self.command, *args], input=stdin, capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS
        ).stdout

    def json(self, *args):
        return json.loads(self.run("--json", *args))

    def new_account(self, name, password=PASSWORD):
        """Makes an account nobody else uses, and returns its address."""
        jid = f"{name}-{secrets.token_hex(4)}@{DOMAIN}"
        self.run("user", "add", jid, "--password-stdin", stdin=password + "\n")
        return jid

    @staticmethod
    def _address(text):
        host, port = text.rsplit(":", 1)
        return host, int(port)


class User(slixmpp.ClientXMPP):
    """A client that remembers what it received, so that a test can wait for it."""

    def __init__(self, server, jid, password=PASSWORD, *, direct=False, mechanism=None, plugins=()):
        config = {"feature_mechanisms": {"use_mech": mechanism}} if mechanism else {}
        super().__init__(jid, password, plugin_config=config)
        self.magpie = server
        self.ca_certs = server.ca
        self.ssl_context.check_hostname = True
        self.ssl_context.verify_mode = ssl.CERT_REQUIRED
        self.enable_direct_tls, self.enable_starttls = direct, not direct
        self.seen = []
        """(event, stanza) in the order in which they came."""
        self._news = asyncio.Event()
        for event in EVENTS:
            self.add_event_handler(event, lambda data, event=event: self._note(event, data))
        for plugin in plugins:
            self.register_plugin(plugin)

    def _note(self, event, data):
        self.seen.append((event, data))
        self._news.set()

    async def wait(self, *events, where=lambda data: True):
        """The first thing that came or comes by one of these names; it is forgotten then."""

        async def found():
            while True:
                for at, (event, data) in enumerate(self.seen):
                    if event in events and where(data):
                        del self.seen[at]
                        return data
                self._news.clear()
                await self._news.wait()

        try:
            return await asyncio.wait_for(found(), DEADLINE_SECONDS)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.boundjid} waited for {events} and saw {self.seen}") from None

    async def until(self, condition, what):
        """Waits until something that the library keeps (its roster, say) is as it should be."""
        end = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{self.boundjid} never saw {what}; it saw {self.seen}")
            await asyncio.sleep(0.01)

    async def start(self):
        """Connects; what comes of it is up to the caller to wait for."""
        await self.connect(*(self.magpie.direct_tls if self.enable_direct_tls else self.magpie.starttls))

    async def log_in(self):
        await self.start()
        await self.wait("session_start")
        return self

    async def online(self):
        """Logs in, asks for the roster and becomes available."""
        await self.log_in()
        await self.get_roster()
        self.send_presence()
        await self.wait("presence_available", where=lambda p: p["from"] == self.boundjid)
        return self

    @staticmethod
    def element(name, **attributes):
        """An element to be sent, by its name with namespace as ElementTree has it."""
        return ElementTree.Element(name, attributes)

    async def leave(self):
        await self.disconnect()

    def say(self, to, text):
        self.send_message(mto=to, mbody=text, mtype="chat")

    async def settle(self):
        """The answer says that the server has everything sent before it."""
        await self.make_iq_get(queryxmlns="jabber:iq:version", ito=DOMAIN).send(timeout=DEADLINE_SECONDS)

    async def hear(self):
        """The next message: sender, text, whether it waited at the server."""
        message = await self.wait("message")
        return str(message["from"]), message["body"], message.xml.find("{urn:xmpp:delay}delay") is not None

    async def sees(self, contact, subscription):
        """Waits for a subscription state of a contact."""
        await self.until(
            lambda: self.client_roster.has_jid(contact) and self.client_roster[contact]["subscription"] == subscription,
            f"{contact} as {subscription}",
        )

    async def befriend(self, other):
        """Subscription both ways: asked here, granted and asked back by the other's slixmpp on its own."""
        self.update_roster(other.boundjid.bare, name="A friend", groups=["Friends"])
        self.send_presence(pto=other.boundjid.bare, ptype="subscribe")
        await self.sees(other.boundjid.bare, "both")
        await other.sees(self.boundjid.bare, "both")
        await self.wait("presence_available", where=lambda p: p["from"] == other.boundjid)
        await other.wait("presence_available", where=lambda p: p["from"] == self.boundjid)


EVENTS = [
    "session_start",
    "message",
    "presence_available",
    "presence_away",
    "presence_unavailable",
    "failed_auth",
    "failed_all_auth",
    "auth_success",
    "disconnected",
    "connection_failed",
    "ssl_invalid_chain",
    "sm_enabled",
    "session_resumed",
    "stanza_acked",
    "carbon_received",
    "carbon_sent",
    "jingle_message_propose",
    "jingle_message_accept",
    "blocked",
    "unblocked",
    "pubsub_publish",
    "pubsub_retract",
    "message_error",
    "message_xform",
    "message_retract",
    "moderated_message",
    "groupchat_message",
    "groupchat_subject",
    "groupchat_presence",
    "groupchat_invite",
    "groupchat_direct_invite",
    "groupchat_config_status",
    "groupchat_affiliation_change",
]


class Case(unittest.IsolatedAsyncioTestCase):
    """A test with the server and with users who all leave at its end."""

    async def asyncSetUp(self):
        self.server = Magpie()
        self.users = []

    async def asyncTearDown(self):
        for user in self.users:
            user.end_session_on_disconnect = True
            if user.is_connected():
                await user.leave()

    def user(self, jid, *args, **kwargs):
        user = User(self.server, jid, *args, **kwargs)
        self.users.append(user)
        return user

    def newcomer(self, name, **kwargs):
        return self.user(self.server.new_account(name), **kwargs)
