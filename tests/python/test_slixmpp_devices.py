"""slixmpp on several devices of one user: archive, carbons, resumption, push."""

import asyncio
from xml.etree import ElementTree

from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath
from support import DOMAIN, Case

PUBSUB = "{http://jabber.org/protocol/pubsub}"
PUSH = "{urn:xmpp:push:0}"


class Archive(Case):
    """XEP-0313"""

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.romeo = await self.newcomer("romeo", plugins=["xep_0313"]).online()
        self.juliet = await self.newcomer("juliet", plugins=["xep_0313"]).online()
        for n in range(25):
            here, there = (self.romeo, self.juliet) if n % 2 == 0 else (self.juliet, self.romeo)
            here.say(there.boundjid.bare, f"number {n}")
            await there.hear()
            await here.settle()

    async def bodies(self, user, **query):
        archive = user.plugin["xep_0313"].iterate(jid=user.boundjid.bare, **query)
        return [m["mam_result"]["forwarded"]["stanza"]["body"] async for m in archive]

    async def test_all_of_it_page_by_page_in_both_directions(self):
        everything = [f"number {n}" for n in range(25)]
        for user in [self.romeo, self.juliet]:
            self.assertEqual(await self.bodies(user, rsm={"max": 10}), everything)
            self.assertEqual(await self.bodies(user, rsm={"max": 7}, reverse=True), everything[::-1])

    async def test_by_contact_and_by_time(self):
        nurse = await self.newcomer("nurse").online()
        self.romeo.say(nurse.boundjid.bare, "to the nurse")
        await nurse.hear()
        self.assertEqual(await self.bodies(self.romeo, with_jid=nurse.boundjid.bare), ["to the nurse"])
        self.assertEqual(len(await self.bodies(self.romeo, with_jid=self.juliet.boundjid.bare)), 25)
        results = self.romeo.plugin["xep_0313"].iterate(jid=self.romeo.boundjid.bare)
        stamps = [m["mam_result"]["forwarded"]["delay"]["stamp"] async for m in results]
        self.assertEqual(stamps, sorted(stamps))
        self.assertEqual(await self.bodies(self.romeo, start=stamps[-1]), ["to the nurse"])

    async def test_the_form_and_the_bounds(self):
        form = await self.romeo.plugin["xep_0313"].get_fields(jid=self.romeo.boundjid.bare)
        for var in ["with", "start", "end", "before-id", "after-id", "ids"]:
            self.assertIn(var, form.get_fields())
        metadata = (await self.romeo.plugin["xep_0313"].get_archive_metadata())["mam_metadata"]
        self.assertLess(metadata["start"]["timestamp"], metadata["end"]["timestamp"])

    async def test_nobody_else_reads_it(self):
        with self.assertRaises(IqError) as refusal:
            await self.romeo.plugin["xep_0313"].retrieve(jid=self.juliet.boundjid.bare)
        self.assertEqual(refusal.exception.condition, "forbidden")


