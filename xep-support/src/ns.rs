//! Every XML namespace and service discovery feature the server knows, once, under the document that defines it.
//!
//! Names are the words of the standards. A version number stays out of the name unless two versions must be told apart.

mod login;

pub use login::*;

// XML itself.

/// The prefix `xml` (Namespaces in XML 1.0 §3).
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The prefix `xmlns` (Namespaces in XML 1.0 §3).
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

// RFC 6120: XMPP Core.

/// Content namespace of a client stream (§4.8.2).
pub const CLIENT: &str = "jabber:client";
/// Content namespace of a server stream (§4.8.2).
pub const SERVER: &str = "jabber:server";
/// The stream element, its features and its errors (§4.8.1).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// Conditions of stream errors (§4.9.2).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Conditions of stanza errors (§8.3.2).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS (§5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (§6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Resource binding (§7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

// RFC 3921: the session request that RFC 6121 made a no-op.

/// Session establishment (RFC 3921 §3).
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";

// RFC 6121: Instant Messaging and Presence.

/// Roster management (§2).
pub const ROSTER: &str = "jabber:iq:roster";
/// Stream feature: roster versioning (§2.6; before that XEP-0237).
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
/// Stream feature: subscription pre-approval (§3.4).
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";

// RFC 7395: XMPP over WebSocket.

/// Framing of a stream over WebSocket (§3.3).
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";

// XEP-0004: Data Forms. XEP-0122: validation.

/// XEP-0004 data form.
pub const DATA_FORM: &str = "jabber:x:data";
/// XEP-0122 validation of a form field.
pub const DATA_VALIDATE: &str = "http://jabber.org/protocol/xdata-validate";

// XEP-0012: Last Activity.

/// XEP-0012 last activity.
pub const LAST: &str = "jabber:iq:last";

// XEP-0013: Flexible Offline Message Retrieval.

/// XEP-0013 offline message retrieval.
pub const OFFLINE: &str = "http://jabber.org/protocol/offline";

// XEP-0030: Service Discovery.

/// XEP-0030 information about an entity.
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// XEP-0030 items of an entity.
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";

// XEP-0033: Extended Stanza Addressing.

/// XEP-0033 addresses.
pub const ADDRESS: &str = "http://jabber.org/protocol/address";

// XEP-0045: Multi-User Chat, with XEP-0249: direct invitations, XEP-0317: hats, XEP-0410: self-ping, XEP-0421: occupant ids.

/// XEP-0045 feature of a room service, and the join element.
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// XEP-0045 what a room tells its occupants.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// XEP-0045 requests of admins.
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// XEP-0045 requests of owners.
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// XEP-0045 FORM_TYPE of a room's configuration.
pub const MUC_ROOM_CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// XEP-0045 FORM_TYPE of a room's extended information.
pub const MUC_ROOM_INFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// XEP-0045 FORM_TYPE of a registration with a room.
pub const MUC_REGISTER: &str = "http://jabber.org/protocol/muc#register";
/// XEP-0045 FORM_TYPE of a request for voice.
pub const MUC_REQUEST: &str = "http://jabber.org/protocol/muc#request";
/// XEP-0045 feature: ids of messages are kept in the reflected copy.
pub const MUC_STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";
/// XEP-0249 direct invitation to a room.
pub const CONFERENCE: &str = "jabber:x:conference";
/// XEP-0463 versions of affiliations.
pub const MUC_AFFILIATIONS: &str = "urn:xmpp:muc:affiliations:1";
/// XEP-0317 hats.
pub const HATS: &str = "urn:xmpp:hats:0";
/// XEP-0410 feature: the service answers self-pings itself.
pub const MUC_SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
/// Channel search (XEP-0433).
pub const CHANNEL_SEARCH: &str = "urn:xmpp:channel-search:0:search";
/// The form of channel search (XEP-0433).
pub const CHANNEL_SEARCH_PARAMS: &str = "urn:xmpp:channel-search:0:search-params";
/// Errors of channel search (XEP-0433).
pub const CHANNEL_SEARCH_ERROR: &str = "urn:xmpp:channel-search:0:error";
/// XEP-0421 occupant id.
pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
/// XEP-0513 explicit mentions.
pub const MENTIONS: &str = "urn:xmpp:mentions:0";

