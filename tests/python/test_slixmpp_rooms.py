"""slixmpp in rooms (XEP-0045 and what goes with it): made, entered, talked in, moderated, read again, destroyed."""

import asyncio
import io
import os
import secrets
import ssl
import unittest.mock
from datetime import datetime, timedelta, timezone

from slixmpp import JID
from slixmpp.exceptions import IqError, PresenceError
from slixmpp.plugins.xep_0410 import PingStatus
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath
from support import DEADLINE_SECONDS, DOMAIN, Case

SERVICE = f"conference.{DOMAIN}"
PLUGINS = ["xep_0030", "xep_0045", "xep_0077", "xep_0128", "xep_0249", "xep_0313", "xep_0410", "xep_0421", "xep_0425"]
OCCUPANT_ID = "{urn:xmpp:occupant-id:0}occupant-id"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


USER = "{http://jabber.org/protocol/muc#user}"


def codes(stanza):
    return stanza["muc"]["status_codes"]


def item(stanza):
    """What it says of an occupant. slixmpp's own view lacks attributes where the stanza has a language."""
    return stanza.xml.find(f"{USER}x/{USER}item")


def standing(stanza):
    return item(stanza).get("affiliation"), item(stanza).get("role")


class Coven(Case):
    """A test in a room of its own; its people are those of XEP-0045's examples."""

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.room = JID(f"coven-{secrets.token_hex(4)}@{SERVICE}")

    async def someone(self, name, plugins=()):
        user = await self.newcomer(name, plugins=[*PLUGINS, *plugins]).online()
        user.muc = user.plugin["xep_0045"]
        return user

    async def enter(self, user, nick, **options):
        """Enters; self-presence, subject, the others, history."""
        return await user.muc.join_muc_wait(self.room, nick, timeout=DEADLINE_SECONDS, **options)

    async def configure(self, owner, **values):
        """Fills in fields of the form the room offers. Each must be there."""
        form = await owner.muc.get_room_config(self.room)
        values = {f"muc#roomconfig_{name}": value for name, value in values.items()}
        self.assertLessEqual(set(values), set(form.get_fields()))
        form.set_values(values)
        await owner.muc.set_room_config(self.room, form)

    async def coven(self, *plugins, **values):
        """An owner, and two who are nothing special, all in a room that stays."""
        crone, wicca, hag = await asyncio.gather(*(self.someone(name, plugins) for name in ["crone", "wicca", "hag"]))
        await self.enter(crone, "first")
        await self.configure(crone, persistentroom=True, **values)
        if values.get("membersonly"):
            members = [(user.boundjid.bare, "member") for user in [wicca, hag]]
            await crone.muc.send_affiliation_list(self.room, members)
        await self.enter(wicca, "second")
        await self.enter(hag, "third")
        for user, nick in [(crone, "second"), (crone, "third"), (wicca, "third")]:
            await self.sees(user, nick)
        return crone, wicca, hag

    async def sees(self, user, nick, where=lambda presence: True):
        """Waits for presence of an occupant."""
        address = f"{self.room}/{nick}"
        return await user.wait("groupchat_presence", where=lambda p: p["from"] == address and where(p))

    async def sees_gone(self, user, nick):
        return await self.sees(user, nick, where=lambda p: p["type"] == "unavailable")

    def speak(self, user, text):
        user.send_message(mto=self.room, mbody=text, mtype="groupchat")

    async def hears(self, user, text):
        return await user.wait("groupchat_message", where=lambda message: message["body"] == text)

    async def info(self, user, jid=None, **options):
        return (await user.plugin["xep_0030"].get_info(jid=jid or self.room, cached=False, **options))["disco_info"]

    async def listed(self, user):
        return [str(item[0]) for item in (await user.plugin["xep_0030"].get_items(jid=SERVICE))["disco_items"]["items"]]

    async def refused(self, condition, awaitable):
        with self.assertRaises((IqError, PresenceError)) as refusal:
            await awaitable
        self.assertEqual(refusal.exception.condition, condition)
        return refusal.exception