class Carbons(Case):
    """XEP-0280"""

    async def test_both_directions(self):
        jid = self.server.new_account("juliet")
        phone = await self.user(jid + "/phone", plugins=["xep_0280"]).online()
        await phone.plugin["xep_0280"].enable()
        desktop = await self.user(jid + "/desktop", plugins=["xep_0280"]).online()
        await phone.wait("presence_available", where=lambda p: p["from"] == desktop.boundjid)
        romeo = await self.newcomer("romeo").online()

        romeo.say(desktop.boundjid.full, "Good morrow")
        self.assertEqual(await desktop.hear(), (romeo.boundjid.full, "Good morrow", False))
        copy = (await phone.wait("carbon_received"))["carbon_received"]
        self.assertEqual((copy["from"], copy["to"], copy["body"]), (romeo.boundjid, desktop.boundjid, "Good morrow"))

        desktop.say(romeo.boundjid.bare, "Is the day so young?")
        self.assertEqual(await romeo.hear(), (desktop.boundjid.full, "Is the day so young?", False))
        copy = (await phone.wait("carbon_sent"))["carbon_sent"]
        self.assertEqual((copy["from"], copy["body"]), (desktop.boundjid, "Is the day so young?"))

        await phone.plugin["xep_0280"].disable()
        romeo.say(desktop.boundjid.full, "But new struck nine")
        await desktop.hear()
        await romeo.settle()
        await phone.settle()
        self.assertEqual([seen for seen in phone.seen if "carbon" in seen[0]], [])

    async def test_private_messages_are_not_copied(self):
        jid = self.server.new_account("juliet")
        phone = await self.user(jid + "/phone", plugins=["xep_0280"]).online()
        await phone.plugin["xep_0280"].enable()
        desktop = await self.user(jid + "/desktop", plugins=["xep_0280"]).online()
        romeo = await self.newcomer("romeo", plugins=["xep_0280"]).online()
        secret = romeo.make_message(mto=desktop.boundjid.full, mbody="a secret", mtype="chat")
        secret.enable("carbon_private")
        secret.send()
        self.assertEqual((await desktop.hear())[1], "a secret")
        romeo.say(desktop.boundjid.full, "no secret")
        copy = (await phone.wait("carbon_received"))["carbon_received"]
        self.assertEqual(copy["body"], "no secret")

    async def test_a_call_rings_everywhere_until_it_is_taken(self):
        """XEP-0353"""
        jid = self.server.new_account("juliet")
        phone = await self.user(jid + "/phone", plugins=["xep_0280", "xep_0353"]).online()
        await phone.plugin["xep_0280"].enable()
        desktop = await self.user(jid + "/desktop", plugins=["xep_0280", "xep_0353"]).online()
        romeo = await self.newcomer("romeo", plugins=["xep_0353"]).online()
        romeo.plugin["xep_0353"].propose(jid, "call-1", [("urn:xmpp:jingle:apps:rtp:1", "audio")])
        for device in [phone, desktop]:
            ringing = await device.wait("jingle_message_propose")
            self.assertEqual((ringing["from"], ringing["jingle_propose"]["id"]), (romeo.boundjid, "call-1"))
        desktop.plugin["xep_0353"].accept(jid, "call-1")
        taken = await phone.wait("jingle_message_accept")
        self.assertEqual((taken["from"], taken["jingle_accept"]["id"]), (desktop.boundjid, "call-1"))


class Resumption(Case):
    """XEP-0198"""

    async def test_nothing_is_lost_and_nothing_comes_twice(self):
        romeo = await self.newcomer("romeo").online()
        juliet = self.newcomer("juliet", plugins=["xep_0198"])
        await juliet.online()
        await juliet.wait("sm_enabled")
        romeo.say(juliet.boundjid.bare, "1")
        await juliet.hear()
        for turn in range(3):
            bound = juliet.boundjid.full
            juliet.abort()
            await juliet.wait("disconnected")
            romeo.say(juliet.boundjid.bare, f"while it is gone {turn}")
            await romeo.settle()
            await juliet.start()
            await juliet.wait("session_resumed")
            self.assertEqual(juliet.boundjid.full, bound)
            romeo.say(juliet.boundjid.full, f"when it is back {turn}")
            for text in [f"while it is gone {turn}", f"when it is back {turn}"]:
                self.assertEqual((await juliet.hear())[1], text)
            juliet.say(romeo.boundjid.bare, f"from here {turn}")
            self.assertEqual((await romeo.hear())[1], f"from here {turn}")
        await juliet.settle()
        self.assertEqual([seen for seen in juliet.seen if seen[0] == "message"], [])

    async def test_what_was_sent_is_acknowledged(self):
        juliet = self.newcomer("juliet", plugins=["xep_0198"])
        await juliet.online()
        await juliet.wait("sm_enabled")
        nurse = await self.newcomer("nurse").online()
        juliet.say(nurse.boundjid.bare, "Nurse!")
        # slixmpp sends stanzas from a queue that its request would overtake.
        await juliet.settle()
        juliet.plugin["xep_0198"].request_ack()
        acked = await juliet.wait("stanza_acked", where=lambda stanza: stanza.xml.tag.endswith("message"))
        self.assertEqual(acked["body"], "Nurse!")


