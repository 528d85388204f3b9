"""Profanity in a terminal (tmux), with somebody on slixmpp at the other end."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import unittest

from support import DEADLINE_SECONDS, PASSWORD, Case

MISSING = [program for program in ["profanity", "tmux"] if shutil.which(program) is None]


class Terminal:
    """Profanity in a terminal of its own, with a home of its own, seen as a person sees it."""

    def __init__(self, trusted):
        """`trusted` is the file with the authorities that OpenSSL, and so Profanity, trusts."""
        self.home = tempfile.mkdtemp(prefix="profanity-")
        environment = {
            "HOME": self.home,
            "PATH": os.environ["PATH"],
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "SSL_CERT_FILE": str(trusted),
        }
        # The program's last words stay on the screen after it.
        program = shlex.join(["env", "-i", *(f"{k}={v}" for k, v in environment.items()), "profanity"])
        self._tmux("new-session", "-d", "-x", "160", "-y", "60", program, ";", "set", "remain-on-exit", "on")

    def _tmux(self, *args):
        command = ["tmux", "-u", "-S", f"{self.home}/tmux", "-f", "/dev/null", *args]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        return subprocess.check_output(command, env=environment, encoding="utf-8", timeout=DEADLINE_SECONDS)

    def type(self, line):
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def screen(self):
        return self._tmux("capture-pane", "-p", "-J")

    async def shows(self, *patterns):
        """Waits until the screen shows all of these; returns it."""
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            screen = self.screen()
            if all(re.search(pattern, screen) for pattern in patterns):
                return screen
            if time.monotonic() > end:
                raise AssertionError(f"Profanity never showed {patterns}, but:\n{screen}")
            await asyncio.sleep(0.05)

    async def connect(self, jid, address, tls):
        host, port = address
        await self.shows(r"\[offline\]")
        self.type("/clear")
        self.type(f"/connect {jid} server {host} port {port} tls {tls}")
        await self.shows("Enter password:")
        self.type(PASSWORD)

    async def online(self, jid):
        await self.shows(re.escape(jid) + r"/\S+ logged in successfully, online", r"\[TLS\] \[online\]")

    def close(self):
        self._tmux("kill-server")
        shutil.rmtree(self.home)


@unittest.skipIf(MISSING and not os.environ.get("TEST_REQUIRE_ALL"), f"not installed: {', '.join(MISSING)}")
class Profanity(Case):
    def terminal(self, trusted=None):
        terminal = Terminal(trusted or self.server.ca)
        self.addCleanup(terminal.close)
        return terminal

    async def test_an_evening_over_starttls(self):
        await self.evening(self.server.starttls, "force")

    async def test_an_evening_over_direct_tls(self):
        # Profanity's name for it.
        await self.evening(self.server.direct_tls, "legacy")

    async def evening(self, address, tls):
        juliet = await self.newcomer("juliet").online()
        romeo, them = self.server.new_account("romeo"), juliet.boundjid.bare
        profanity = self.terminal()
        await profanity.connect(romeo, address, tls)
        await profanity.online(romeo)

        await self.make_friends(profanity, romeo, juliet)
        await self.chat(profanity, romeo, juliet)

        profanity.type("/disconnect")
        await juliet.wait("presence_unavailable", where=lambda p: p["from"].bare == romeo)
        juliet.say(romeo, "Where have you been?")
        await profanity.connect(romeo, address, tls)
        await profanity.online(romeo)
        await juliet.wait("presence_available", where=lambda p: p["from"].bare == romeo)
        await profanity.shows(r"<< chat message: Juliet.*\(win 2\)")
        profanity.type("/win 2")
        await profanity.shows(r"Where have you been\?")
        profanity.type("Asleep.")
        self.assertEqual((await juliet.hear())[1:], ("Asleep.", False))

        profanity.type("/quit")
        await juliet.wait("presence_unavailable", where=lambda p: p["from"].bare == romeo)

    async def make_friends(self, profanity, romeo, juliet):
        """Asked by Profanity, granted and asked back by slixmpp, granted by Profanity."""
        them = juliet.boundjid.bare
        profanity.type(f"/roster add {them} Juliet")
        await profanity.shows(f"Roster item added: {them}")
        profanity.type(f"/sub request {them}")
        await profanity.shows(f"Sent subscription request to {them}", f"Received authorization request from {them}")
        profanity.type(f"/sub allow {them}")
        await juliet.sees(romeo, "both")
        await juliet.wait("presence_available", where=lambda p: p["from"].bare == romeo)
        profanity.type("/clear")
        profanity.type("/roster")
        await profanity.shows(rf"{them} \(Juliet\) - both")

    async def chat(self, profanity, romeo, juliet):
        them = juliet.boundjid.bare
        profanity.type("/msg Juliet O Juliet <&> ẞ 🦜")
        sender, text, late = await juliet.hear()
        self.assertEqual((sender.split("/")[0], text, late), (romeo, "O Juliet <&> ẞ 🦜", False))
        juliet.say(sender, "Ay me <&> ẞ")
        await profanity.shows("Ay me <&> ẞ")

    async def test_a_room(self):
        """XEP-0045: made by Profanity, entered by slixmpp; a subject, another nickname, a kick."""
        juliet = await self.newcomer("juliet", plugins=["xep_0045"]).online()
        muc = juliet.plugin["xep_0045"]
        romeo = self.server.new_account("romeo")
        room = f"verona-{romeo.split('@')[0]}@conference.localhost"
        profanity = self.terminal()
        await profanity.connect(romeo, self.server.starttls, "force")
        await profanity.online(romeo)
        profanity.type(f"/join {room} nick Romeo")
        await profanity.shows("Room locked, requires configuration")
        profanity.type("/room accept")
        await profanity.shows("Room unlocked")
        await muc.join_muc_wait(room, "Juliet", maxstanzas=0, timeout=DEADLINE_SECONDS)
        await profanity.shows(r"Participants *\n.* Juliet")

        profanity.type("At what o'clock <&>?")
        heard = await juliet.wait("groupchat_message", where=lambda message: message["from"].resource == "Romeo")
        self.assertEqual((heard["from"], heard["body"]), (f"{room}/Romeo", "At what o'clock <&>?"))
        juliet.send_message(mto=room, mbody="By the hour of nine ẞ", mtype="groupchat")
        await profanity.shows("Juliet: By the hour of nine ẞ")
        profanity.type("/subject set The orchard wall")
        subject = await juliet.wait("groupchat_subject", where=lambda message: message["subject"])
        self.assertEqual(subject["subject"], "The orchard wall")
        profanity.type("/nick Montague")
        await juliet.wait("groupchat_presence", where=lambda presence: presence["from"].resource == "Montague")
        profanity.type("/kick Juliet the lark sings")
        gone = await juliet.wait("groupchat_presence", where=lambda p: p["type"] == "unavailable" and p["from"].resource == "Juliet")
        self.assertEqual(gone["muc"]["status_codes"], {110, 307})
        await profanity.shows("Juliet has been kicked from the room")

    async def test_an_unknown_authority_is_noticed(self):
        romeo = self.server.new_account("romeo")
        nobody = tempfile.NamedTemporaryFile(suffix=".pem")
        self.addCleanup(nobody.close)
        profanity = self.terminal(nobody.name)
        await profanity.connect(romeo, self.server.starttls, "force")
        await profanity.shows("TLS certificate verification failed", "Magpie development CA", "/tls deny")
        profanity.type("/tls deny")
        await profanity.shows("Login failed")

    async def test_a_wrong_password(self):
        profanity = self.terminal()
        jid = self.server.new_account("romeo", password="another")
        await profanity.connect(jid, self.server.starttls, "force")
        await profanity.shows("Login failed")


if __name__ == "__main__":
    unittest.main()