class Making(Coven):
    async def test_an_instant_room(self):
        """§10.1.2; and it is gone when the last one leaves."""
        crone, wicca = await self.someone("crone"), await self.someone("wicca")
        self.assertIn(("conference", "text"), {i[:2] for i in (await self.info(crone, SERVICE))["identities"]})
        await self.refused("item-not-found", self.info(crone))
        presence, *_ = await self.enter(crone, "first")
        self.assertLessEqual({110, 201}, codes(presence))
        self.assertEqual(standing(presence), ("owner", "moderator"))
        await self.refused("item-not-found", self.enter(wicca, "second"))
        await crone.muc.set_room_config(self.room, crone.plugin["xep_0004"].make_form(ftype="submit"))
        presence, subject, others, history = await self.enter(wicca, "second")
        self.assertNotIn(201, codes(presence))
        self.assertEqual((subject["subject"], history), (None, []))
        self.assertEqual([(p["from"].resource, *standing(p)) for p in others][:1], [("first", "owner", "moderator")])
        features = (await self.info(wicca))["features"]
        self.assertLessEqual({"http://jabber.org/protocol/muc", "muc_temporary", "muc_open", "muc_unmoderated"}, features)
        self.assertIn(str(self.room), await self.listed(wicca))
        crone.muc.leave_muc(self.room, "first")
        await self.sees_gone(wicca, "first")
        wicca.muc.leave_muc(self.room, "second")
        await self.sees_gone(wicca, "second")
        await self.refused("item-not-found", self.info(wicca))

    async def test_a_reserved_room(self):
        """§10.1.3."""
        crone, wicca = await self.someone("crone"), await self.someone("wicca")
        await self.enter(crone, "first")
        await self.configure(
            crone, roomname="A Dark Cave", roomdesc="Double, double", persistentroom=True, membersonly=True,
            publicroom=False, whois="anyone", changesubject=True,
        )  # fmt: skip
        info = await self.info(crone)
        self.assertIn(("conference", "text", None, "A Dark Cave"), info["identities"])
        kinds = {"muc_persistent", "muc_membersonly", "muc_hidden", "muc_nonanonymous", "muc_unsecured", "urn:xmpp:mam:2"}
        self.assertLessEqual(kinds, info["features"])
        self.assertEqual(info["form"]["values"]["muc#roominfo_description"], "Double, double")
        await self.refused("registration-required", self.enter(wicca, "second"))
        self.assertNotIn(str(self.room), await self.listed(wicca))
        await crone.muc.set_affiliation(self.room, "member", jid=wicca.boundjid.bare)
        self.assertIn(str(self.room), await self.listed(wicca), "members find it")
        presence, *_ = await self.enter(wicca, "second")
        self.assertIn(100, codes(presence), "one is seen")
        self.assertEqual(item(await self.sees(crone, "second")).get("jid"), wicca.boundjid)
        # Whoever is only a member configures nothing.
        await self.refused("forbidden", wicca.muc.get_room_config(self.room))
        # It stays, and is as it was.
        for user, nick in [(crone, "first"), (wicca, "second")]:
            user.muc.leave_muc(self.room, nick)
            await self.sees_gone(user, nick)
        presence, *_ = await self.enter(wicca, "second")
        self.assertEqual(standing(presence), ("member", "participant"))

    async def test_a_form_that_is_cancelled(self):
        """§10.1.3: the room is not made."""
        crone = await self.someone("crone")
        await self.enter(crone, "first")
        await crone.muc.cancel_config(self.room)
        await self.sees_gone(crone, "first")
        await self.refused("item-not-found", self.info(crone))

    async def test_a_password(self):
        crone, wicca = await self.someone("crone"), await self.someone("wicca")
        await self.enter(crone, "first")
        await self.configure(crone, passwordprotectedroom=True, roomsecret="cauldronburn")
        self.assertIn("muc_passwordprotected", (await self.info(wicca))["features"])
        await self.refused("not-authorized", self.enter(wicca, "second"))
        await self.enter(wicca, "second", password="cauldronburn")

    async def test_a_room_is_destroyed(self):
        """§10.9; its name is not free for others at once."""
        crone, wicca, _ = await self.coven()
        await crone.muc.destroy(self.room, "Macbeth doth come.", f"darkcave@{SERVICE}")
        end = (await self.sees_gone(wicca, "second"))["muc"]["destroy"]
        self.assertEqual((end["jid"], end["reason"]), (f"darkcave@{SERVICE}", "Macbeth doth come."))
        await self.refused("gone", self.enter(wicca, "second"))
        await self.refused("gone", self.info(wicca))

    async def test_a_nickname_is_registered(self):
        """§7.10, §7.12."""
        crone, wicca, hag = await self.coven(allow_registration=True)
        form = (await wicca.plugin["xep_0077"].get_registration(self.room))["register"]["form"]
        self.assertTrue(form.get_fields()["muc#register_roomnick"]["required"])
        request = wicca.make_iq_set(ito=self.room)
        form.set_values({"muc#register_roomnick": "Second Witch"})
        form["type"] = "submit"
        request["register"].append(form)
        await request.send(timeout=DEADLINE_SECONDS)
        await self.sees(crone, "second", where=lambda p: item(p).get("affiliation") == "member")
        info = await self.info(wicca, node="x-roomuser-item")
        self.assertEqual([identity[3] for identity in info["identities"]], ["Second Witch"])
        await self.refused("conflict", self.enter(await self.someone("hecate"), "Second Witch"))