// XEP-0049: Private XML Storage, with XEP-0048: Bookmarks, XEP-0402: PEP Native Bookmarks, XEP-0145: annotations.

/// XEP-0049 private XML storage.
pub const PRIVATE: &str = "jabber:iq:private";
/// XEP-0048 bookmarks.
pub const BOOKMARKS: &str = "storage:bookmarks";
/// XEP-0145 roster notes.
pub const ROSTER_NOTES: &str = "storage:rosternotes";
/// XEP-0083 delimiter of nested roster groups.
pub const ROSTER_DELIMITER: &str = "roster:delimiter";
/// XEP-0402 bookmarks as PEP items.
pub const BOOKMARKS_PEP: &str = "urn:xmpp:bookmarks:1";
/// XEP-0402 feature: the server keeps old and new bookmarks the same.
pub const BOOKMARKS_COMPAT: &str = "urn:xmpp:bookmarks:1#compat";
/// XEP-0411 feature: bookmarks in private storage and PEP are the same.
pub const BOOKMARKS_CONVERSION: &str = "urn:xmpp:bookmarks-conversion:0";

// XEP-0050: Ad-Hoc Commands, with XEP-0133: Service Administration.

/// XEP-0050 ad-hoc commands.
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// XEP-0133 prefix of the administration commands' nodes, and their FORM_TYPE.
pub const ADMIN: &str = "http://jabber.org/protocol/admin";

// XEP-0054: vcard-temp, with XEP-0153 and XEP-0398: avatars, XEP-0292: vCard4.

/// XEP-0054 vcard-temp.
pub const VCARD: &str = "vcard-temp";
/// XEP-0153 hash of the avatar in presence.
pub const VCARD_UPDATE: &str = "vcard-temp:x:update";
/// XEP-0292 vCard4 (RFC 6351).
pub const VCARD4: &str = "urn:ietf:params:xml:ns:vcard-4.0";
/// XEP-0292 PEP node of a vCard4.
pub const VCARD4_PEP: &str = "urn:xmpp:vcard4";
/// XEP-0398 feature: avatars of PEP and vcard-temp are the same.
pub const AVATAR_CONVERSION: &str = "urn:xmpp:pep-vcard-conversion:0";

// XEP-0055: Jabber Search.

/// XEP-0055 search in a user directory.
pub const SEARCH: &str = "jabber:iq:search";

// XEP-0059: Result Set Management.

/// XEP-0059 result set management.
pub const RSM: &str = "http://jabber.org/protocol/rsm";

// XEP-0060: Publish-Subscribe, with XEP-0163: Personal Eventing.

/// XEP-0060 requests of publishers and subscribers.
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
/// XEP-0060 errors.
pub const PUBSUB_ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
/// XEP-0060 notifications.
pub const PUBSUB_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// XEP-0060 requests of owners.
pub const PUBSUB_OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
/// XEP-0060 FORM_TYPE of a node's configuration.
pub const PUBSUB_NODE_CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";
/// XEP-0060 FORM_TYPE of a node's metadata.
pub const PUBSUB_META_DATA: &str = "http://jabber.org/protocol/pubsub#meta-data";
/// XEP-0060 FORM_TYPE and feature of publishing options.
pub const PUBSUB_PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// XEP-0060 FORM_TYPE of a subscription's options.
pub const PUBSUB_SUBSCRIBE_OPTIONS: &str = "http://jabber.org/protocol/pubsub#subscribe_options";
/// XEP-0060 FORM_TYPE of a request for authorisation.
pub const PUBSUB_SUBSCRIBE_AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";
/// XEP-0462 disco FORM_TYPE for filtering nodes by type.
pub const PUBSUB_TYPE_FILTERING: &str = "urn:xmpp:pubsub-filter:0";

// XEP-0065: SOCKS5 Bytestreams.

/// XEP-0065 bytestreams through a proxy.
pub const BYTESTREAMS: &str = "http://jabber.org/protocol/bytestreams";

// XEP-0066: Out of Band Data.

/// XEP-0066 an address to fetch, in a request.
pub const OOB_IQ: &str = "jabber:iq:oob";
/// XEP-0066 an address to fetch, in a message.
pub const OOB: &str = "jabber:x:oob";

// XEP-0071: XHTML-IM.

