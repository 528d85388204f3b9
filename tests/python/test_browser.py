"""Converse.js, the web client at /chat, in headless Chromium, with slixmpp over TCP on the other side."""

import asyncio
import base64
import os
import re
import secrets
import ssl
import struct
import unittest
import urllib.request
import zlib

from remote import NODE, Line, Remote
from support import PASSWORD, Case

CHROMIUM = os.environ.get("TEST_CHROMIUM")
CLIENT = os.environ.get("TEST_CONVERSE")
"""Whether run-clients has installed Converse.js."""
REQUIRED = os.environ.get("TEST_REQUIRE_ALL")


def png(width, height):
    """A picture with a colour that changes from corner to corner, small enough to be made here."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((255 * x // width, 255 * y // height, 128)) for x in range(width)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Browser(Case):
    """A test with a browser for romeo, and juliet, who is his contact."""

    maxDiff = None

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.remotes, self.lines = [], []
        self.romeo = self.server.new_account("romeo")
        self.origins = set()

    async def asyncTearDown(self):
        for remote in self.remotes:
            await remote.end()
        await super().asyncTearDown()
        for line in self.lines:
            await line.close()

    async def browse(self, path="chat", phone=False):
        """Opens a page of the server over a line that can be cut."""
        browser = await Remote.launch(
            "browser.mjs", TEST_CA=str(self.server.ca), TEST_HTTPS_PORT=str(self.server.https[1])
        )
        self.remotes.append(browser)
        line = await Line.to(self.server.https)
        self.lines.append(line)
        self.origins |= {f"localhost:{line.port}", f"localhost:{self.server.https[1]}"}
        await browser.open(url=f"https://localhost:{line.port}/{path}", phone=phone)
        return browser, line

    async def log_in(self, browser, jid=None):
        await browser.enter(name=(jid or self.romeo).split("@")[0], password=PASSWORD)
        await browser.see(selector="converse-user-profile")

    async def contact(self):
        """juliet online over TCP; each is on the other's list."""
        juliet = self.newcomer("juliet", plugins=["xep_0198"])
        self.server.run("roster", "add", self.romeo, juliet.boundjid.bare, "--name", "Juliet", "--subscription", "both")
        return await juliet.online()

    async def chatting(self, path="chat", phone=False):
        juliet = await self.contact()
        browser, line = await self.browse(path, phone)
        await self.log_in(browser)
        await browser.chat(jid=juliet.boundjid.bare)
        return browser, line, juliet

    async def assert_undisturbed(self, browser, expected=()):
        """Nobody else was asked for anything, and the browser had nothing to complain about."""
        hosts = {re.sub(r"^\w+://([^/]*).*", r"\1", url) for url in await browser.requests() if "://" in url}
        self.assertLessEqual(hosts, self.origins)
        complaints = [one for one in await browser.complaints() if not any(text in one.lower() for text in expected)]
        self.assertEqual(complaints, [])

    async def hears(self, user, text):
        """What a message with this text was (chat states come, too)."""
        return await user.wait("message", where=lambda message: message["body"] == text)