class Talking(Coven):
    async def test_all_hear_the_same_in_the_same_order(self):
        users = await self.coven()
        for n in range(10):
            for user in users:
                self.speak(user, f"{n} of {user.boundjid.user}")
        heard = []
        for user in users:
            messages = [await user.wait("groupchat_message") for _ in range(30)]
            heard.append([(message["from"], message["body"], message.xml.find(STANZA_ID).attrib) for message in messages])
            ids = {message.xml.find(OCCUPANT_ID).get("id") for message in messages}
            self.assertEqual(len(ids), 3, "XEP-0421")
        self.assertEqual(heard[0], heard[1])
        self.assertEqual(heard[0], heard[2])

    async def test_history(self):
        """§7.2.14; the subject comes last."""
        crone, wicca, _ = await self.coven()
        for n in range(5):
            self.speak(crone, f"number {n}")
            await self.hears(crone, f"number {n}")
        crone.muc.set_subject(self.room, "Fire burn and cauldron bubble")
        subject = await wicca.wait("groupchat_subject", where=lambda message: message["subject"])
        self.assertEqual((subject["subject"], subject["from"]), ("Fire burn and cauldron bubble", f"{self.room}/first"))
        hecate = await self.someone("hecate")
        for options, expected in [
            ({}, range(5)),
            ({"maxstanzas": 2}, range(3, 5)),
            ({"maxchars": 0}, []),
            ({"since": datetime.now(timezone.utc) - timedelta(hours=1)}, range(5)),
            ({"since": datetime.now(timezone.utc) + timedelta(hours=1)}, []),
        ]:
            with self.subTest(options=options):
                _, subject, others, history = await self.enter(hecate, "hecate", **options)
                self.assertEqual([message["body"] for message in history], [f"number {n}" for n in expected])
                self.assertEqual(subject["subject"], "Fire burn and cauldron bubble")
                self.assertLessEqual({"first", "second", "third"}, {presence["from"].resource for presence in others})
                hecate.muc.leave_muc(self.room, "hecate")
                await self.sees_gone(hecate, "hecate")

    async def test_who_may_change_the_subject(self):
        """§8.1."""
        crone, wicca, _ = await self.coven()
        wicca.muc.set_subject(self.room, "By the pricking of my thumbs")
        refusal = await wicca.wait("message_error")
        self.assertEqual(refusal["error"]["condition"], "forbidden")
        await self.configure(crone, changesubject=True)
        self.assertIn(104, codes(await wicca.wait("groupchat_config_status")))
        wicca.muc.set_subject(self.room, "By the pricking of my thumbs")
        await crone.wait("groupchat_subject", where=lambda message: message["subject"] == "By the pricking of my thumbs")

    async def test_another_nickname(self):
        """§7.6."""
        crone, wicca, hag = await self.coven()
        self.assertEqual(await wicca.muc.set_self_nick(self.room, "oldhag", timeout=DEADLINE_SECONDS), "oldhag")
        left = await self.sees_gone(hag, "second")
        self.assertEqual((codes(left), item(left).get("nick")), ({303}, "oldhag"))
        await self.sees(hag, "oldhag")
        # One that is taken.
        hag.add_event_handler(f"muc::{self.room}::presence-error", lambda presence: hag._note("refused", presence))
        hag.send_presence(pto=f"{self.room}/oldhag")
        refusal = await hag.wait("refused")
        self.assertEqual(refusal["error"]["condition"], "conflict")
        await self.refused("conflict", self.enter(await self.someone("hecate"), "first"))

    async def test_a_private_message(self):
        """§7.5."""
        crone, wicca, hag = await self.coven()
        wicca.say(f"{self.room}/third", "I'll give thee a wind.")
        heard = await hag.wait("message", where=lambda message: message["type"] == "chat")
        self.assertEqual((heard["from"], heard["body"]), (f"{self.room}/second", "I'll give thee a wind."))
        self.assertIsNotNone(heard.xml.find(f"{USER}x"))
        wicca.say(f"{self.room}/nobody", "Is anybody there?")
        self.assertEqual((await wicca.wait("message_error"))["error"]["condition"], "item-not-found")
        self.speak(wicca, "for all")
        await self.hears(crone, "for all")
        self.assertFalse([message for event, message in crone.seen if event == "message" and message["type"] == "chat"])

    async def test_several_sessions_of_one_account(self):
        """§7.2.8: one nickname."""
        crone, wicca, _ = await self.coven()
        phone = await self.user(wicca.boundjid.bare, plugins=PLUGINS).online()
        phone.muc = phone.plugin["xep_0045"]
        await self.enter(phone, "second")
        self.speak(crone, "Speak.")
        for device in [wicca, phone]:
            await self.hears(device, "Speak.")
        self.speak(phone, "Demand.")
        self.assertEqual((await self.hears(wicca, "Demand."))["from"], f"{self.room}/second")
        phone.muc.leave_muc(self.room, "second")
        await self.sees_gone(phone, "second")
        self.speak(wicca, "We'll answer.")
        await self.hears(crone, "We'll answer.")
        gone = [p for event, p in crone.seen if event == "groupchat_presence" and p["type"] == "unavailable"]
        self.assertEqual(gone, [], "she is still there")


