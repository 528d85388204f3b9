"""nbxmpp in rooms: what Gajim asks of one when it makes it, invites to it, enters it, reads it and looks after it."""

import datetime
import hashlib
import os
import secrets
import unittest

import test_nbxmpp
from support import DOMAIN
from test_nbxmpp import nbxmpp, until

if nbxmpp:
    from nbxmpp.const import InviteType, StatusCode
    from nbxmpp.errors import StanzaError
    from nbxmpp.modules.vcard_temp import VCard
    from nbxmpp.namespaces import Namespace
    from nbxmpp.protocol import JID, Message, Presence
    from nbxmpp.structs import StanzaHandler

SERVICE = f"conference.{DOMAIN}"
DEFAULTS = {
    "muc#roomconfig_allowinvites": True,
    "muc#roomconfig_allowpm": "anyone",
    "muc#roomconfig_changesubject": False,
    "muc#roomconfig_enablelogging": False,
    "muc#roomconfig_membersonly": True,
    "muc#roomconfig_moderatedroom": False,
    "muc#roomconfig_passwordprotectedroom": False,
    "muc#roomconfig_persistentroom": True,
    "muc#roomconfig_publicroom": False,
    "muc#roomconfig_whois": "moderators",
    "muc#roomconfig_enablearchiving": True,
}
"""What Gajim fills in for a private room."""


class Occupant:
    """Somebody in a room. What they see is kept by `User`, and presence here."""

    def __init__(self, user, room, nick):
        self.user, self.room, self.nick, self.presence = user, room, nick, []
        self.address = room.new_with(resource=nick)
        handler = StanzaHandler(name="presence", callback=lambda _client, _stanza, seen: self.presence.append(seen), priority=60)
        user.client.register_handler(handler)

    def __getattr__(self, name):
        return getattr(self.user, name)

    def enter(self):
        """History comes from the archive."""
        presence = Presence(to=self.address)
        presence.setTag(f"{Namespace.MUC} x").setTag("history", {"maxchars": "0"})
        self.user.client.send_stanza(presence)
        return self

    def is_in(self):
        """Only with the subject it is (Gajim says)."""
        own = self.sees(self.nick, lambda seen: seen.is_muc_self_presence)
        subject = self.user.hear(lambda seen: seen.is_muc_subject and seen.jid.bare_match(self.room))[1]
        return own, subject.muc_subject

    def sees(self, nick, where=lambda seen: True):
        """The next presence of an occupant."""

        def found():
            return [seen for seen in self.presence if seen.jid == self.room.new_with(resource=nick) and where(seen)]

        until(found, lambda: f"presence of {nick}; {self.user.jid} saw {self.presence}")
        self.presence.remove(seen := found()[0])
        return seen

    def speak(self, text):
        self.user.client.send_stanza(Message(to=self.room, body=text, typ="groupchat"))

    def hears(self, text):
        return self.user.hear(lambda seen: seen.type.is_groupchat and seen.body == text)[1]

    def muc(self, name, *args, **kwargs):
        return self.user.result(getattr(self.user.module("MUC"), name)(self.room, *args, **kwargs))

    def info(self):
        return self.muc("request_info", request_vcard=True)


