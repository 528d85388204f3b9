"""slixmpp and what a user keeps on the server for contacts and own devices: XEP-0163 and what builds on it, XEP-0191."""

import asyncio
from xml.etree import ElementTree

from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0004.stanza import Form
from support import DOMAIN, Case

AVATAR_METADATA = "urn:xmpp:avatar:metadata"
BOOKMARKS = "urn:xmpp:bookmarks:1"
MDS = "urn:xmpp:mds:displayed:0"
OMEMO = "eu.siacs.conversations.axolotl"
PEP = ["xep_0030", "xep_0060", "xep_0115", "xep_0163"]


def options(**fields):
    """The preconditions of a publication."""
    form = Form()
    form["type"] = "submit"
    form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    for name, value in fields.items():
        form.add_field(var=f"pubsub#{name}", value=value)
    return form


def xml(text):
    return ElementTree.fromstring(text)


def about(node):
    return lambda message: message["pubsub_event"]["items"]["node"] == node


class Eventing(Case):
    async def friends(self, *plugins):
        romeo = await self.newcomer("romeo", plugins=[*PEP, *plugins]).online()
        juliet = await self.newcomer("juliet", plugins=[*PEP, *plugins]).online()
        await romeo.befriend(juliet)
        return romeo, juliet

    async def interested(self, user, node):
        """Says in its capabilities that it wants the events of a node."""
        user.plugin["xep_0163"].add_interest(node)
        await user.plugin["xep_0115"].update_caps()
        await user.settle()

    async def test_xep_0084_an_avatar_reaches_a_friend(self):
        romeo, juliet = await self.friends("xep_0084")
        await self.interested(juliet, AVATAR_METADATA)
        image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
        avatars = romeo.plugin["xep_0084"]
        name = avatars.generate_id(image)
        await avatars.publish_avatar(image)
        await avatars.publish_avatar_metadata({"id": name, "type": "image/png", "bytes": len(image)})
        event = await juliet.wait("pubsub_publish", where=about(AVATAR_METADATA))
        self.assertEqual(event["from"].bare, romeo.boundjid.bare)
        self.assertEqual(event["pubsub_event"]["items"]["item"]["id"], name)
        fetched = await juliet.plugin["xep_0084"].retrieve_avatar(romeo.boundjid.bare, name)
        self.assertEqual(fetched["pubsub"]["items"]["item"]["avatar_data"]["value"], image)
        # Whoever comes later is told as well (XEP-0163 §4.3.3).
        phone = self.user(juliet.boundjid.bare + "/phone", plugins=[*PEP, "xep_0084"])
        await phone.log_in()
        phone.plugin["xep_0163"].add_interest(AVATAR_METADATA)
        await phone.plugin["xep_0115"].update_caps()
        phone.send_presence()
        event = await phone.wait("pubsub_publish", where=about(AVATAR_METADATA))
        self.assertEqual(event["pubsub_event"]["items"]["item"]["id"], name)

    async def test_xep_0398_an_avatar_and_a_vcard_are_the_same(self):
        romeo, juliet = await self.friends("xep_0054", "xep_0084")
        image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
        avatars = romeo.plugin["xep_0084"]
        # §4: only what everybody may see; a card is public.
        everybody = options(access_model="open")
        await avatars.publish_avatar(image, options=everybody)
        metadata = {"id": avatars.generate_id(image), "type": "image/png", "bytes": len(image)}
        await avatars.publish_avatar_metadata(metadata, options=everybody)
        self.assertEqual(await self.photo(juliet, romeo.boundjid.bare), image)
        # And back: what an old client puts into its card.
        card, photo = romeo.plugin["xep_0054"].make_vcard(), b"\x89PNG\r\n\x1a\n" + b"another"
        card["PHOTO"]["TYPE"], card["PHOTO"]["BINVAL"] = "image/png", photo
        await self.interested(juliet, AVATAR_METADATA)
        await romeo.plugin["xep_0054"].publish_vcard(card)
        name = avatars.generate_id(photo)
        its_id = lambda message: about(AVATAR_METADATA)(message) and message["pubsub_event"]["items"]["item"]["id"] == name
        await juliet.wait("pubsub_publish", where=its_id)
        fetched = await juliet.plugin["xep_0084"].retrieve_avatar(romeo.boundjid.bare, name)
        self.assertEqual(fetched["pubsub"]["items"]["item"]["avatar_data"]["value"], photo)

    async def photo(self, user, jid):
        """What is in somebody's card; it is put there behind the answer to whoever published it."""
        for _ in range(100):
            try:
                vcard = await user.plugin["xep_0054"].get_vcard(jid, cached=False)
                return vcard["vcard_temp"]["PHOTO"]["BINVAL"]
            except IqError as error:
                self.assertEqual(error.condition, "service-unavailable")
                await asyncio.sleep(0.05)
        return None

    async def test_xep_0384_omemo_keys_for_everybody(self):
        romeo = await self.newcomer("romeo", plugins=PEP).online()
        stranger = await self.newcomer("stranger", plugins=PEP).online()
        devices = xml(f"<list xmlns='{OMEMO}'><device id='31415'/><device id='27182'/></list>")
        keys = xml(
            f"<bundle xmlns='{OMEMO}'><signedPreKeyPublic signedPreKeyId='1'>AAAA</signedPreKeyPublic>"
            "<signedPreKeySignature>BBBB</signedPreKeySignature><identityKey>CCCC</identityKey>"
            "<prekeys><preKeyPublic preKeyId='1'>DDDD</preKeyPublic><preKeyPublic preKeyId='2'>EEEE</preKeyPublic></prekeys>"
            "</bundle>"
        )
        nodes = {f"{OMEMO}.devicelist": devices, f"{OMEMO}.bundles:31415": keys}
        for node, payload in nodes.items():
            await romeo.plugin["xep_0060"].publish(
                None, node, id="current", payload=payload, options=options(access_model="open", persist_items="true")
            )
        for node, payload in nodes.items():
            items = await stranger.plugin["xep_0060"].get_items(romeo.boundjid.bare, node, max_items=1)
            (item,) = items["pubsub"]["items"]
            self.assertEqual(ElementTree.canonicalize(ElementTree.tostring(item["payload"])),
                             ElementTree.canonicalize(ElementTree.tostring(payload)))
        with self.assertRaises(IqError) as refusal:
            await stranger.plugin["xep_0060"].publish(romeo.boundjid.bare, f"{OMEMO}.devicelist", payload=devices)
        self.assertEqual(refusal.exception.condition, "forbidden")
        with self.assertRaises(IqError) as refusal:
            await romeo.plugin["xep_0060"].publish(
                None, f"{OMEMO}.devicelist", id="current", payload=devices, options=options(access_model="presence")
            )
        self.assertEqual(refusal.exception.condition, "conflict", "XEP-0060 §7.1.5: a precondition")

    async def test_xep_0402_bookmarks_old_and_new(self):
        jid = self.server.new_account("romeo")
        phone = await self.user(jid + "/phone", plugins=[*PEP, "xep_0402"]).online()
        desktop = await self.user(jid + "/desktop", plugins=[*PEP, "xep_0402"]).online()
        await self.interested(desktop, BOOKMARKS)
        room = f"theplay@conference.{DOMAIN}"
        bookmark = xml(f"<conference xmlns='{BOOKMARKS}' name='The Play' autojoin='true'><nick>JC</nick></conference>")
        private = options(access_model="whitelist", persist_items="true", max_items="max", send_last_published_item="never")
        await phone.plugin["xep_0060"].publish(None, BOOKMARKS, id=room, payload=bookmark, options=private)
        event = await desktop.wait("pubsub_publish", where=about(BOOKMARKS))
        self.assertEqual(event["pubsub_event"]["items"]["item"]["id"], room)
        # XEP-0411: a client that knows private storage alone.
        iq = phone.make_iq_get(queryxmlns="jabber:iq:private")
        ElementTree.SubElement(iq.xml[0], "{storage:bookmarks}storage")
        old = (await iq.send()).xml.find(".//{storage:bookmarks}conference")
        self.assertEqual((old.get("jid"), old.get("name"), old.get("autojoin")), (room, "The Play", "true"))
        await desktop.plugin["xep_0060"].retract(None, BOOKMARKS, room, notify=True)
        items = await phone.plugin["xep_0060"].get_items(None, BOOKMARKS)
        self.assertEqual(list(items["pubsub"]["items"]), [])

    async def test_xep_0490_what_was_read_elsewhere(self):
        jid = self.server.new_account("romeo")
        phone = await self.user(jid + "/phone", plugins=[*PEP, "xep_0490"]).online()
        desktop = await self.user(jid + "/desktop", plugins=[*PEP, "xep_0490"]).online()
        await self.interested(phone, MDS)
        await desktop.plugin["xep_0490"].flag_chat(f"juliet@{DOMAIN}", "0f710f2b-52ed-4d52-b928-784dad74a52b")
        event = await phone.wait("pubsub_publish", where=about(MDS))
        self.assertEqual(event["pubsub_event"]["items"]["item"]["id"], f"juliet@{DOMAIN}")
        items = (await phone.plugin["xep_0490"].catch_up())["pubsub"]["items"]
        self.assertEqual([item["id"] for item in items], [f"juliet@{DOMAIN}"])
        stranger = await self.newcomer("stranger", plugins=PEP).online()
        with self.assertRaises(IqError):
            await stranger.plugin["xep_0060"].get_items(jid, MDS)