class Inviting(Coven):
    async def test_mediated(self):
        """§7.8.2, and a decline."""
        crone, wicca, hag = await self.coven(membersonly=True, whois="anyone")
        hecate = await self.someone("hecate")
        crone.muc.invite(self.room, hecate.boundjid.bare, "Hey Hecate, this is the place for all good witches!")
        invitation = await hecate.wait("groupchat_invite")
        invite = invitation["muc"]["invite"]
        self.assertEqual(invitation["from"], self.room)
        self.assertEqual(JID(invite["from"]).bare, crone.boundjid.bare)
        self.assertEqual(invite["reason"], "Hey Hecate, this is the place for all good witches!")
        # Those who are there know it before she comes, and may encrypt for her.
        told = await wicca.wait("groupchat_affiliation_change", where=lambda m: item(m).get("jid") == hecate.boundjid.bare)
        self.assertEqual(item(told).get("affiliation"), "member")
        presence, *_ = await self.enter(hecate, "hecate")
        self.assertEqual(item(presence).get("affiliation"), "member")

        # slixmpp looks for the room in the wrong place before it tells of a decline.
        crone.register_handler(
            Callback("Declined", StanzaPath("message/muc/decline"), lambda message: crone._note("declined", message))
        )
        macbeth = await self.someone("macbeth")
        crone.muc.invite(self.room, macbeth.boundjid.bare)
        await macbeth.wait("groupchat_invite")
        macbeth.muc.decline(self.room, crone.boundjid.bare, "Sorry, I'm too busy right now.")
        decline = (await crone.wait("declined"))["muc"]["decline"]
        self.assertEqual((JID(decline["from"]).bare, decline["reason"]), (macbeth.boundjid.bare, "Sorry, I'm too busy right now."))

    async def test_direct(self):
        """XEP-0249."""
        crone, wicca, _ = await self.coven()
        hecate = await self.someone("hecate")
        wicca.plugin["xep_0249"].send_invitation(hecate.boundjid.bare, self.room, reason="The night grows old.")
        invitation = await hecate.wait("groupchat_direct_invite")
        invite = invitation["groupchat_invite"]
        self.assertEqual((invitation["from"], invite["jid"]), (wicca.boundjid, self.room))
        self.assertEqual(invite["reason"], "The night grows old.")
        await self.enter(hecate, "hecate")


