"""Converse.js in rooms: two people in two browsers, or one and somebody on slixmpp."""

import base64
import secrets
import unittest

from remote import NODE
from support import DEADLINE_SECONDS, DOMAIN
from test_browser import CHROMIUM, CLIENT, REQUIRED, Browser, png

SERVICE = f"conference.{DOMAIN}"
MENU = ".controlbox-heading--groupchats + converse-dropdown button"
CONFIG = "#converse-muc-config-modal"


def nick(jid):
    """What Converse.js calls somebody who has not said otherwise."""
    return jid.split("@")[0]


@unittest.skipUnless(NODE or REQUIRED, "needs Node.js 20 and npm")
@unittest.skipUnless(CHROMIUM or REQUIRED, "needs chromium")
@unittest.skipUnless(CLIENT or REQUIRED, "needs Converse.js from npm")
class Rooms(Browser):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.name = f"Verona {secrets.token_hex(4)}"
        self.room = f"{self.name.lower().replace(' ', '-')}@{SERVICE}"

    async def make(self, browser):
        """A room by its name, as the menu has it; it gets its name as it is made."""
        await browser.click(selector=MENU)
        await browser.click(selector=".show-add-muc-modal")
        await browser.fill(selector=".add-chatroom input[name=chatroom]", text=self.name)
        await browser.click(selector=".add-chatroom input[type=submit]")
        await self.is_in(browser, self.romeo)

    async def is_in(self, browser, jid):
        await browser.see(selector=f".chatbox-title__text:has-text('{self.name}')")
        await browser.see(selector=f".occupant-list:has-text('{nick(jid)}')")

    async def make_it_stay(self, browser):
        await browser.click(selector="converse-muc-heading converse-dropdown button")
        await browser.click(selector=".configure-chatroom-button")
        await browser.check(selector=f"{CONFIG} input[name='muc#roomconfig_persistentroom']")
        await browser.click(selector=f"{CONFIG} form input[type=submit]")
        await browser.gone(selector=f"{CONFIG}.show")
        # By now it has looked what the room can do.
        await browser.see(selector=".chat-info:has-text('configuration has changed')")

    async def find(self, browser, jid):
        """The room is on the list of the service."""
        await browser.click(selector=MENU)
        await browser.click(selector=".show-list-muc-modal")
        await browser.click(selector="converse-muc-list-modal input[type=submit]")
        found = f"converse-muc-list-modal a.open-room:has-text('{self.name}')"
        await browser.see(selector=found)
        await browser.picture(name="room-list")
        await browser.click(selector=found)
        await self.is_in(browser, jid)

    async def enter(self, user):
        """Somebody on slixmpp, who has the room listen to him."""
        await user.plugin["xep_0045"].join_muc_wait(self.room, "Juliet", maxstanzas=10, timeout=DEADLINE_SECONDS)

    def speak(self, user, text):
        user.send_message(mto=self.room, mbody=text, mtype="groupchat")

    async def test_two_browsers_in_a_room(self):
        juliet = self.server.new_account("juliet")
        ours, _ = await self.browse()
        await self.log_in(ours)
        await self.make(ours)
        await self.make_it_stay(ours)
        theirs, _ = await self.browse()
        await self.log_in(theirs, juliet)
        await self.find(theirs, juliet)
        await self.is_in(ours, juliet)

        await theirs.say(text="Good morrow, cousin <&>")
        self.assertEqual(await ours.hear(text="Good morrow, cousin <&>"), 1)
        await ours.say(text="Is the day so young?")
        self.assertEqual(await theirs.hear(text="Is the day so young?"), 1)
        picture = base64.b64encode(png(320, 200)).decode()
        await theirs.attach(name="the balcony.png", type="image/png", base64=picture)
        for browser in [ours, theirs]:
            (shown,) = await browser.pictures(count=1)
            self.assertEqual((shown["width"], shown["height"]), (320, 200))
        await ours.picture(name="room")

        await self.moderate(ours, theirs)
        await self.kick(ours, theirs, juliet)
        # The dialog closes itself before the browser has done with its form.
        await self.assert_undisturbed(ours, expected=["form is not connected"])
        await self.assert_undisturbed(theirs)

    async def moderate(self, ours, theirs):
        """XEP-0425, by the menu of the message."""
        await ours.act(text="Good morrow, cousin", action=".chat-msg__action-retract")
        await ours.fill(selector=".modal.show input[name=reason]", text="not so loud")
        await ours.click(selector=".modal.show button[type=submit]")
        for browser, name in [(ours, "room-moderated"), (theirs, "room-moderated-other")]:
            await browser.see(selector=".chat-msg--retracted:has-text('not so loud')")
            await browser.silent(text="Good morrow, cousin")
            await browser.picture(name=name)

    async def kick(self, ours, theirs, juliet):
        await ours.command(text=f"/kick {nick(juliet)} the lark is out of tune")
        await theirs.see(selector=".disconnect-msg:has-text('the lark is out of tune')")
        await ours.gone(selector=f".occupant-list:has-text('{nick(juliet)}')")
        await theirs.picture(name="room-kicked")
        await ours.picture(name="room-kicked-other")

    async def test_what_is_typed_finds_rooms(self):
        """The field where a room is named looks for it, at our service."""
        juliet = await self.newcomer("juliet", plugins=["xep_0045"]).online()
        await self.enter(juliet)
        muc = juliet.plugin["xep_0045"]
        form = await muc.get_room_config(self.room)
        form.set_values({"muc#roomconfig_roomname": self.name})
        await muc.set_room_config(self.room, form)
        browser, _ = await self.browse()
        await self.log_in(browser)
        await browser.click(selector=MENU)
        await browser.click(selector=".show-add-muc-modal")
        # One word: it puts what is chosen in the place of the last one.
        await browser.type(selector=".add-chatroom input[name=chatroom]", text=self.name.split()[1])
        found = f".suggestion-box__results li:has-text('{self.name} ({self.room})')"
        await browser.see(selector=found)
        await browser.picture(name="room-search")
        await browser.click(selector=found)
        await browser.click(selector=".add-chatroom input[type=submit]")
        await self.is_in(browser, self.romeo)
        await browser.see(selector=".occupant-list:has-text('Juliet')")
        await self.assert_undisturbed(browser)

    async def test_a_room_goes_on_over_a_lost_connection_and_a_reload(self):
        browser, line = await self.browse()
        await self.log_in(browser)
        await self.make(browser)
        await self.make_it_stay(browser)
        juliet = await self.newcomer("juliet", plugins=["xep_0045"]).online()
        await self.enter(juliet)
        await browser.say(text="Wilt thou be gone?")
        await self.hears(juliet, "Wilt thou be gone?")
        # It has also kept its bookmark, and is quiet.
        await browser.frame(text=f"<item id='{self.room}'")
        before = await browser.frames()
        line.cut()
        self.speak(juliet, "It is not yet near day")
        await self.hears(juliet, "It is not yet near day")
        line.mend()
        await browser.frame(text="<resumed", **{"from": before})
        await browser.hear(text="It is not yet near day")
        self.speak(juliet, "It was the nightingale")
        self.assertEqual(await browser.hear(text="It was the nightingale"), 1)
        self.assertEqual(await browser.hear(text="It is not yet near day"), 1, "comes once")

        await browser.kept(text="It was the nightingale")
        before = await browser.frames()
        await browser.reload()
        await browser.frame(text="<resumed", **{"from": before})
        await self.is_in(browser, self.romeo)
        await browser.say(text="It was the lark")
        await self.hears(juliet, "It was the lark")
        self.speak(juliet, "More light and light it grows")
        self.assertEqual(await browser.hear(text="More light and light it grows"), 1)
        for text in ["Wilt thou be gone?", "It is not yet near day", "It was the nightingale", "It was the lark"]:
            self.assertEqual(await browser.hear(text=text), 1)
        await browser.see(selector=".occupant-list:has-text('Juliet')")
        gone = [p for event, p in juliet.seen if event == "groupchat_presence" and p["type"] == "unavailable"]
        self.assertEqual(gone, [], "she has noticed nothing")
        await browser.picture(name="room-again")
        await self.assert_undisturbed(browser, expected=["websocket"])

    async def test_a_room_on_a_phone(self):
        juliet = await self.newcomer("juliet", plugins=["xep_0045"]).online()
        browser, _ = await self.browse(phone=True)
        await self.log_in(browser)
        await browser.go(hash=f"converse/room?jid={self.room}")
        await browser.see(selector=".chat-info:has-text('created')")
        await self.enter(juliet)
        self.speak(juliet, "At what o'clock?")
        self.assertEqual(await browser.hear(text="At what o'clock?"), 1)
        await browser.say(text="By the hour of nine")
        heard = await self.hears(juliet, "By the hour of nine")
        self.assertEqual(heard["from"], f"{self.room}/{nick(self.romeo)}")
        await browser.picture(name="room-phone")
        await self.assert_undisturbed(browser)


if __name__ == "__main__":
    unittest.main()
