"""xmpp.js (tests/node/device.mjs) over WebSocket: chat, upload with fetch, resumption. It does not speak BOSH."""

import base64
import secrets
import unittest

from remote import NODE, Line, Remote
from support import PASSWORD, Case
from test_browser import REQUIRED, png


@unittest.skipUnless(NODE or REQUIRED, "needs Node.js 20 and npm")
class XmppJsOverWebSocket(Case):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.remotes = []
        self.romeo = self.server.new_account("romeo")
        self.juliet = await self.newcomer("juliet", plugins=["xep_0198"]).online()
        self.line = await Line.to(self.server.https)

    async def asyncTearDown(self):
        for remote in self.remotes:
            await remote.end()
        await super().asyncTearDown()
        await self.line.close()

    async def device(self, jid):
        """A client that is online, over the line."""
        device = await Remote.launch("device.mjs", NODE_EXTRA_CA_CERTS=str(self.server.ca))
        self.remotes.append(device)
        service = f"wss://localhost:{self.line.port}/xmpp-websocket"
        started = await device.start(service=service, jid=jid, password=PASSWORD)
        self.assertTrue(started["address"].startswith(jid + "/"), started)
        self.assertTrue(started["sm"], "XEP-0198")
        return device

    async def test_chat(self):
        romeo = await self.device(self.romeo)
        await romeo.say(to=self.juliet.boundjid.bare, text="It is the east")
        sender, text, _ = await self.juliet.hear()
        self.assertEqual((sender.split("/")[0], text), (self.romeo, "It is the east"))
        self.juliet.say(self.romeo, "<&> \N{HEAVY BLACK HEART}")
        heard = await romeo.hear(text="<&> \N{HEAVY BLACK HEART}")
        self.assertEqual(heard, {"from": str(self.juliet.boundjid), "count": 1})
        await romeo.stop()

    async def test_a_room(self):
        """Made by one script, entered by another; it goes on over a lost connection."""
        room = f"verona-{secrets.token_hex(4)}@conference.localhost"
        romeo, other = await self.device(self.romeo), await self.device(self.server.new_account("nurse"))
        self.assertEqual(await romeo.enter(room=room, nick="Romeo"), ["110", "201"])
        self.assertEqual(await other.enter(room=room, nick="Nurse"), ["110"])
        await romeo.speak(room=room, text="Is she a Capulet?")
        heard = await other.hear(text="Is she a Capulet?")
        self.assertEqual(heard, {"from": f"{room}/Romeo", "count": 1})
        before = [len(await device.log()) for device in [romeo, other]]
        self.line.cut()
        for device, seen in zip([romeo, other], before):
            await device.until(entry="disconnect", **{"from": seen})
        self.line.mend()
        for device, seen in zip([romeo, other], before):
            await device.until(entry="resumed", **{"from": seen})
        await other.speak(room=room, text="Ay, sir")
        self.assertEqual(await romeo.hear(text="Ay, sir"), {"from": f"{room}/Nurse", "count": 1})

    async def test_a_picture_is_uploaded_with_fetch(self):
        picture = base64.b64encode(png(64, 64)).decode()
        romeo = await self.device(self.romeo)
        url = await romeo.upload(name="a b.png", type="image/png", base64=picture)
        await romeo.say(to=self.juliet.boundjid.bare, text=url)
        self.assertEqual((await self.juliet.hear())[1], url)
        # The other one is a script, too.
        other = await self.device(self.server.new_account("nurse"))
        self.assertEqual(await other.fetch(url=url), {"type": "image/png", "base64": picture})

    async def test_a_lost_connection_is_resumed(self):
        romeo = await self.device(self.romeo)
        await romeo.ping()
        before = len(await romeo.log())
        self.line.cut()
        await romeo.until(entry="disconnect", **{"from": before})
        self.juliet.say(self.romeo, "meanwhile")
        await self.juliet.settle()
        self.line.mend()
        await romeo.until(entry="resumed", **{"from": before})
        await romeo.hear(text="meanwhile")
        self.juliet.say(self.romeo, "afterwards")
        await romeo.hear(text="afterwards")
        self.assertEqual((await romeo.hear(text="meanwhile"))["count"], 1)
        await romeo.say(to=self.juliet.boundjid.bare, text="back again")
        self.assertEqual((await self.juliet.hear())[1], "back again")