class Moderating(Coven):
    async def test_kick_and_ban(self):
        """§8.2, §9.1, §9.2."""
        crone, wicca, hag = await self.coven()
        await self.refused("forbidden", wicca.muc.set_role(self.room, "third", "none"))
        await crone.muc.set_role(self.room, "third", "none", reason="Avaunt, you cullion!")
        for user, expected in [(hag, {110, 307}), (wicca, {307})]:
            presence = await self.sees_gone(user, "third")
            why = item(presence)
            self.assertEqual((codes(presence), why.findtext(f"{USER}reason")), (expected, "Avaunt, you cullion!"))
            self.assertEqual(why.find(f"{USER}actor").get("nick"), "first")
        await self.enter(hag, "third")
        await crone.muc.set_affiliation(self.room, "outcast", jid=hag.boundjid.bare, reason="Treason")
        self.assertEqual(codes(await self.sees_gone(hag, "third")), {110, 301})
        await self.refused("forbidden", self.enter(hag, "third"))
        self.assertEqual(await crone.muc.get_affiliation_list(self.room, "outcast"), [hag.boundjid.bare])
        await crone.muc.set_affiliation(self.room, "none", jid=hag.boundjid.bare)
        await self.enter(hag, "third")

    async def test_voice(self):
        """§8.3, §8.4, and §8.6: it is asked for."""
        crone, wicca, hag = await self.coven(moderatedroom=True)
        self.assertEqual(crone.muc.get_jid_property(self.room, "third", "role"), "visitor")
        self.speak(hag, "Why?")
        refusal = await hag.wait("message_error")
        self.assertEqual(refusal["error"]["condition"], "forbidden")
        hag.muc.request_voice(self.room, "participant")
        form = (await crone.wait("message_xform"))["form"]
        self.assertEqual(form.get_values()["muc#roomnick"], "third")
        form["type"] = "submit"
        form.set_values({"muc#request_allow": True})
        answer = crone.make_message(self.room)
        answer.append(form)
        answer.send()
        await self.sees(hag, "third", where=lambda p: item(p).get("role") == "participant" and 110 in codes(p))
        self.speak(hag, "Thrice to mine.")
        await self.hears(wicca, "Thrice to mine.")
        self.assertEqual(await crone.muc.get_roles_list(self.room, "visitor"), ["second"])
        await crone.muc.set_role(self.room, "third", "visitor")
        await self.sees(hag, "third", where=lambda p: item(p).get("role") == "visitor" and 110 in codes(p))

    async def test_members_admins_and_owners(self):
        """§9.3, §9.5, §10.3, §10.6."""
        crone, wicca, hag = await self.coven()
        nurse = self.server.new_account("nurse")
        lists = [(nurse, "member"), (wicca.boundjid.bare, "admin"), (hag.boundjid.bare, "owner")]
        await crone.muc.send_affiliation_list(self.room, lists)
        await self.sees(wicca, "second", where=lambda p: standing(p) == ("admin", "moderator"))
        await self.sees(hag, "third", where=lambda p: item(p).get("affiliation") == "owner")
        # Of somebody who is not there, a message tells who sees addresses.
        told = await crone.wait("groupchat_affiliation_change")
        self.assertEqual((item(told).get("jid"), item(told).get("affiliation")), (nurse, "member"))
        self.assertEqual(await wicca.muc.get_affiliation_list(self.room, "member"), [nurse])
        self.assertEqual(await hag.muc.get_affiliation_list(self.room, "admin"), [wicca.boundjid.bare])
        owners = {crone.boundjid.bare, hag.boundjid.bare}
        self.assertEqual(set(await hag.muc.get_affiliation_list(self.room, "owner")), owners)
        await self.refused("forbidden", wicca.muc.set_affiliation(self.room, "none", jid=hag.boundjid.bare))
        # Somebody has to be owner.
        await hag.muc.set_affiliation(self.room, "none", jid=crone.boundjid.bare)
        await self.refused("conflict", hag.muc.set_affiliation(self.room, "none", jid=hag.boundjid.bare))

    async def test_a_message_is_moderated(self):
        """XEP-0425: a tombstone is left."""
        crone, wicca, hag = await self.coven()
        self.speak(hag, "Free magic potions!")
        told = {name: await self.hears(user, "Free magic potions!") for name, user in [("crone", crone), ("wicca", wicca)]}
        stone = told["crone"].xml.find(STANZA_ID)
        self.assertEqual(stone.get("by"), self.room)
        await self.refused("forbidden", wicca.plugin["xep_0425"].moderate(self.room, stone.get("id")))
        await crone.plugin["xep_0425"].moderate(self.room, stone.get("id"), "advertising")
        for user in [crone, wicca, hag]:
            retraction = await user.wait("moderated_message")
            self.assertEqual(retraction["from"], self.room)
            self.assertEqual((retraction["retract"]["id"], retraction["retract"]["reason"]), (stone.get("id"), "advertising"))
            self.assertEqual(retraction["retract"]["moderated"]["by"], f"{self.room}/first")
        messages = [message async for message in self.archive(wicca)]
        self.assertEqual([message["body"] for message in messages], ["", ""], "the tombstone, and who put it there")
        self.assertEqual(messages[0]["retracted"]["moderated"]["by"], f"{self.room}/first")
        *_, history = await self.enter(await self.someone("hecate"), "hecate")
        self.assertNotIn("Free magic potions!", [message["body"] for message in history])

    async def test_a_message_is_taken_back_by_who_wrote_it(self):
        """XEP-0424, for others but not for the messages of others."""
        crone, wicca, hag = await self.coven()
        self.speak(hag, "The thane of Fife had a wife")
        heard = (await self.hears(wicca, "The thane of Fife had a wife")).xml.find(STANZA_ID).get("id")
        wicca.plugin["xep_0424"].send_retraction(self.room, heard, "groupchat")
        await hag.wait("message_retract", where=lambda message: message["from"].resource == "second")
        hag.plugin["xep_0424"].send_retraction(self.room, heard, "groupchat")
        retraction = await wicca.wait("message_retract", where=lambda message: message["from"].resource == "third")
        self.assertEqual(retraction["retract"]["id"], heard)
        messages = [message async for message in self.archive(wicca)]
        self.assertEqual(messages[0]["body"], "")
        self.assertIsNotNone(messages[0].xml.find("{urn:xmpp:message-retract:1}retracted"))

    async def archive(self, user, **options):
        async for message in user.plugin["xep_0313"].iterate(jid=self.room, **options):
            yield message["mam_result"]["forwarded"]["stanza"]