class Service(Case):
    """XEP-0060 at its own address."""

    async def test_a_node_between_two_users(self):
        service = f"pubsub.{DOMAIN}"
        romeo = await self.newcomer("romeo", plugins=PEP).online()
        juliet = await self.newcomer("juliet", plugins=PEP).online()
        node = f"news-{romeo.boundjid.user}"
        try:
            await romeo.plugin["xep_0060"].create_node(service, node)
        except IqError as refusal:
            self.assertEqual(refusal.condition, "forbidden", "who may create nodes is a setting")
            return
        await juliet.plugin["xep_0060"].subscribe(service, node)
        payload = xml("<entry xmlns='http://www.w3.org/2005/Atom'><title>News</title></entry>")
        await romeo.plugin["xep_0060"].publish(service, node, id="1", payload=payload)
        event = await juliet.wait("pubsub_publish", where=about(node))
        self.assertEqual((str(event["from"]), event["pubsub_event"]["items"]["item"]["id"]), (service, "1"))
        await romeo.plugin["xep_0060"].retract(service, node, "1", notify=True)
        await juliet.wait("pubsub_retract")
        await romeo.plugin["xep_0060"].delete_node(service, node)


class Blocking(Case):
    """XEP-0191"""

    async def test_a_blocked_contact_is_not_heard(self):
        jid = self.server.new_account("juliet")
        juliet = await self.user(jid + "/phone", plugins=["xep_0191"]).online()
        desktop = await self.user(jid + "/desktop", plugins=["xep_0191"]).online()
        await desktop.plugin["xep_0191"].get_blocked()
        paris = await self.newcomer("paris").online()
        await juliet.plugin["xep_0191"].get_blocked()
        await juliet.plugin["xep_0191"].block(paris.boundjid.bare)
        pushed = await desktop.wait("blocked")
        self.assertEqual([item.get("jid") for item in pushed.xml[0]], [paris.boundjid.bare])
        self.assertEqual({str(jid) for jid in await juliet.plugin["xep_0191"].get_blocked_jids()}, {paris.boundjid.bare})
        paris.say(jid, "Wife, may I")
        error = await paris.wait("message_error")
        self.assertEqual(error["error"]["condition"], "service-unavailable")
        await juliet.plugin["xep_0191"].unblock(paris.boundjid.bare)
        await desktop.wait("unblocked")
        paris.say(jid, "Happily met")
        self.assertEqual((await juliet.hear())[1], "Happily met")
