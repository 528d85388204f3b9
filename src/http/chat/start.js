// Starts Converse.js (https://conversejs.org) with this server as the only one it knows: the addresses are those this page
// came from, and nothing is asked of anybody else.

const { domain, locked, registration, media } = document.body.dataset;
const address = (path) => new URL(path, location.href);
const files = address("chat/dist").href;
const websocket = address("xmpp-websocket");
websocket.protocol = location.protocol === "https:" ? "wss:" : "ws:";

/** Does the network let a WebSocket through? Some do not; and who asks for BOSH (`/chat?bosh`) gets it. */
function hasWebSocket() {
  if (new URLSearchParams(location.search).has("bosh")) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = new WebSocket(websocket, "xmpp");
    const answer = (works) => {
      clearTimeout(patience);
      resolve(works);
      socket.close();
    };
    const patience = setTimeout(answer, 10_000, false);
    socket.onopen = () => answer(true);
    socket.onerror = () => answer(false);
  });
}

/** An element in the place of one of theirs, which would load pictures from elsewhere or lead away from this server. */
function instead(name, build) {
  customElements.define(
    name,
    class extends HTMLElement {
      connectedCallback() {
        if (!this.hasChildNodes()) this.append(...build());
      }
    },
  );
}

function link(text, href) {
  return Object.assign(document.createElement("a"), { textContent: text, href, target: "_blank", rel: "noopener" });
}

instead("converse-controlbox-navbar", () => {
  const home = link("About this server", address("./").href);
  home.className = "nav-link p-3 text-end";
  return [home];
});
instead("converse-footer", () => {
  const credit = document.createElement("p");
  credit.className = "brand-subtitle text-center p-3";
  credit.append(link("Converse.js", "https://conversejs.org"), " is free software.");
  return [credit];
});

// It is in the page, too: it looks there for its own address when it looks for libomemo.
const [{ default: converse }, works] = await Promise.all([import("./dist/converse.min.js"), hasWebSocket()]);
// One of the two alone: Converse.js changes to the other one when it cannot reconnect at once, and loses its session by that.
const transport = works ? { websocket_url: websocket.href } : { bosh_service_url: address("http-bind").href };

// When the page is loaded again, Converse.js makes up a new resource and resumes the session of the old one: what it then
// sends is from an address that is not its own, which ends the stream (RFC 6120 §8.1.2.1). So the tab keeps its resource.
const SAME_RESOURCE = "same-resource";
const REMEMBERED = "conversejs-session-jid";
converse.plugins.add(SAME_RESOURCE, {
  initialize() {
    const { _converse } = this;
    _converse.api.listen.on("beforeAttemptNonPreboundSession", (_context, payload) => {
      const jid = _converse.session.get("jid");
      if (jid?.includes("/") && localStorage.getItem(REMEMBERED) === jid.split("/")[0]) {
        localStorage.setItem(REMEMBERED, jid);
      }
      return payload;
    });
  },
});

converse.initialize({
  whitelisted_plugins: [SAME_RESOURCE],
  ...transport,
  discover_connection_methods: false,
  view_mode: "fullscreen",
  loglevel: "warn",
  ...(locked ? { locked_domain: domain } : { default_domain: domain }),
  domain_placeholder: domain,
  allow_registration: registration === "open",
  registration_domain: domain,
  message_archiving: "always",
  muc_nickname_from_jid: true,
  // Without one there is no field for the name of a room either.
  muc_search_service: `conference.${domain}`,
  // What would be fetched from, or asked of, somebody else.
  assets_path: files,
  sounds_path: `${files}/sounds/`,
  notification_icon: `${files}/images/logo/conversejs-filled-192.png`,
  allowed_audio_domains: media.split(" "),
  allowed_image_domains: media.split(" "),
  allowed_video_domains: media.split(" "),
  embed_3rd_party_media_players: false,
  fetch_url_headers: false,
  autocomplete_providers_url: "",
  providers_link: "",
  xmpp_providers_url: "",
});