class Push(Case):
    """XEP-0357, with a push service made of slixmpp."""

    async def service(self, condition=None):
        """Answers every notification; they go into its queue."""
        service = self.newcomer("push")
        service.notified = asyncio.Queue()

        def publish(iq):
            service.notified.put_nowait(iq)
            if condition is None:
                iq.reply().send()
            else:
                refusal = iq.reply()
                refusal.error()
                refusal["error"]["condition"] = condition
                refusal.send()

        handler = Callback("publish", MatchXPath("{jabber:client}iq/" + PUBSUB + "pubsub"), publish)
        service.register_handler(handler)
        return await service.log_in()

    async def enable(self, user, service, node, **fields):
        iq = user.make_iq_set()
        enable = user.element(PUSH + "enable", jid=service.boundjid.full, node=node)
        form = ElementTree.SubElement(enable, "{jabber:x:data}x", type="submit")
        fields = {"FORM_TYPE": "http://jabber.org/protocol/pubsub#publish-options", **fields}
        for var, value in fields.items():
            field = ElementTree.SubElement(form, "{jabber:x:data}field", var=var)
            ElementTree.SubElement(field, "{jabber:x:data}value").text = value
        iq.append(enable)
        await iq.send()

    async def next(self, service):
        """Node, secret and number of messages of the next notification."""
        iq = (await asyncio.wait_for(service.notified.get(), 20)).xml
        value = "//{{jabber:x:data}}field[@var='{}']/{{jabber:x:data}}value"
        field = lambda var: iq.findtext("." + value.format(var))
        self.assertEqual(field("last-message-sender"), None, "not told unless the operator wants it")
        return iq.find(f".//{PUBSUB}publish").get("node"), field("secret"), field("message-count")

    async def test_a_device_that_is_away_is_told(self):
        service = await self.service()
        romeo = await self.newcomer("romeo").online()
        juliet = await self.newcomer("juliet", plugins=["xep_0030", "xep_0198"]).online()
        info = await juliet.plugin["xep_0030"].get_info(jid=juliet.boundjid.bare)
        self.assertIn("urn:xmpp:push:0", info["disco_info"]["features"])
        await self.enable(juliet, service, "device-1", secret="eruio234vzxc2kla-91")
        romeo.say(juliet.boundjid.bare, "seen")
        await juliet.hear()

        # Without a word: a phone that left its network.
        juliet.abort()
        await juliet.wait("disconnected")
        romeo.say(juliet.boundjid.bare, "missed")
        self.assertEqual(await self.next(service), ("device-1", "eruio234vzxc2kla-91", "1"))
        self.assertEqual(self.server.json("push", "list", juliet.boundjid.bare)["registrations"][0]["failures"], 0)

        # `magpie push test`, while this process answers as the push service.
        test = asyncio.to_thread(self.server.json, "push", "test", juliet.boundjid.bare)
        (tested, notified) = await asyncio.gather(test, self.next(service))
        self.assertEqual(tested["push_tested"][0]["error"], None)
        self.assertEqual(notified[0], "device-1")

    async def test_a_device_that_is_unknown_to_its_service(self):
        service = await self.service(condition="item-not-found")
        romeo = await self.newcomer("romeo").online()
        juliet = await self.newcomer("juliet").online()
        await self.enable(juliet, service, "device-2")
        await juliet.leave()
        romeo.say(juliet.boundjid.bare, "missed")
        await self.next(service)
        await romeo.until(
            lambda: self.server.json("push", "list", juliet.boundjid.bare)["registrations"] == [], "the end of it"
        )


class ExternalServices(Case):
    """XEP-0215"""

    async def test_relays_with_credentials(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0030"]).online()
        info = await romeo.plugin["xep_0030"].get_info(jid=DOMAIN)
        self.assertIn("urn:xmpp:extdisco:2", info["disco_info"]["features"])
        iq = romeo.make_iq_get(ito=DOMAIN)
        iq.append(romeo.element("{urn:xmpp:extdisco:2}services", type="turn"))
        service = (await iq.send()).xml.find(".//{urn:xmpp:extdisco:2}service")
        self.assertEqual((service.get("host"), service.get("port")), ("127.0.0.1", "3478"))
        self.assertTrue(service.get("username") and service.get("password") and service.get("expires"))