class Remembering(Coven):
    async def test_the_archive_page_by_page(self):
        """XEP-0313."""
        crone, wicca, hag = await self.coven()
        for n in range(25):
            self.speak(crone if n % 2 else hag, f"number {n}")
            await self.hears(wicca, f"number {n}")
        expected = [f"number {n}" for n in range(25)]

        async def read(user, **options):
            pages = user.plugin["xep_0313"].iterate(jid=self.room, **options)
            return [message["mam_result"]["forwarded"]["stanza"] async for message in pages]

        messages = await read(wicca, rsm={"max": 10})
        self.assertEqual([message["body"] for message in messages], expected)
        self.assertEqual([message["from"].resource for message in messages[:2]], ["third", "first"])
        self.assertIsNone(messages[0].xml.find(f"{USER}x"), "the room is semi-anonymous")
        backwards = await read(wicca, rsm={"max": 10}, reverse=True)
        self.assertEqual([message["body"] for message in backwards], expected[::-1])
        self.assertEqual(await read(wicca, start=datetime.now(timezone.utc) + timedelta(hours=1)), [])
        # The owner sees who it was.
        self.assertEqual(item((await read(crone, total=1))[0]).get("jid"), hag.boundjid.full)
        metadata = (await wicca.plugin["xep_0313"].get_archive_metadata(self.room))["mam_metadata"]
        self.assertLess(metadata["start"]["timestamp"], metadata["end"]["timestamp"])
        self.assertIn("after-id", (await wicca.plugin["xep_0313"].get_fields(self.room)).get_fields())
        # Somebody who was never there may read what is open to all, but nothing of a room for members.
        hecate = await self.someone("hecate")
        self.assertEqual(len(await read(hecate, total=5)), 5)
        await self.configure(crone, membersonly=True)
        # `iterate` ends at a refusal as at the end.
        await self.refused("forbidden", hecate.plugin["xep_0313"].retrieve(self.room, timeout=DEADLINE_SECONDS))


    async def test_everything_is_asked_at_once(self):
        """Conversations waits for nothing: it enters, and asks for the archive and the lists of a private group right behind."""
        crone, wicca, hag = await self.coven(membersonly=True, whois="anyone")
        for n in range(3):
            self.speak(crone, f"number {n}")
            await self.hears(crone, f"number {n}")
        self.assertLessEqual({"muc_membersonly", "muc_nonanonymous"}, (await self.info(hag))["features"], "it encrypts here")
        hag.muc.leave_muc(self.room, "third")
        await self.sees_gone(hag, "third")
        since = datetime.now(timezone.utc) - timedelta(hours=1)
        entered, page, *lists = await asyncio.gather(
            self.enter(hag, "third", maxstanzas=0),
            hag.plugin["xep_0313"].retrieve(self.room, start=since, rsm={"max": 50}, timeout=DEADLINE_SECONDS),
            *(hag.muc.get_affiliation_list(self.room, affiliation) for affiliation in ["owner", "admin", "member"]),
        )
        self.assertEqual(([], standing(entered[0])), (entered[3], ("member", "participant")))
        bodies = [message["mam_result"]["forwarded"]["stanza"]["body"] for message in page["mam"]["results"]]
        self.assertEqual(bodies, [f"number {n}" for n in range(3)])
        self.assertEqual([sorted(one) for one in lists], [[crone.boundjid.bare], [], sorted([wicca.boundjid.bare, hag.boundjid.bare])])


