"""slixmpp and invitations: a command that is run as by hand, and a token that makes friends."""

import asyncio
import re
import urllib.parse
import urllib.request

from support import DEADLINE_SECONDS, DOMAIN, PASSWORD, Case

INVITE = "urn:xmpp:invite#invite"


class Invitations(Case):
    async def test_a_command_makes_an_invitation_and_that_makes_friends(self):
        romeo = await self.newcomer("romeo", plugins=["xep_0030", "xep_0050"]).online()
        # Whatever happens now, his client grants nothing.
        romeo.auto_authorize = None
        commands = await romeo.plugin["xep_0050"].get_commands(DOMAIN)
        self.assertIn((DOMAIN, INVITE, "Invite user"), [tuple(map(str, i)) for i in commands["disco_items"]["items"]])
        answer = await romeo.plugin["xep_0050"].send_command(DOMAIN, INVITE)
        self.assertEqual(answer["command"]["status"], "completed")
        values = answer["command"]["form"].get_values()
        uri = re.fullmatch(rf"xmpp:{romeo.boundjid.bare}\?roster;preauth=(\w+);ibr=y", values["uri"])
        self.assertTrue(values["landing-url"].endswith(f"/invite/{uri[1]}"))
        juliet = await self.newcomer("juliet").online()
        request = juliet.make_presence(pto=romeo.boundjid.bare, ptype="subscribe")
        request.append(juliet.element("{urn:xmpp:pars:0}preauth", token=uri[1]))
        request.send()
        await juliet.sees(romeo.boundjid.bare, "both")
        await romeo.sees(juliet.boundjid.bare, "both")

    async def test_who_registers_in_the_browser_has_a_friend_at_once(self):
        romeo = await self.newcomer("romeo").online()
        invite = self.server.json("invite", "create", "--inviter", romeo.boundjid.bare)
        page = f"http://{self.server.json('status')['listeners']['http'][0]}/invite/{invite['code']}"
        name = f"juliet-{invite['code'][:8]}"

        def ask(path, fields=None):
            data = urllib.parse.urlencode(fields).encode() if fields else None
            with urllib.request.urlopen(page + path, data, DEADLINE_SECONDS) as answer:
                return answer.status, answer.read().decode()

        status, html = await asyncio.to_thread(ask, "")
        self.assertTrue(status == 200 and f"{invite['code']}/register" in html, html)
        fields = {"username": name, "password": PASSWORD, "again": PASSWORD}
        status, html = await asyncio.to_thread(ask, "/register", fields)
        self.assertTrue(status == 201 and f"{name}@{DOMAIN}" in html, html)
        await romeo.sees(f"{name}@{DOMAIN}", "both")
        juliet = await self.user(f"{name}@{DOMAIN}").online()
        await juliet.sees(romeo.boundjid.bare, "both")
        await romeo.wait("presence_available", where=lambda p: p["from"] == juliet.boundjid)
