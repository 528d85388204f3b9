// xmpp.js as a client of WebSocket: what a program in JavaScript does without a browser. test_xmppjs_web.py drives it.

import { client, xml } from "@xmpp/client";
import { WebSocket } from "ws";
import { obey, Seen } from "./remote.mjs";

// Node.js 20 has none of its own.
globalThis.WebSocket ??= WebSocket;

const MUC = "http://jabber.org/protocol/muc";

let xmpp;
const log = new Seen();
/** Presence of rooms. */
const presence = new Seen();
const texts = new Seen();

async function slot(name, type, size) {
  const asked = { xmlns: "urn:xmpp:http:upload:0", filename: name, size: String(size), "content-type": type };
  const iq = xml("iq", { type: "get", to: `upload.${xmpp.jid.domain}` }, xml("request", asked));
  const answer = (await xmpp.iqCaller.request(iq)).getChild("slot");
  const put = answer.getChild("put");
  const headers = Object.fromEntries(put.getChildren("header").map((header) => [header.attrs.name, header.text()]));
  return { put: put.attrs.url, headers, get: answer.getChild("get").attrs.url };
}

await obey(
  {
    async start({ service, jid, password }) {
      const [username, domain] = jid.split("@");
      xmpp = client({ service, domain, username, password, resource: "script" });
      xmpp.timeout = 60_000;
      xmpp.reconnect.delay = 100;
      xmpp.on("error", (error) => log.add(`error ${error.condition ?? error.message}`));
      xmpp.on("status", (status) => log.add(status));
      xmpp.on("element", (element) => log.add(`S ${element.name}`));
      xmpp.on("send", (element) => log.add(`C ${element.name}`));
      xmpp.streamManagement.on("resumed", () => log.add("resumed"));
      xmpp.on("stanza", (stanza) => {
        const body = stanza.is("message") && stanza.getChildText("body");
        if (body) texts.add({ from: stanza.attrs.from, body });
        const x = stanza.is("presence") && stanza.getChild("x", `${MUC}#user`);
        if (x) presence.add({ from: stanza.attrs.from, codes: x.getChildren("status").map(({ attrs }) => attrs.code) });
      });
      await xmpp.start();
      await xmpp.send(xml("presence"));
      return { address: xmpp.jid.toString(), transport: xmpp.socket?.constructor?.name, sm: xmpp.streamManagement.enabled };
    },

    say: ({ to, text }) => xmpp.send(xml("message", { to, type: "chat" }, xml("body", {}, text))),

    /** Enters a room; a new one is opened for others as it is. */
    async enter({ room, nick }) {
      await xmpp.send(xml("presence", { to: `${room}/${nick}` }, xml("x", { xmlns: MUC })));
      const { codes } = await presence.first(({ from, codes }) => from === `${room}/${nick}` && codes.includes("110"));
      const form = xml("query", { xmlns: `${MUC}#owner` }, xml("x", { xmlns: "jabber:x:data", type: "submit" }));
      if (codes.includes("201")) await xmpp.iqCaller.request(xml("iq", { type: "set", to: room }, form));
      return codes;
    },
    speak: ({ room, text }) => xmpp.send(xml("message", { to: room, type: "groupchat" }, xml("body", {}, text))),

    /** Waits for a text; how often it came. */
    async hear({ text }) {
      const { from } = await texts.first(({ body }) => body === text);
      return { from, count: texts.all.filter(({ body }) => body === text).length };
    },

    /** Uploads bytes with fetch; the link. */
    async upload({ name, type, base64 }) {
      const bytes = Buffer.from(base64, "base64");
      const { put, headers, get } = await slot(name, type, bytes.length);
      const answer = await fetch(put, { method: "PUT", headers: { ...headers, "Content-Type": type }, body: bytes });
      if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
      return get;
    },

    /** Fetches a link. */
    async fetch({ url }) {
      const answer = await fetch(url);
      const bytes = Buffer.from(await answer.arrayBuffer());
      return { type: answer.headers.get("content-type"), base64: bytes.toString("base64") };
    },

    until: ({ entry, from = 0 }) => log.first((one) => one === entry, from),
    log: () => log.all,
    async ping() {
      await xmpp.iqCaller.get(xml("ping", "urn:xmpp:ping"), xmpp.jid.domain);
    },
    stop: () => xmpp.stop(),
  },
  async () => `log: ${log.all.join("\n")}`,
);
process.exit(0);