@unittest.skipUnless(nbxmpp or os.environ.get("TEST_REQUIRE_ALL"), "nbxmpp needs python3-gi and gir1.2-soup-3.0")
class Rooms(test_nbxmpp.Case):
    def setUp(self):
        super().setUp()
        self.room = JID.from_string(f"coven-{secrets.token_hex(4)}@{SERVICE}")

    def occupant(self, name, nick):
        return Occupant(self.newcomer(name).online(), self.room, nick)

    def refused(self, condition, task, *args, **kwargs):
        with self.assertRaises(StanzaError) as refusal:
            task(*args, **kwargs)
        self.assertEqual(refusal.exception.condition, condition)

    def owner(self, **config):
        """Somebody in a new room that is as Gajim makes them."""
        crone = self.occupant("crone", "first")
        self.refused("item-not-found", crone.info)
        crone.enter()
        self.assertTrue(crone.is_in()[0].is_new_room)
        form = crone.muc("request_config").form
        for name, value in {**DEFAULTS, **config}.items():
            form[name].value = value
        crone.muc("set_config", form)
        return crone

    def invited(self, crone, name, nick):
        """§9.5: a member first, then the invitation."""
        other = self.occupant(name, nick)
        crone.muc("set_affiliation", {other.user.jid: {"affiliation": "member"}})
        reason = "The night is young"
        crone.module("MUC").invite(self.room, other.user.jid, None, reason, False, InviteType.DIRECT)
        invitation = other.hear(lambda seen: seen.muc_invite and seen.muc_invite.type == InviteType.DIRECT)[1].muc_invite
        self.assertEqual((invitation.muc, invitation.reason), (self.room, reason))
        other.enter().is_in()
        crone.sees(nick)
        return other

    def test_a_room_is_made_and_entered_and_read(self):
        crone = self.owner(**{"muc#roomconfig_roomname": "A Dark Cave"})
        info = crone.info().info
        self.assertEqual((info.muc_name, info.muc_identity_name), ("A Dark Cave", "A Dark Cave"))
        self.assertTrue(info.is_muc and info.has_mam_2 and info.muc_is_persistent and info.muc_is_members_only)
        self.assertTrue(info.muc_is_hidden and info.muc_is_semianonymous and info.muc_allows_invites)
        self.assertEqual((info.moderation_namespace, info.roomconfig_allowpm), (Namespace.MESSAGE_MODERATE_1, "anyone"))
        crone.module("MUC").set_subject(self.room, "Fire burn")
        crone.hear(lambda seen: seen.is_muc_subject and seen.muc_subject.text == "Fire burn")
        for n in range(5):
            crone.speak(f"number {n}")
            crone.hears(f"number {n}")

        macbeth = self.occupant("macbeth", "thane").enter()
        refusal = macbeth.sees("thane", lambda seen: seen.type.is_error)
        self.assertEqual(refusal.error.condition, "registration-required")
        wicca = self.invited(crone, "wicca", "third")
        # Asked for right behind entering, as of the last day.
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        page = wicca.result(wicca.module("MAM").make_query(self.room, queryid="q", start=start, max_=50))
        self.assertTrue(page.complete)
        read = [seen for _, seen in wicca.messages if seen.is_mam_message]
        self.assertEqual([seen.body for seen in read if seen.body], [f"number {n}" for n in range(5)])
        self.assertEqual({(seen.mam.archive, str(seen.jid)) for seen in read}, {(self.room, f"{self.room}/first")})
        wicca.messages.clear()
        wicca.speak("Double, double")
        for user in [crone, wicca]:
            seen = user.hears("Double, double")
            self.assertEqual([str(one.by) for one in seen.stanza_ids], [str(self.room)])
            self.assertTrue(seen.occupant_id and seen.muc_nickname == "third")
        # What the archive has since then.
        after = wicca.result(wicca.module("MAM").make_query(self.room, queryid="r", after=page.rsm.last))
        self.assertEqual([seen.body for _, seen in wicca.messages if seen.is_mam_message], ["Double, double"])
        self.assertTrue(after.complete)

    def test_who_is_in_the_way_is_told_so(self):
        crone = self.owner(**{"muc#roomconfig_membersonly": False})
        hag = self.invited(crone, "hag", "third")
        rival = self.occupant("rival", "third")
        rival.enter()
        refusal = rival.sees("third", lambda seen: seen.type.is_error)
        self.assertEqual((refusal.error.condition, refusal.from_muc), ("conflict", True))
        rival.nick, rival.address = "third_", self.room.new_with(resource="third_")
        rival.enter().is_in()
        hag.sees("third_")

        crone.muc("set_role", "third", "none", "Avaunt")
        out = hag.sees("third", lambda seen: seen.type.is_unavailable)
        self.assertTrue(out.is_muc_self_presence and out.is_kicked)
        self.assertEqual((out.muc_user.reason, out.muc_user.actor), ("Avaunt", "first"))
        self.assertEqual(out.muc_status_codes, {StatusCode.SELF, StatusCode.REMOVED_KICKED})
        self.refused("not-acceptable", hag.result, hag.module("Ping").ping(hag.address))
        rival.result(rival.module("Ping").ping(rival.address))
        # Gajim unregisters whoever leaves for good; the room must answer.
        self.refused("not-allowed", rival.result, rival.module("Register").unregister(self.room))

    def test_a_message_is_moderated(self):
        crone = self.owner()
        hag = self.invited(crone, "hag", "third")
        hag.speak("Free magic potions!")
        stanza_id = crone.hears("Free magic potions!").stanza_ids[0].id
        hag.hears("Free magic potions!")
        crone.module("MUC").moderate_message(Namespace.MESSAGE_MODERATE_1, self.room, stanza_id, "advertising")
        for user in [crone, hag]:
            seen = user.hear(lambda seen: seen.is_moderation)[1].moderation
            self.assertEqual((seen.stanza_id, seen.reason, seen.is_tombstone), (stanza_id, "advertising", False))
            self.assertEqual(str(seen.by), f"{self.room}/first")
        hag.result(hag.module("MAM").make_query(self.room, queryid="q"))
        stone = hag.hear(lambda seen: seen.is_moderation and seen.moderation.is_tombstone)[1].moderation
        self.assertEqual((stone.stanza_id, stone.reason), (stanza_id, "advertising"))

    def test_lists_and_an_avatar(self):
        crone = self.owner(**{"muc#roomconfig_whois": "anyone"})
        hag = self.invited(crone, "hag", "third")
        for affiliation, who in [("owner", crone), ("member", hag)]:
            users = hag.result(hag.module("MUC").get_affiliation(self.room, affiliation)).users
            self.assertEqual(list(users), [who.user.jid])
        nurse = JID.from_string(self.server.new_account("nurse"))
        crone.muc("set_affiliation", {nurse: {"affiliation": "member"}})
        told = hag.hear(lambda seen: seen.muc_user is not None and seen.muc_user.jid == nurse)[1]
        self.assertTrue(told.muc_user.affiliation.is_member)

        image = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
        card = VCard()
        card.set_avatar(image, "image/png")
        crone.result(crone.module("VCardTemp").set_vcard(card, jid=self.room))
        hag.hear(lambda seen: seen.is_muc_config_change)
        found = hag.info()
        sha = hashlib.sha1(image).hexdigest()
        self.assertEqual(found.vcard.get_avatar(), (image, sha))
        self.assertEqual(found.info.get_field_value(Namespace.MUC_INFO, "muc#roominfo_avatarhash"), sha)

    def test_a_room_moves(self):
        crone = self.owner()
        hag = self.invited(crone, "hag", "third")
        old, self.room = self.room, JID.from_string(f"heath-{secrets.token_hex(4)}@{SERVICE}")
        heath = self.owner(**{"muc#roomconfig_membersonly": False, "muc#roomconfig_roomname": "The Heath"})
        crone.muc("destroy", "too small", str(heath.room))
        end = hag.sees("third", lambda seen: seen.is_muc_destroyed)
        self.assertEqual(end.muc_destroyed.alternate, heath.room)
        found = hag.result(hag.module("MUC").request_info(old, allow_redirect=True))
        self.assertTrue(found.redirected)
        self.assertEqual((found.info.jid, found.info.muc_name), (heath.room, "The Heath"))

    def test_rooms_are_looked_for(self):
        name = f"cave{secrets.token_hex(4)}"
        crone = self.owner(**{"muc#roomconfig_publicroom": True, "muc#roomconfig_roomname": f"Dark {name}"})
        search = crone.module("Muclumbus")
        form = crone.result(search.request_parameters(SERVICE))
        form.type_ = "submit"
        form["q"].value = name
        (found,) = crone.result(search.set_search(SERVICE, form)).items
        self.assertEqual((found.jid, found.name, found.nusers), (str(self.room), f"Dark {name}", "1"))


if __name__ == "__main__":
    unittest.main()
