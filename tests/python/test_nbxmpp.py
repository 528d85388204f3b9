"""nbxmpp, the library of Gajim, against the server. It brings its own GLib loop, parser and view of every protocol."""

import hashlib
import os
import time
import unittest

try:
    import nbxmpp  # noqa: F401 (asks for the versions of GLib's parts)
    from gi.repository import Gio, GLib
    from nbxmpp.client import Client
    from nbxmpp.const import ConnectionProtocol, ConnectionType, StreamState
    from nbxmpp.errors import BaseError as NbxmppError
    from nbxmpp.errors import StanzaError
    from nbxmpp.modules.user_avatar import Avatar
    from nbxmpp.namespaces import Namespace
    from nbxmpp.protocol import JID, Iq, Message, Presence
    from nbxmpp.simplexml import Node
    from nbxmpp.structs import BookmarkData, OMEMOBundle, StanzaHandler
except (ImportError, ValueError):
    if os.environ.get("TEST_REQUIRE_ALL"):
        raise
    nbxmpp = None

from support import DEADLINE_SECONDS, DOMAIN, PASSWORD, Magpie


def until(condition, what):
    """Turns GLib's loop until something holds."""
    context = GLib.MainContext.default()
    end = time.monotonic() + DEADLINE_SECONDS
    # So that the loop turns when nothing happens as well.
    tick = GLib.timeout_add(20, lambda: GLib.SOURCE_CONTINUE)
    try:
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"never saw {what() if callable(what) else what}")
            context.iteration(True)
    finally:
        GLib.source_remove(tick)