/// XEP-0071 formatted body (obsolete).
pub const XHTML_IM: &str = "http://jabber.org/protocol/xhtml-im";

// XEP-0077: In-Band Registration, with XEP-0401 and XEP-0445: invitations.

/// XEP-0077 registration and password change.
pub const REGISTER: &str = "jabber:iq:register";
/// XEP-0077 stream feature.
pub const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
/// XEP-0401 invitations made by ad-hoc command.
pub const INVITE: &str = "urn:xmpp:invite";
/// XEP-0445 registration with a token before authentication.
pub const PREAUTH: &str = "urn:xmpp:pars:0";

/// XEP-0445: invitations are taken at registration.
pub const IBR_TOKEN: &str = "urn:xmpp:ibr-token:0";

// XEP-0078: Non-SASL Authentication.

/// XEP-0078 authentication without SASL (obsolete).
pub const AUTH: &str = "jabber:iq:auth";

// XEP-0080, 0084, 0107, 0108, 0118, 0172: what people publish about themselves.

/// XEP-0080 location.
pub const GEOLOC: &str = "http://jabber.org/protocol/geoloc";
/// XEP-0084 avatar data.
pub const AVATAR_DATA: &str = "urn:xmpp:avatar:data";
/// XEP-0084 avatar metadata.
pub const AVATAR_METADATA: &str = "urn:xmpp:avatar:metadata";
/// XEP-0107 mood.
pub const MOOD: &str = "http://jabber.org/protocol/mood";
/// XEP-0108 activity.
pub const ACTIVITY: &str = "http://jabber.org/protocol/activity";
/// XEP-0118 tune.
pub const TUNE: &str = "http://jabber.org/protocol/tune";
/// XEP-0172 nickname.
pub const NICK: &str = "http://jabber.org/protocol/nick";

// XEP-0085: Chat State Notifications.

/// XEP-0085 chat states.
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";

// XEP-0092: Software Version. XEP-0232: Software Information.

/// XEP-0092 software version.
pub const VERSION: &str = "jabber:iq:version";
/// XEP-0232 disco FORM_TYPE of software information.
pub const SOFTWARE_INFO: &str = "urn:xmpp:dataforms:softwareinfo";

// XEP-0106: JID Escaping.

/// XEP-0106 feature: escaped localparts.
pub const JID_ESCAPING: &str = "jid\\20escaping";

// XEP-0114: Jabber Component Protocol, with XEP-0355 and XEP-0356: delegation and privilege.

/// XEP-0114 content namespace of a component's stream.
pub const COMPONENT: &str = "jabber:component:accept";
/// XEP-0355 namespace delegation.
pub const DELEGATION: &str = "urn:xmpp:delegation:2";
/// XEP-0356 privileged entity.
pub const PRIVILEGE: &str = "urn:xmpp:privilege:2";

// XEP-0115: Entity Capabilities. XEP-0390: version 2.

/// XEP-0115 hash of capabilities in presence.
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// XEP-0115 feature: the server broadcasts only what changed.
pub const CAPS_OPTIMIZE: &str = "http://jabber.org/protocol/caps#optimize";
/// XEP-0390 hashes of capabilities.
pub const CAPS2: &str = "urn:xmpp:caps";
/// XEP-0390 feature: the server broadcasts only what changed.
pub const CAPS2_OPTIMIZE: &str = "urn:xmpp:caps:optimize";

// XEP-0124 and XEP-0206: BOSH.

/// XEP-0124 the `<body/>` of HTTP binding.
pub const BOSH: &str = "http://jabber.org/protocol/httpbind";
/// XEP-0206 attributes of XMPP in that body.
pub const XBOSH: &str = "urn:xmpp:xbosh";

// XEP-0131: Stanza Headers and Internet Metadata.

/// XEP-0131 headers.
pub const SHIM: &str = "http://jabber.org/protocol/shim";

// XEP-0138: Stream Compression.

/// XEP-0138 requests for compression.
pub const COMPRESS: &str = "http://jabber.org/protocol/compress";
/// XEP-0138 stream feature.
pub const COMPRESS_FEATURE: &str = "http://jabber.org/features/compress";

// XEP-0144: Roster Item Exchange.

/// XEP-0144 roster item exchange.
pub const ROSTER_EXCHANGE: &str = "http://jabber.org/protocol/rosterx";

