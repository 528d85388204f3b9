// Converse.js in headless Chromium, as a user sees it: what is typed, clicked and shown. test_browser.py drives it.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { chromium } from "playwright-core";
import { DEADLINE_MS, obey, Seen } from "./remote.mjs";

const { TEST_CA, TEST_CHROMIUM, TEST_HTTPS_PORT, TEST_SCREENSHOTS } = process.env;

/** Chromium has no option to trust an authority, but one to take a certain key. So the certificate is verified here. */
async function serverKey() {
  const socket = connect({ port: Number(TEST_HTTPS_PORT), host: "localhost", servername: "localhost", ca: readFileSync(TEST_CA) });
  await once(socket, "secureConnect");
  const key = socket.getPeerX509Certificate().publicKey.export({ type: "spki", format: "der" });
  socket.destroy();
  return createHash("sha256").update(key).digest("base64");
}

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESK = { viewport: { width: 1100, height: 760 } };

const browser = await chromium.launch({
  executablePath: TEST_CHROMIUM,
  args: [`--ignore-certificate-errors-spki-list=${await serverKey()}`],
});

let page;
/** What the browser complained about, and whom it asked. */
const complaints = new Seen();
const requests = new Seen();
/** Text of WebSocket frames: "C …" and "S …". */
const frames = new Seen();

function watch(page) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.add(message.text());
  });
  page.on("pageerror", (error) => complaints.add(`uncaught: ${error.message}`));
  page.on("response", (answer) => {
    if (answer.status() >= 400) complaints.add(`${answer.status()} ${answer.url()}`);
  });
  page.on("request", (request) => requests.add(request.url()));
  page.on("websocket", (socket) => {
    requests.add(socket.url());
    socket.on("framesent", ({ payload }) => frames.add(`C ${payload}`));
    socket.on("framereceived", ({ payload }) => frames.add(`S ${payload}`));
  });
}

const shown = (text) => page.locator(".chat-msg__text", { hasText: text });
const pictures = () =>
  page.evaluate(() =>
    [...document.querySelectorAll(".chat-msg img.chat-image")]
      .filter((image) => image.complete && image.naturalWidth > 0)
      .map((image) => ({ url: image.src, width: image.naturalWidth, height: image.naturalHeight })),
  );

await obey(
  {
    /** Opens a page; on a phone, if asked. */
    async open({ url, phone }) {
      const context = await browser.newContext({ locale: "en-GB", ...(phone ? PHONE : DESK) });
      page = await context.newPage();
      page.setDefaultTimeout(DEADLINE_MS);
      watch(page);
      const answer = await page.goto(url);
      return { status: answer.status(), title: await page.title() };
    },

    reload: async () => void (await page.reload()),

    /** Waits for an element. */
    see: ({ selector }) => page.locator(selector).first().waitFor(),
    click: ({ selector }) => page.locator(selector).first().click(),
    text: ({ selector }) => page.locator(selector).first().innerText(),

    /** Waits until there is none. */
    gone: ({ selector }) => page.locator(selector).first().waitFor({ state: "detached" }),
    check: ({ selector }) => page.locator(selector).first().check(),

    /** Letter by letter, for what looks at each of them. */
    type: ({ selector, text }) => page.locator(selector).first().pressSequentially(text),
    fill: ({ selector, text }) => page.locator(selector).first().fill(text),

    /** Fills in the form; what comes of it is another step. */
    async enter({ name, password }) {
      await page.locator("#converse-login-jid").fill(name);
      await page.locator("#converse-login-password").fill(password);
      await page.locator("#converse-login button[type=submit]").click();
    },

    /** As if a link within the page were followed. */
    go: ({ hash }) => page.evaluate((hash) => void (location.hash = hash), hash),

    /** Clicks on a contact. */
    async chat({ jid }) {
      await page.locator(`#converse-roster a.open-chat[data-jid="${jid}"]`).click();
      await page.locator(".chat-textarea").waitFor();
    },

    async say({ text }) {
      await page.locator(".chat-textarea").fill(text);
      await page.locator(".chat-textarea").press("Enter");
      await shown(text).first().waitFor();
    },

    /** What begins with a slash is no message: nothing of it is shown. */
    async command({ text }) {
      await page.locator(".chat-textarea").fill(text);
      await page.locator(".chat-textarea").press("Enter");
    },

    /** Something that the menu of a message offers. */
    async act({ text, action }) {
      const message = page.locator(".chat-msg", { hasText: text }).first();
      await message.hover();
      await message.locator(".chat-msg__actions button.dropdown-toggle").click();
      await message.locator(action).click();
    },

    /** Waits for a message; how often it is there. */
    async hear({ text }) {
      await shown(text).first().waitFor();
      return shown(text).count();
    },

    /** Waits until the browser has it in its database: Converse.js writes behind what it shows, and acknowledges before. */
    kept: ({ text }) =>
      page.waitForFunction(async (text) => {
        const settled = (request) =>
          new Promise((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
          });
        for (const { name } of await indexedDB.databases()) {
          const database = await settled(indexedDB.open(name));
          try {
            for (const store of database.objectStoreNames) {
              const values = await settled(database.transaction(store).objectStore(store).getAll());
              if (values.some((value) => JSON.stringify(value).includes(text))) return true;
            }
          } finally {
            database.close();
          }
        }
        return false;
      }, text).then(() => undefined),

    /** Waits until a message is not shown any more. */
    silent: ({ text }) => shown(text).first().waitFor({ state: "detached" }),

    /** Chooses a file to send. */
    attach: ({ name, type, base64 }) =>
      page
        .locator("input.fileupload")
        .setInputFiles({ name, mimeType: type, buffer: Buffer.from(base64, "base64") }),

    /** Waits until as many pictures are shown. */
    async pictures({ count }) {
      await page.waitForFunction(
        (count) =>
          [...document.querySelectorAll(".chat-msg img.chat-image")].filter((i) => i.complete && i.naturalWidth > 0)
            .length >= count,
        count,
      );
      return pictures();
    },

    /** Waits for something on the WebSocket, from that place on; the place behind it all. */
    async frame({ text, from = 0 }) {
      await frames.first((frame) => frame.includes(text), from);
      return frames.all.length;
    },
    frames: () => frames.all.length,

    requests: () => requests.all,
    complaints: () => complaints.all,

    /** What the page looks like when nothing moves any more. */
    async picture({ name }) {
      await page.evaluate(async () => {
        await document.fonts.ready;
        const finite = document
          .getAnimations({ subtree: true })
          .filter((one) => one.effect?.getComputedTiming().endTime !== Infinity);
        await Promise.all(finite.map((one) => one.finished.catch(() => {})));
      });
      await page.screenshot({ path: join(TEST_SCREENSHOTS, `${name}.png`) });
    },
  },
  async () => {
    if (!page) return "";
    const path = join(TEST_SCREENSHOTS, `failed-${process.pid}.png`);
    await page.screenshot({ path }).catch(() => {});
    return `${path}\ncomplaints: ${complaints.all.join("\n")}\nframes: ${frames.all.slice(-20).join("\n")}`;
  },
);
await browser.close();