@unittest.skipUnless(NODE or REQUIRED, "needs Node.js 20 and npm")
@unittest.skipUnless(CHROMIUM or REQUIRED, "needs chromium")
@unittest.skipUnless(CLIENT or REQUIRED, "needs Converse.js from npm")
class Converse(Browser):
    async def test_the_form_is_shown_and_nobody_else_is_asked(self):
        for phone, name in [(False, "login"), (True, "login-phone")]:
            with self.subTest(name):
                browser, _ = await self.browse(phone=phone)
                await browser.see(selector="#converse-login-jid")
                self.assertIn("@localhost", await browser.text(selector="#converse-login"))
                await browser.picture(name=name)
                await self.assert_undisturbed(browser)

    async def test_the_front_page_leads_to_it(self):
        for phone, name in [(False, "front"), (True, "front-phone")]:
            with self.subTest(name):
                browser, _ = await self.browse(path="", phone=phone)
                await browser.picture(name=name)
                await browser.click(selector='a[href="chat"]')
                await browser.see(selector="#converse-login-jid")
                await self.assert_undisturbed(browser)

    async def test_a_wrong_password_is_said(self):
        browser, _ = await self.browse()
        await browser.enter(name=self.romeo.split("@")[0], password="wrong")
        await browser.see(selector=".conn-feedback:has-text('incorrect')")
        await self.assert_undisturbed(browser)

    async def test_an_account_is_made(self):
        browser, _ = await self.browse(path="")
        await browser.click(selector='a[href="chat#converse/register"]')
        form = "#converse-register"
        name = f"nurse-{secrets.token_hex(4)}"
        await browser.fill(selector=f"{form} input[name=username]", text=name)
        await browser.fill(selector=f"{form} input[name=password]", text=PASSWORD)
        await browser.picture(name="register")
        await browser.click(selector=f"{form} input[type=submit]")
        await browser.see(selector="converse-user-profile")
        self.assertEqual(self.server.json("user", "show", f"{name}@localhost")["jid"], f"{name}@localhost")
        await self.assert_undisturbed(browser)

    async def chat_both_ways(self, path, picture, expected=()):
        browser, _, juliet = await self.chatting(path)
        await browser.say(text="But soft, what light?")
        heard = await self.hears(juliet, "But soft, what light?")
        self.assertEqual(heard["from"].bare, self.romeo)
        juliet.say(self.romeo, "Ay me <b>&amp;</b> \N{HEAVY BLACK HEART}")
        self.assertEqual(await browser.hear(text="Ay me <b>&amp;</b> \N{HEAVY BLACK HEART}"), 1)
        await browser.picture(name=picture)
        await self.assert_undisturbed(browser, expected)
        return await browser.requests()

    async def test_chat_over_websocket(self):
        requests = await self.chat_both_ways("chat", "chat-websocket")
        self.assertFalse([url for url in requests if "/http-bind" in url])
        # One to see whether it works, one to chat.
        self.assertEqual(len([url for url in requests if url.endswith("/xmpp-websocket")]), 2)

    async def test_chat_over_bosh(self):
        # It looks for a session of an earlier visit, and says that there is none.
        requests = await self.chat_both_ways("chat?bosh", "chat-bosh", ["no restoreable session"])
        self.assertTrue([url for url in requests if "/http-bind" in url])
        self.assertFalse([url for url in requests if "/xmpp-websocket" in url])

    async def test_on_a_phone(self):
        browser, _, juliet = await self.chatting(phone=True)
        await browser.say(text="By a name I know not how to tell thee")
        await self.hears(juliet, "By a name I know not how to tell thee")
        await browser.picture(name="chat-phone")
        await self.assert_undisturbed(browser)

    async def test_a_picture_is_sent(self):
        browser, _, juliet = await self.chatting()
        picture = png(320, 200)
        await browser.attach(name="the balcony.png", type="image/png", base64=base64.b64encode(picture).decode())
        message = await juliet.wait("message", where=lambda message: "/upload/" in message["body"])
        self.assertEqual(await asyncio.to_thread(self.download, message["body"]), ("image/png", picture))
        (shown,) = await browser.pictures(count=1)
        self.assertEqual((shown["url"], shown["width"], shown["height"]), (message["body"], 320, 200))
        # And one that comes.
        juliet.say(self.romeo, message["body"])
        self.assertEqual(len(await browser.pictures(count=2)), 2)
        await browser.picture(name="chat-picture")
        await self.assert_undisturbed(browser)

    def download(self, url):
        """Fetches a link as any program does: type and bytes."""
        context = ssl.create_default_context(cafile=self.server.ca)
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            return answer.headers["content-type"], answer.read()

    async def test_a_lost_connection_is_resumed(self):
        browser, line, juliet = await self.chatting()
        await browser.say(text="Wilt thou be gone?")
        await self.hears(juliet, "Wilt thou be gone?")
        # It has also published its keys, and is quiet.
        await browser.frame(text="<publish node='urn:xmpp:omemo:2:devices'")
        before = await browser.frames()
        line.cut()
        juliet.say(self.romeo, "It is not yet near day")
        await juliet.settle()
        line.mend()
        await browser.frame(text="<resumed", **{"from": before})
        await browser.hear(text="It is not yet near day")
        juliet.say(self.romeo, "It was the nightingale")
        self.assertEqual(await browser.hear(text="It was the nightingale"), 1)
        self.assertEqual(await browser.hear(text="It is not yet near day"), 1, "comes once")
        await browser.say(text="It was the lark")
        await self.hears(juliet, "It was the lark")
        self.assertEqual(await browser.hear(text="Wilt thou be gone?"), 1)
        # Loaded again, it is the same session, and what was said is there.
        await browser.kept(text="It was the lark")
        before = await browser.frames()
        await browser.reload()
        await browser.frame(text="<resumed", **{"from": before})
        await browser.hear(text="It was the lark")
        juliet.say(self.romeo, "More light and light it grows")
        self.assertEqual(await browser.hear(text="More light and light it grows"), 1)
        await browser.say(text="More dark and dark our woes")
        await self.hears(juliet, "More dark and dark our woes")
        # Of the lost connection the browser may speak.
        await self.assert_undisturbed(browser, expected=["websocket"])