// XEP-0156: Discovering Alternative XMPP Connection Methods.

/// XEP-0156 link relation of BOSH.
pub const ALT_CONNECTIONS_BOSH: &str = "urn:xmpp:alt-connections:xbosh";
/// XEP-0156 link relation of WebSocket.
pub const ALT_CONNECTIONS_WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
/// XEP-0156 the document that holds the links (RFC 6415).
pub const XRD: &str = "http://docs.oasis-open.org/ns/xri/xrd-1.0";

// XEP-0157: Contact Addresses for XMPP Services. XEP-0128: extended disco information.

/// XEP-0157 disco FORM_TYPE of the contact addresses.
pub const SERVER_INFO: &str = "http://jabber.org/network/serverinfo";

// XEP-0158: CAPTCHA Forms. XEP-0231: Bits of Binary.

/// XEP-0158 challenge in a form.
pub const CAPTCHA: &str = "urn:xmpp:captcha";
/// XEP-0231 small binary data.
pub const BOB: &str = "urn:xmpp:bob";

// XEP-0160: Best Practices for Handling Offline Messages.

/// XEP-0160 feature: messages to offline users are kept.
pub const MSG_OFFLINE: &str = "msgoffline";

// XEP-0166 and the like: calls, which a server must be able to tell from other messages.

/// XEP-0166 Jingle.
pub const JINGLE: &str = "urn:xmpp:jingle:1";
/// XEP-0353 invitations to a Jingle session.
pub const JINGLE_MESSAGE: &str = "urn:xmpp:jingle-message:0";

// XEP-0184: Message Delivery Receipts. XEP-0333: Displayed Markers. XEP-0490: displayed synchronisation.

/// XEP-0184 receipts.
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// XEP-0333 chat markers.
pub const CHAT_MARKERS: &str = "urn:xmpp:chat-markers:0";
/// XEP-0490 PEP node of what was displayed.
pub const MDS: &str = "urn:xmpp:mds:displayed:0";
/// XEP-0490 feature: the server takes the marker from a message that is sent.
pub const MDS_SERVER_ASSIST: &str = "urn:xmpp:mds:server-assist:0";

// XEP-0191: Blocking Command. XEP-0377: Spam Reporting.

/// XEP-0191 blocking command.
pub const BLOCKING: &str = "urn:xmpp:blocking";
/// XEP-0191 application condition of a stanza to somebody whom one has blocked.
pub const BLOCKING_ERRORS: &str = "urn:xmpp:blocking:errors";
/// XEP-0377 report of spam in a blocking request.
pub const REPORTING: &str = "urn:xmpp:reporting:1";

// XEP-0198: Stream Management.

/// XEP-0198 stream management.
pub const SM: &str = "urn:xmpp:sm:3";

// XEP-0199: XMPP Ping.

/// XEP-0199 ping.
pub const PING: &str = "urn:xmpp:ping";

// XEP-0202: Entity Time.

/// XEP-0202 time.
pub const TIME: &str = "urn:xmpp:time";

// XEP-0203: Delayed Delivery.

/// XEP-0203 delayed delivery.
pub const DELAY: &str = "urn:xmpp:delay";

// XEP-0215: External Service Discovery.

/// XEP-0215 external services.
pub const EXTERNAL_SERVICES: &str = "urn:xmpp:extdisco:2";

// XEP-0220: Server Dialback. XEP-0288: Bidirectional Server-to-Server Connections.

/// XEP-0220 dialback elements, bound to the prefix `db`.
pub const DIALBACK: &str = "jabber:server:dialback";
/// XEP-0220 stream feature.
pub const DIALBACK_FEATURE: &str = "urn:xmpp:features:dialback";
/// XEP-0288 request for stanzas in both directions.
pub const BIDI: &str = "urn:xmpp:bidi";
/// XEP-0288 stream feature.
pub const BIDI_FEATURE: &str = "urn:xmpp:features:bidi";

// XEP-0224: Attention.

/// XEP-0224 attention.
pub const ATTENTION: &str = "urn:xmpp:attention:0";

// XEP-0280: Message Carbons.

/// XEP-0280 carbons.
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// XEP-0280 feature: the recommended rules for what is copied.
pub const CARBONS_RULES: &str = "urn:xmpp:carbons:rules:0";