class Pinging(Coven):
    async def test_self_ping(self):
        """XEP-0410."""
        crone, wicca, _ = await self.coven()
        ping = wicca.plugin["xep_0410"].send_self_ping
        self.assertIn("http://jabber.org/protocol/muc#self-ping-optimization", (await self.info(wicca))["features"])
        me = JID(f"{self.room}/second")
        self.assertEqual(await ping(me, timeout=DEADLINE_SECONDS), PingStatus.JOINED)
        self.assertLess(await wicca.plugin["xep_0199"].ping(JID(f"{self.room}/first")), DEADLINE_SECONDS, "the other's client")
        await crone.muc.set_role(self.room, "second", "none")
        await self.sees_gone(wicca, "second")
        self.assertEqual(await ping(me, timeout=DEADLINE_SECONDS), PingStatus.DISCONNECTED)


class Uploading(Coven):
    async def test_a_file_for_the_room(self):
        """XEP-0363 and XEP-0066: one uploads, another fetches."""
        crone, wicca, _ = await self.coven("xep_0066", "xep_0363")
        # At slixmpp's import: what is not installed fails here.
        from aiohttp import ClientSession, TCPConnector

        trusting = ssl.create_default_context(cafile=self.server.ca)

        def session(**options):
            return ClientSession(connector=TCPConnector(ssl=trusting), **options)

        cauldron = os.urandom(100_000)
        with unittest.mock.patch("slixmpp.plugins.xep_0363.http_upload.ClientSession", session):
            url = await crone.plugin["xep_0363"].upload_file("the cauldron.bin", input_file=io.BytesIO(cauldron))
        message = crone.make_message(self.room, mbody=url, mtype="groupchat")
        message["oob"]["url"] = url
        message.send()
        heard = await self.hears(wicca, url)
        self.assertEqual(heard["oob"]["url"], url)
        async with session() as fetching, fetching.get(heard["oob"]["url"]) as answer:
            self.assertEqual((answer.status, await answer.read()), (200, cauldron))
        # It is in the archive for who comes later.
        *_, history = await self.enter(await self.someone("hecate"), "hecate", maxstanzas=1)
        self.assertEqual(history[0]["oob"]["url"], url)


if __name__ == "__main__":
    unittest.main()
