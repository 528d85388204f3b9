"""slixmpp against the server: log in every way it can, an evening among friends, and the plugins."""

import ssl
import unittest
from datetime import datetime, timedelta, timezone

from slixmpp.exceptions import IqError
from slixmpp.plugins import xep_0082
from slixmpp.plugins.xep_0049.stanza import PrivateXML
from slixmpp.xmlstream import ElementBase, register_stanza_plugin
from support import DEADLINE_SECONDS, DOMAIN, PASSWORD, Case

DOORS = [("STARTTLS", False), ("direct TLS", True)]


class LogIn(Case):
    async def test_every_mechanism_through_both_doors(self):
        jid = self.server.new_account("romeo")
        for door, direct in DOORS:
            for mechanism in [None, "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]:
                with self.subTest(door=door, mechanism=mechanism):
                    romeo = await self.user(jid, direct=direct, mechanism=mechanism).log_in()
                    self.assertEqual(romeo.boundjid.bare, jid)
                    used = romeo.plugin["feature_mechanisms"].mech.name
                    self.assertTrue(used == mechanism or mechanism is None and used.startswith("SCRAM-"), used)
                    self.assertIn(romeo.socket.version(), ["TLSv1.3", "TLSv1.2"])
                    await romeo.leave()

    async def test_tls_1_2(self):
        jid = self.server.new_account("romeo")
        for door, direct in DOORS:
            with self.subTest(door=door):
                romeo = self.user(jid, direct=direct)
                romeo.ssl_context.maximum_version = ssl.TLSVersion.TLSv1_2
                await romeo.log_in()
                self.assertEqual(romeo.socket.version(), "TLSv1.2")
                self.assertTrue(romeo.plugin["feature_mechanisms"].mech.name.startswith("SCRAM-"))
                await romeo.leave()

    async def test_the_resource_asked_for(self):
        romeo = await self.user(self.server.new_account("romeo") + "/orchard").log_in()
        self.assertEqual(romeo.boundjid.resource, "orchard")

    async def test_a_wrong_password_and_an_unknown_user_look_the_same(self):
        conditions = []
        for jid in [self.server.new_account("romeo"), f"nobody@{DOMAIN}"]:
            user = self.user(jid, "wrong", mechanism="SCRAM-SHA-256")
            await user.start()
            conditions.append((await user.wait("failed_auth"))["condition"])
            await user.leave()
        self.assertEqual(conditions, ["not-authorized", "not-authorized"])

    async def test_a_certificate_of_an_unknown_authority_is_noticed(self):
        # Without this the tests above could pass with a client that verifies nothing.
        for (door, direct), complaint in zip(DOORS, ["ssl_invalid_chain", "connection_failed"]):
            with self.subTest(door=door):
                romeo = self.user(self.server.new_account("romeo"), direct=direct)
                romeo.ca_certs = None
                await romeo.start()
                self.assertIsInstance(await romeo.wait(complaint), ssl.SSLCertVerificationError)
                romeo.cancel_connection_attempt()
                romeo.abort()

    async def test_limits_are_announced(self):
        romeo = await self.newcomer("romeo").log_in()
        self.assertGreaterEqual(romeo.limits.max_bytes, 10000, "RFC 6120 §13.12, XEP-0478")


class Evening(Case):
    async def test_over_starttls(self):
        await self.evening(direct=False)

    async def test_over_direct_tls(self):
        await self.evening(direct=True)

    async def evening(self, direct):
        romeo = await self.newcomer("romeo", direct=direct).online()
        juliet = await self.newcomer("juliet", direct=direct).online()
        await romeo.befriend(juliet)

        romeo.send_presence(pshow="away", pstatus="in the garden", ppriority=3)
        seen = await juliet.wait("presence_away")
        self.assertEqual((seen["from"], seen["status"], seen["priority"]), (romeo.boundjid, "in the garden", 3))

        text = "O Juliet <&> \"ẞ 🦜\"\nsecond line"
        romeo.say(juliet.boundjid.bare, text)
        self.assertEqual(await juliet.hear(), (romeo.boundjid.full, text, False))
        juliet.say(romeo.boundjid.full, "Ay me")
        self.assertEqual(await romeo.hear(), (juliet.boundjid.full, "Ay me", False))

        await juliet.leave()
        await romeo.wait("presence_unavailable", where=lambda p: p["from"].bare == juliet.boundjid.bare)
        for n in range(3):
            romeo.say(juliet.boundjid.bare, f"missed {n}")
        # The answer says that the server has everything sent before it.
        await self.ping(romeo)
        await self.return_of_juliet(romeo, juliet.boundjid.bare, direct)

    async def return_of_juliet(self, romeo, bare, direct):
        juliet = await self.user(bare, direct=direct).online()
        roster = juliet.client_roster
        self.assertEqual(roster[romeo.boundjid.bare]["subscription"], "both")
        self.assertEqual(romeo.client_roster[bare]["groups"], ["Friends"])
        for n in range(3):
            self.assertEqual(await juliet.hear(), (romeo.boundjid.full, f"missed {n}", True))
        await romeo.wait("presence_available", where=lambda p: p["from"] == juliet.boundjid)
        await juliet.leave()

        juliet = await self.user(bare, direct=direct).online()
        romeo.say(bare, "not missed")
        self.assertEqual(await juliet.hear(), (romeo.boundjid.full, "not missed", False), "nothing comes twice")

        romeo.del_roster_item(bare)
        await juliet.sees(romeo.boundjid.bare, "none")
        await romeo.until(lambda: not romeo.client_roster.has_jid(bare), "the contact removed")

    async def ping(self, user):
        await user.make_iq_get(queryxmlns="jabber:iq:version", ito=DOMAIN).send(timeout=DEADLINE_SECONDS)


class Plugins(Case):
    async def test_xep_0030_service_discovery(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0030"]).online()
        info = (await romeo.plugin["xep_0030"].get_info(jid=DOMAIN))["disco_info"]
        self.assertIn(("server", "im"), {identity[:2] for identity in info["identities"]})
        for feature in ["http://jabber.org/protocol/disco#info", "jabber:iq:version", "urn:xmpp:ping", "urn:xmpp:time"]:
            self.assertIn(feature, info["features"])
        items = await romeo.plugin["xep_0030"].get_items(jid=DOMAIN)
        self.assertIn((f"pubsub.{DOMAIN}", None, "Publish-Subscribe"), items["disco_items"]["items"])
        info = (await romeo.plugin["xep_0030"].get_info(jid=romeo.boundjid.bare))["disco_info"]
        self.assertIn(("account", "registered"), {identity[:2] for identity in info["identities"]})

    async def test_xep_0030_between_friends_only(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0030"]).online()
        juliet = await self.newcomer("juliet", plugins=["xep_0030"]).online()
        with self.assertRaises(IqError) as refusal:
            await romeo.plugin["xep_0030"].get_info(jid=juliet.boundjid.bare)
        self.assertEqual(refusal.exception.condition, "service-unavailable")
        await romeo.befriend(juliet)
        info = await romeo.plugin["xep_0030"].get_info(jid=juliet.boundjid.bare)
        self.assertIn(("account", "registered"), {identity[:2] for identity in info["disco_info"]["identities"]})
        info = await romeo.plugin["xep_0030"].get_info(jid=juliet.boundjid.full)
        self.assertIn("http://jabber.org/protocol/disco#info", info["disco_info"]["features"], "juliet's client says")

    async def test_xep_0012_last_activity(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0012"]).online()
        juliet = await self.newcomer("juliet").online()
        uptime = await romeo.plugin["xep_0012"].get_last_activity(DOMAIN)
        self.assertGreaterEqual(int(uptime["last_activity"]["seconds"]), 0)
        await romeo.befriend(juliet)
        await juliet.leave()
        await romeo.wait("presence_unavailable", where=lambda p: p["from"].bare == juliet.boundjid.bare)
        gone = await romeo.plugin["xep_0012"].get_last_activity(juliet.boundjid.bare)
        self.assertLess(int(gone["last_activity"]["seconds"]), 60)

    async def test_xep_0092_version(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0092"]).online()
        version = (await romeo.plugin["xep_0092"].get_version(DOMAIN))["software_version"]
        self.assertEqual(version["name"], "Magpie")
        self.assertRegex(version["version"], r"^\d+\.\d+\.\d+")
        self.assertFalse(version["os"], "the operating system is hidden unless asked for")

    async def test_xep_0199_ping(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0199"]).online()
        juliet = await self.newcomer("juliet", plugins=["xep_0199"]).online()
        for to in [DOMAIN, romeo.boundjid.bare, juliet.boundjid.full]:
            with self.subTest(to=to):
                self.assertLess(await romeo.plugin["xep_0199"].ping(to), 20)

    async def test_xep_0202_entity_time(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0202"]).online()
        answer = (await romeo.plugin["xep_0202"].get_entity_time(DOMAIN))["entity_time"]
        # Not answer["utc"]: slixmpp 1.17.0 puts a second Z behind the one that is there.
        utc = xep_0082.parse(answer.xml.findtext("{urn:xmpp:time}utc"))
        self.assertLess(abs(utc - datetime.now(timezone.utc)), timedelta(minutes=1))
        self.assertRegex(answer.xml.findtext("{urn:xmpp:time}tzo"), r"^(Z|[+-]\d\d:\d\d)$")

    async def test_xep_0054_vcard(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0054"]).online()
        juliet = await self.newcomer("juliet", plugins=["xep_0054"]).online()
        vcard = romeo.plugin["xep_0054"].make_vcard()
        vcard["FN"] = "Romeo Montague <&>"
        vcard["NICKNAME"] = "Romeo"
        photo = bytes(range(256)) * 16
        vcard["PHOTO"]["TYPE"], vcard["PHOTO"]["BINVAL"] = "image/png", photo
        await romeo.plugin["xep_0054"].publish_vcard(vcard)
        for user, jid in [(romeo, None), (juliet, romeo.boundjid.bare)]:
            got = (await user.plugin["xep_0054"].get_vcard(jid, cached=False))["vcard_temp"]
            self.assertEqual(got["FN"], "Romeo Montague <&>")
            self.assertEqual(got["PHOTO"]["BINVAL"], photo)

    async def test_xep_0049_private_storage(self):
        register_stanza_plugin(PrivateXML, Notes)
        jid = self.server.new_account("romeo")
        romeo = await self.user(jid, plugins=["xep_0049"]).online()
        notes = Notes()
        notes["text"] = "buy poison <&>"
        await romeo.plugin["xep_0049"].store(notes)
        await romeo.leave()
        romeo = await self.user(jid, plugins=["xep_0049"]).online()
        kept = await romeo.plugin["xep_0049"].retrieve("notes")
        self.assertEqual(kept["private"]["notes"]["text"], "buy poison <&>")

    async def test_xep_0077_change_of_password_and_end_of_an_account(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0077"]).online()
        jid = romeo.boundjid.bare
        form = (await romeo.plugin["xep_0077"].get_registration())["register"]
        self.assertTrue(form["registered"])
        self.assertEqual(form["username"], jid.split("@")[0])
        await romeo.plugin["xep_0077"].change_password("better horse")
        await romeo.leave()

        old = self.user(jid, PASSWORD, mechanism="SCRAM-SHA-256")
        await old.start()
        await old.wait("failed_auth")
        await old.leave()
        romeo = await self.user(jid, "better horse", plugins=["xep_0077"]).online()

        romeo.plugin["xep_0077"].cancel_registration().add_done_callback(lambda answer: answer.exception())
        await romeo.wait("disconnected")
        romeo = self.user(jid, "better horse", mechanism="SCRAM-SHA-256")
        await romeo.start()
        await romeo.wait("failed_auth")

    async def test_xep_0077_registration(self):
        taken = self.server.new_account("romeo").split("@")[0]
        fresh = f"fresh-{taken}"
        newcomer = self.user(f"{fresh}@{DOMAIN}", plugins=["xep_0004", "xep_0066", "xep_0077"])
        outcome = []

        async def fill_in(form):
            outcome.append({"username", "password"} <= form["register"]["fields"])
            for name in [taken, fresh]:
                iq = newcomer.make_iq_set()
                iq["register"]["username"], iq["register"]["password"] = name, PASSWORD
                try:
                    await iq.send(timeout=DEADLINE_SECONDS)
                    outcome.append("registered")
                except IqError as refusal:
                    outcome.append(refusal.condition)

        # slixmpp goes on to log in when this is done.
        newcomer.add_event_handler("register", fill_in)
        await newcomer.start()
        await newcomer.wait("session_start")
        self.assertEqual(outcome, [True, "conflict", "registered"])
        self.assertEqual(newcomer.boundjid.bare, f"{fresh}@{DOMAIN}")


class Notes(ElementBase):
    name = plugin_attrib = "notes"
    namespace = "magpie:test:notes"
    interfaces = sub_interfaces = {"text"}


if __name__ == "__main__":
    unittest.main()
