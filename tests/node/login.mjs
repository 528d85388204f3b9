// xmpp.js through SASL2, Bind 2, FAST and stream management. `node login.mjs SCENARIO` logs in as TEST_JID with
// TEST_PASSWORD at TEST_SERVICE, and prints what it did as one line of JSON; test_xmppjs.py says what that should be.

import { client, xml } from "@xmpp/client";

const { TEST_JID, TEST_PASSWORD, TEST_SERVICE } = process.env;
const [username, domain] = TEST_JID.split("@");
const DEVICE = "d4565fa7-4d72-4749-b3d3-740edbf87770";

/** A client that notes every element of the login, in both directions. */
function device({ password = TEST_PASSWORD, token, resource = "phone", id = DEVICE } = {}) {
  const userAgent = xml("user-agent", { id }, xml("software", {}, "xmpp.js"), xml("device", {}, "Phone"));
  const xmpp = client({ service: TEST_SERVICE, domain, username, password, resource, userAgent });
  // A busy machine is no failure.
  xmpp.timeout = 20_000;
  // It begins to listen for the answer to its stream header when the header was written, which may be too late.
  const open = xmpp.open.bind(xmpp);
  xmpp.open = (options) => Promise.race([event(xmpp, "open"), open(options)]);
  xmpp.log = [];
  xmpp.tokens = [];
  xmpp.on("error", (error) => xmpp.log.push(`error: ${error.condition ?? error.message}`));
  xmpp.on("send", (element) => note(xmpp, "C", element));
  xmpp.on("element", (element) => note(xmpp, "S", element));
  xmpp.fast.fetchToken = async () => xmpp.tokens.at(-1) ?? token;
  xmpp.fast.saveToken = async (saved) => xmpp.tokens.push(saved);
  xmpp.fast.deleteToken = async () => {
    token = undefined;
    xmpp.tokens.push(undefined);
  };
  return xmpp;
}

function note(xmpp, side, element) {
  const mechanism = element.name === "authenticate" ? ` ${element.attrs.mechanism}` : "";
  const inside = ["authenticate", "success"].includes(element.name)
    ? ` (${element.getChildElements().map((child) => child.name).join(" ")})`
    : "";
  xmpp.log.push(`${side} ${element.name}${mechanism}${inside}`);
}

const event = (emitter, name) => new Promise((resolve) => emitter.once(name, resolve));

async function logIn(options) {
  const xmpp = device(options);
  const address = await xmpp.start();
  await xmpp.stop();
  return { address: address.toString(), log: xmpp.log, tokens: xmpp.tokens };
}

const scenarios = {
  /** With the password, once. */
  password: () => logIn(),

  /** A token for the password, then the token instead of it, then one that nobody gave out. */
  async fast() {
    const first = await logIn();
    const second = await logIn({ password: "forgotten", token: first.tokens.at(-1) });
    const token = { ...first.tokens.at(-1), token: "invented" };
    const third = await logIn({ token });
    return { first, second, third };
  },

  /** The token of one device is of no use to another. */
  async stolen() {
    const first = await logIn();
    const other = device({ token: first.tokens.at(-1), id: "c8ae3e3d-1a2b-4b43-9b6f-5c7d2b0c8a11" });
    await other.start();
    await other.stop();
    return { log: other.log };
  },

  /** The connection is lost; the session goes on within the login that follows. */
  async resume() {
    const xmpp = device();
    const address = await xmpp.start();
    await xmpp.send(xml("presence"));
    // The server asks whether its answer has arrived; then it is quiet.
    while (!xmpp.log.includes("C a")) await event(xmpp, "send");
    const resumed = event(xmpp.streamManagement, "resumed");
    xmpp.reconnect.delay = 10;
    const before = xmpp.log.length;
    // The socket alone: no </stream:stream>.
    await xmpp._closeSocket();
    await resumed;
    const pong = await xmpp.iqCaller.get(xml("ping", "urn:xmpp:ping"), domain);
    const log = xmpp.log.slice(before);
    await xmpp.stop();
    return { before: address.toString(), after: xmpp.jid?.toString() ?? address.toString(), log, pong: pong === undefined };
  },
};

console.log(JSON.stringify(await scenarios[process.argv[2]]()));
process.exit(0);