class User:
    """A client that remembers what it received."""

    def __init__(self, server, jid, resource, password=PASSWORD, direct=False, mechanisms=None):
        self.jid = JID.from_string(jid)
        self.messages, self.signals = [], []
        self.client = client = Client(log_context=f"{jid}/{resource}")
        client.set_username(self.jid.localpart)
        client.set_domain(self.jid.domain)
        client.set_resource(resource)
        client.set_password(password)
        kind = ConnectionType.DIRECT_TLS if direct else ConnectionType.START_TLS
        client.set_custom_host("{}:{}".format(*(server.direct_tls if direct else server.starttls)), ConnectionProtocol.TCP, kind)
        client.set_accepted_certificates([server.certificate])
        client.set_mechs(mechanisms or {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"})
        for signal in ["connected", "disconnected", "connection-failed", "resume-successful", "resume-failed"]:
            client.subscribe(signal, lambda *_, signal=signal: self.signals.append(signal))
        client.register_handler(StanzaHandler(name="message", callback=self._on_message, priority=60))

    def _on_message(self, _client, stanza, properties):
        self.messages.append((stanza, properties))

    def connect(self, signal="connected"):
        self.signals.clear()
        self.client.connect()
        until(lambda: signal in self.signals, lambda: f"'{signal}' of {self.jid}, but {self.signals}, {self.client.get_error()}")
        return self

    def online(self):
        self.connect()
        self.client.send_stanza(Presence())
        self.settle()
        return self

    def leave(self):
        if self.client.state != StreamState.DISCONNECTED:
            self.client.disconnect()
            until(lambda: self.client.state == StreamState.DISCONNECTED, "the end of the stream")

    def module(self, name):
        return self.client.get_module(name)

    def result(self, task):
        """The outcome of one of the library's tasks; a refusal is raised."""
        done = []

        def finished(task):
            # It is forgotten when this returns.
            try:
                done.append((task.finish(), None))
            except NbxmppError as error:
                done.append((None, error))

        task.add_done_callback(finished, weak=False)
        until(lambda: done, f"the outcome of {task}")
        result, error = done[0]
        if error is not None:
            raise error
        return result

    def ask(self, iq):
        """The answer to an IQ of our own making."""
        answers = []
        self.client.send_stanza(iq, callback=lambda _client, answer: answers.append(answer))
        until(lambda: answers, f"an answer to {iq}")
        return answers[0]

    def settle(self):
        self.ask(Iq("get", queryNS=Namespace.VERSION, to=DOMAIN))

    def say(self, to, text):
        self.client.send_stanza(Message(to=to, body=text, typ="chat"))

    def hear(self, where=lambda properties: True):
        """The next message that is meant, as the library understood it."""

        def found():
            return [at for at, (_, properties) in enumerate(self.messages) if where(properties)]

        until(found, lambda: f"a message; {self.jid} saw {[str(stanza) for stanza, _ in self.messages]}")
        return self.messages.pop(found()[0])


@unittest.skipUnless(nbxmpp or os.environ.get("TEST_REQUIRE_ALL"), "nbxmpp needs python3-gi and gir1.2-soup-3.0")
class Case(unittest.TestCase):
    def setUp(self):
        self.server = Magpie()
        certificate = self.server.json("status")["certificates"][0]["file"]
        self.server.certificate = Gio.TlsCertificate.new_from_file(certificate)
        self.users = []

    def tearDown(self):
        for user in self.users:
            user.leave()

    def user(self, jid, resource="home", **kwargs):
        user = User(self.server, jid, resource, **kwargs)
        self.users.append(user)
        return user

    def newcomer(self, name, **kwargs):
        return self.user(self.server.new_account(name), **kwargs)


class LogIn(Case):
    def test_every_mechanism_through_both_doors(self):
        """nbxmpp takes SASL2 (XEP-0388) where it is offered, and binds in the old way behind it."""
        jid = self.server.new_account("romeo")
        for direct in [False, True]:
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]:
                with self.subTest(direct=direct, mechanism=mechanism):
                    romeo = self.user(jid, direct=direct, mechanisms={mechanism}).online()
                    self.assertEqual(str(romeo.client.get_bound_jid()), f"{jid}/home")
                    self.assertTrue(romeo.client._sasl.is_sasl2(), "SASL2 is offered")
                    romeo.leave()

    def test_a_wrong_password(self):
        romeo = self.newcomer("romeo", password="wrong")
        romeo.client.connect()
        until(lambda: "disconnected" in romeo.signals or "connection-failed" in romeo.signals, "the end of it")
        self.assertEqual(romeo.client.get_error()[1], "not-authorized")


class Devices(Case):
    def conversation(self):
        romeo, juliet = self.newcomer("romeo").online(), self.newcomer("juliet").online()
        for n in range(20):
            here, there = (romeo, juliet) if n % 2 == 0 else (juliet, romeo)
            here.say(there.jid, f"number {n}")
            there.hear()
        return romeo, juliet

    def test_the_archive_page_by_page(self):
        romeo, juliet = self.conversation()
        bodies, after = [], None
        while True:
            query = romeo.module("MAM").make_query(romeo.jid, queryid="q", with_=str(juliet.jid), after=after, max_=6)
            page = romeo.result(query)
            while romeo.messages:
                _, properties = romeo.messages.pop(0)
                self.assertEqual((properties.mam.query_id, properties.mam.archive), ("q", romeo.jid))
                bodies.append(properties.body)
            if page.complete:
                break
            after = page.rsm.last
        self.assertEqual(bodies, [f"number {n}" for n in range(20)])
        count = romeo.result(romeo.module("MAM").make_query(romeo.jid, max_=0))
        self.assertEqual(int(count.rsm.count), 20)

    def test_the_archive_of_somebody_else(self):
        romeo, juliet = self.newcomer("romeo").online(), self.newcomer("juliet").online()
        with self.assertRaises(StanzaError) as refusal:
            romeo.result(romeo.module("MAM").make_query(juliet.jid))
        self.assertEqual(refusal.exception.condition, "forbidden")

    def test_preferences(self):
        romeo = self.newcomer("romeo").online()
        nurse = JID.from_string(f"nurse@{DOMAIN}")
        romeo.result(romeo.module("MAM").set_preferences("roster", [nurse], []))
        preferences = romeo.result(romeo.module("MAM").request_preferences())
        self.assertEqual((preferences.default, list(preferences.always), list(preferences.never)), ("roster", [nurse], []))

    def test_carbons_in_both_directions(self):
        jid = self.server.new_account("juliet")
        phone, desktop = self.user(jid, "phone").online(), self.user(jid, "desktop").online()
        romeo = self.newcomer("romeo").online()
        enable = Iq("set")
        enable.addChild("enable", namespace=Namespace.CARBONS)
        self.assertEqual(phone.ask(enable).getType(), "result")

        romeo.say(desktop.client.get_bound_jid(), "Good morrow")
        self.assertEqual(desktop.hear()[1].body, "Good morrow")
        copy = phone.hear(lambda properties: properties.is_carbon_message)[1]
        self.assertEqual((copy.carbon.is_received, copy.body, copy.from_), (True, "Good morrow", romeo.client.get_bound_jid()))

        desktop.say(romeo.jid, "Is the day so young?")
        self.assertEqual(romeo.hear()[1].body, "Is the day so young?")
        copy = phone.hear(lambda properties: properties.is_carbon_message)[1]
        self.assertEqual((copy.carbon.is_sent, copy.body), (True, "Is the day so young?"))

    def test_a_lost_stream_is_resumed(self):
        romeo, juliet = self.newcomer("romeo").online(), self.newcomer("juliet").online()
        self.assertTrue(juliet.client.sm_supported)
        bound = juliet.client.get_bound_jid()
        for turn in range(2):
            until(lambda: juliet.client.resumeable, "a stream that can be resumed")
            # As if the network had gone: no farewell.
            juliet.client._con._con.get_socket().close()
            until(lambda: juliet.client.state == StreamState.DISCONNECTED, "the loss")
            romeo.say(juliet.jid, f"while it is gone {turn}")
            romeo.settle()
            juliet.connect(signal="resume-successful")
            self.assertEqual(juliet.client.get_bound_jid(), bound)
            self.assertEqual(juliet.hear()[1].body, f"while it is gone {turn}")
        juliet.settle()
        self.assertEqual(juliet.messages, [])


class Eventing(Case):
    """XEP-0163 and what builds on it, as Gajim does it."""

    def test_an_avatar(self):
        romeo, juliet = self.newcomer("romeo").online(), self.newcomer("juliet").online()
        image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
        avatar = Avatar()
        avatar.add_image_source(image, "image/png", 64, 64)
        romeo.result(romeo.module("UserAvatar").set_avatar(avatar, public=True))
        metadata = juliet.result(juliet.module("UserAvatar").request_avatar_metadata(romeo.jid))
        self.assertEqual(metadata.avatar_shas, [hashlib.sha1(image).hexdigest()])
        data = juliet.result(juliet.module("UserAvatar").request_avatar_data(metadata.avatar_shas[0], romeo.jid))
        self.assertEqual(data.data, image)
        # For friends alone: the node is configured anew.
        romeo.result(romeo.module("UserAvatar").set_access_model(False))
        with self.assertRaises(StanzaError):
            juliet.result(juliet.module("UserAvatar").request_avatar_metadata(romeo.jid))

    def test_omemo_keys(self):
        romeo, stranger = self.newcomer("romeo").online(), self.newcomer("stranger").online()
        keys = [{"id": number, "key": bytes([number]) * 32} for number in range(1, 5)]
        bundle = OMEMOBundle(spk={"id": 1, "key": b"s" * 32}, spk_signature=b"t" * 64, ik=b"i" * 32, otpks=keys)
        romeo.result(romeo.module("OMEMO").set_devicelist({27182, 31415}))
        romeo.result(romeo.module("OMEMO").set_bundle(bundle, 31415))
        devices = stranger.result(stranger.module("OMEMO").request_devicelist(romeo.jid))
        self.assertEqual(sorted(devices), [27182, 31415])
        got = stranger.result(stranger.module("OMEMO").request_bundle(romeo.jid, 31415))
        self.assertEqual((got.ik, got.spk["key"], len(got.otpks)), (b"i" * 32, b"s" * 32, 4))

    def test_bookmarks(self):
        jid = self.server.new_account("romeo")
        phone, desktop = self.user(jid, "phone").online(), self.user(jid, "desktop").online()
        room = JID.from_string(f"theplay@conference.{DOMAIN}")
        bookmark = BookmarkData(jid=room, name="The Play", nick="JC", autojoin=True)
        phone.module("NativeBookmarks").store_bookmarks([bookmark])
        phone.settle()
        seen = []
        until(
            lambda: seen or seen.extend(desktop.result(desktop.module("NativeBookmarks").request_bookmarks()) or []),
            "the bookmark",
        )
        self.assertEqual([(b.jid, b.name, b.nick, b.autojoin) for b in seen], [(room, "The Play", "JC", True)])

    def test_blocking(self):
        juliet, paris = self.newcomer("juliet").online(), self.newcomer("paris").online()
        juliet.result(juliet.module("Blocking").block([paris.jid]))
        self.assertEqual(juliet.result(juliet.module("Blocking").request_blocking_list()), {paris.jid})
        paris.say(juliet.jid, "Wife, may I")
        refused = paris.hear(lambda properties: properties.type.is_error)[1]
        self.assertEqual(refused.error.condition, "service-unavailable")
        juliet.result(juliet.module("Blocking").unblock([paris.jid]))
        self.assertEqual(juliet.result(juliet.module("Blocking").request_blocking_list()), set())
        paris.say(juliet.jid, "Happily met")
        self.assertEqual(juliet.hear()[1].body, "Happily met")