// XEP-0297: Stanza Forwarding.

/// XEP-0297 a stanza in a stanza.
pub const FORWARD: &str = "urn:xmpp:forward:0";

// XEP-0300: Cryptographic Hash Functions.

/// XEP-0300 hashes.
pub const HASHES: &str = "urn:xmpp:hashes:2";

// XEP-0308: Last Message Correction. XEP-0424: retraction. XEP-0425: moderation. XEP-0444: reactions. XEP-0461: replies.

/// XEP-0308 correction.
pub const CORRECT: &str = "urn:xmpp:message-correct:0";
/// XEP-0424 retraction.
pub const RETRACT: &str = "urn:xmpp:message-retract:1";
/// XEP-0424 feature: what was retracted leaves a tombstone in the archive.
pub const RETRACT_TOMBSTONE: &str = "urn:xmpp:message-retract:1#tombstone";
/// XEP-0425 moderation.
pub const MODERATE: &str = "urn:xmpp:message-moderate:1";
/// XEP-0428 a body that is only for clients which do not know better.
pub const FALLBACK: &str = "urn:xmpp:fallback:0";
/// XEP-0444 reactions.
pub const REACTIONS: &str = "urn:xmpp:reactions:0";
/// XEP-0461 replies.
pub const REPLY: &str = "urn:xmpp:reply:0";

// XEP-0313: Message Archive Management, with XEP-0441: preferences.

/// XEP-0313 archive.
pub const MAM: &str = "urn:xmpp:mam:2";
/// XEP-0313 feature: whether messages of rooms are wanted can be said.
pub const MAM_GROUPCHAT_FIELD: &str = "urn:xmpp:mam:2#groupchat-field";
/// XEP-0431 full-text search.
pub const FULLTEXT: &str = "urn:xmpp:fulltext:0";
/// XEP-0313 feature: the extended fields of queries.
pub const MAM_EXTENDED: &str = "urn:xmpp:mam:2#extended";

// XEP-0334: Message Processing Hints.

/// XEP-0334 hints.
pub const HINTS: &str = "urn:xmpp:hints";

// XEP-0352: Client State Indication.

/// XEP-0352 client state.
pub const CSI: &str = "urn:xmpp:csi:0";

// XEP-0357: Push Notifications.

/// XEP-0357 push.
pub const PUSH: &str = "urn:xmpp:push:0";
/// XEP-0357 FORM_TYPE of the summary in a notification.
pub const PUSH_SUMMARY: &str = "urn:xmpp:push:summary";

// XEP-0359: Unique and Stable Stanza IDs.

/// XEP-0359 stanza-id and origin-id.
pub const SID: &str = "urn:xmpp:sid:0";

// XEP-0363: HTTP File Upload.

/// XEP-0363 upload.
pub const UPLOAD: &str = "urn:xmpp:http:upload:0";
/// XEP-0363 what an upload is for.
pub const UPLOAD_PURPOSE: &str = "urn:xmpp:http:upload:purpose:0";

// XEP-0369: Mediated Information eXchange.

/// XEP-0369 MIX core.
pub const MIX_CORE: &str = "urn:xmpp:mix:core:1";

// XEP-0380: Explicit Message Encryption, and the encryptions a server must recognise.

/// XEP-0380 which encryption a message uses.
pub const EME: &str = "urn:xmpp:eme:0";
/// OMEMO as deployed since 2016: XEP-0384 before version 0.4.
pub const OMEMO_LEGACY: &str = "eu.siacs.conversations.axolotl";
/// XEP-0384 OMEMO.
pub const OMEMO: &str = "urn:xmpp:omemo:2";
/// XEP-0373 OpenPGP.
pub const OPENPGP: &str = "urn:xmpp:openpgp:0";
/// XEP-0027 OpenPGP as it was before (obsolete).
pub const OPENPGP_LEGACY: &str = "jabber:x:encrypted";

// XEP-0478: Stream Limits Advertisement.

/// XEP-0478 stream limits.
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";

// XEP-0485 and XEP-0486: information about PubSub services and rooms.

/// XEP-0485 PubSub server information.
pub const PUBSUB_SERVER_INFO: &str = "urn:xmpp:serverinfo:0";
