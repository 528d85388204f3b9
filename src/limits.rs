//! Every bound of the server: name with its unit, default, and why. Crossing one is an expected event with a defined
//! answer, a counter and a log line; no buffer, queue or table in the server grows without one of these.

use std::{net::IpAddr, time::Duration};

use crate::{config::section::section, net::addr::IpNet};

section! {
    /// Limits. What concerns a stream is taken by connections made after the change; the rest at once.
    pub struct Limits in "limits" {
        /// Largest stanza accepted from a client, in bytes; announced to it (XEP-0478). RFC 6120 §13.12 forbids less
        /// than 10000. 256 KiB carries every avatar and vCard in use.
        live (10_000, 16_777_216) stanza_bytes_max: usize = 256 * 1024,
        /// The same before authentication: a stranger may cost no more than this.
        live (10_000, 16_777_216) stanza_bytes_before_auth_max: usize = 16 * 1024,
        /// Largest stream header (`<stream:stream ...>`) in bytes.
        live (1_024, 1_048_576) header_bytes_max: usize = 8 * 1024,
        /// How deep elements may nest in a stanza. Forwarded archives of forwarded forms stay under 20.
        live (8, 1_000) xml_depth_max: usize = 64,
        /// Attributes of one element, namespace declarations included: checking them for duplicates costs their square.
        live (16, 1_000) attributes_max: usize = 64,
        /// Largest SASL message in bytes after base64.
        live (1_024, 1_048_576) sasl_bytes_max: usize = 8 * 1024,
        /// Time from the first byte to a bound resource, in seconds. A phone on a bad line needs ten.
        live negotiation_seconds_max: Duration = Duration::from_secs(60),
        /// Failed logins on one stream before it is closed; RFC 6120 §6.4.5 asks for 2 to 5 retries.
        live (1, 100) auth_attempts_per_stream_max: usize = 5,
        /// Bytes per second read from one client on average, 0: as fast as it comes. Above it the client is read more
        /// slowly; nothing is refused.
        live (0, i64::MAX as u64) bytes_per_second_max: usize = 256 * 1024,
        /// Bytes a client that was quiet may send at once before `bytes_per_second_max` slows it down.
        live bytes_burst_max: usize = 1024 * 1024,
        /// Stanzas taken from one connection before another one has its turn.
        live stanzas_per_wake_max: usize = 64,
        /// Seconds without a byte after which the server asks a client whether it is still there (XEP-0199).
        live idle_probe_seconds: Duration = Duration::from_secs(300),
        /// Seconds it then has for any sign of life before the connection counts as lost.
        live idle_dead_seconds: Duration = Duration::from_secs(90),
        /// Seconds a client may leave written bytes unread before the connection counts as lost.
        live write_stall_seconds_max: Duration = Duration::from_secs(60),
        /// Seconds a closing stream waits for the peer's `</stream:stream>`.
        live close_seconds_max: Duration = Duration::from_secs(5),
        /// Seconds a stop waits for streams to close and writers to drain.
        live shutdown_seconds_max: Duration = Duration::from_secs(10),

        /// Client connections altogether; more are closed at once. Idle ones cost about 3.5 KB each, 11 with TLS.
        live connections_total_max: usize = 100_000,
        /// Connections from one address at a time. Offices and mobile carriers put many people behind one.
        live connections_per_address_max: usize = 100,
        /// New connections from one address in a minute.
        live connections_per_address_per_minute_max: usize = 300,
        /// Addresses (IPv6: /64 networks) whose connections are counted; the longest silent are forgotten first.
        live addresses_tracked_max: usize = 100_000,
        /// Sessions of one account at a time.
        live resources_per_account_max: usize = 16,
        /// Stanzas of one session that are neither on disk nor delivered yet; then it stops reading that client for a
        /// moment, so that nobody can fill the queues of all.
        live unsettled_stanzas_max: usize = 256,

        /// Bytes waiting for one client that does not read; above it the session is closed and what it had not received
        /// goes the way of offline messages.
        live outbox_bytes_max: usize = 4 * 1024 * 1024,
        /// Stanzas waiting for one such client.
        live outbox_stanzas_max: usize = 10_000,
        /// Stanzas waiting for one account while it is read from disk; more are answered with resource-constraint.
        live parked_stanzas_max: usize = 1_000,
        /// Bytes of the same.
        live parked_bytes_max: usize = 4 * 1024 * 1024,
        /// Accounts being read from disk at a time.
        live accounts_loading_max: usize = 1_000,
        /// Accounts kept in memory that nobody is logged in to.
        live accounts_cached_max: usize = 10_000,
        /// Addresses outside the roster that one session has sent presence to and that must hear of its end.
        live directed_presence_max: usize = 1_000,

        /// Capabilities of clients that are remembered (XEP-0115), one entry for each version of each program; those nobody
        /// has used for the longest time go first, and are asked for again.
        live caps_known_max: usize = 10_000,
        /// Clients that are asked for their capabilities at a time; others wait for their turn.
        restart (1, 10_000) caps_questions_max: usize = 200,

        /// Contacts in one roster; more are refused with resource-constraint.
        live roster_items_max: usize = 2_000,
        /// Bytes of all contacts of one account, as they are sent: a roster goes out as one stanza, so this must be well
        /// below `outbox_bytes_max`.
        live roster_bytes_max: usize = 1024 * 1024,
        /// Bytes of a contact's name (RFC 6121 §2.1.2.4 leaves the limit to the server); more are not-acceptable.
        live roster_name_bytes_max: usize = 1_023,
        /// Groups of one contact.
        live roster_groups_max: usize = 32,
        /// Bytes of a group's name.
        live roster_group_bytes_max: usize = 1_023,
        /// Subscription requests waiting for one account's answer; more are not kept (RFC 6121 §3.1.3 keeps all).
        live subscription_requests_pending_max: usize = 500,
        /// Bytes kept of one such request; its extensions are dropped first.
        live subscription_request_bytes_max: usize = 4 * 1024,
        /// Entries of one account's block list (XEP-0191); more are refused with resource-constraint.
        live blocklist_items_max: usize = 2_000,
        /// Bytes of one such list: it goes out as one stanza, so this must be well below `outbox_bytes_max`.
        live blocklist_bytes_max: usize = 256 * 1024,
        /// Bytes of one element of private storage (XEP-0049).
        live private_bytes_max: usize = 128 * 1024,
        /// Elements of private storage of one account.
        live private_items_max: usize = 256,
        /// Bytes of a vCard, photograph included (XEP-0054).
        live vcard_bytes_max: usize = 128 * 1024,
        /// Seconds a session is kept for a client that lost its connection and may resume (XEP-0198); 0: not at all.
        live resume_seconds_max: Duration = Duration::from_secs(600),
        /// Sessions that are over of which it is remembered how many stanzas were handled, for clients that try to resume
        /// them; the oldest are forgotten first.
        live resume_ended_max: usize = 10_000,
        /// Stanzas sent and not acknowledged (XEP-0198); then nothing more is sent until the client acknowledges some.
        live unacked_stanzas_max: usize = 1_000,
        /// Bytes of such stanzas.
        live unacked_bytes_max: usize = 2 * 1024 * 1024,
        /// Stanzas after which the client is asked to acknowledge at the latest.
        live ack_request_stanzas_max: usize = 16,
        /// Size at which the journal of resumable sessions is rewritten without what is over. Twice as much when so much of it
        /// is still needed.
        restart (65_536, i64::MAX as u64) session_journal_bytes_max: usize = 16 * 1024 * 1024,
        /// Stanzas that wait for a client whose user does not look at it (XEP-0352); above it all of them are sent. 0: nothing
        /// waits.
        live inactive_stanzas_max: usize = 500,
        /// Bytes of such stanzas.
        live inactive_bytes_max: usize = 128 * 1024,
        /// Offline messages handed to a client before it must have taken them and more are read from disk.
        live offline_replay_batch_max: usize = 100,
        /// Messages on one page of an archive (XEP-0313); a client that wants more gets this many.
        live (1, 10_000) archive_page_messages_max: usize = 250,
        /// Bytes of such a page; it ends before the message that would not fit.
        live archive_page_bytes_max: usize = 1024 * 1024,
        /// JIDs in the archiving preferences of one account (XEP-0441); more are refused with resource-constraint.
        live (0, 1_000_000) archive_preferences_max: usize = 1_000,
        /// Messages whose words are indexed for one search (XEP-0431), which happens when an account searches. With more
        /// to be done the search is refused with resource-constraint, and goes on when it is tried again.
        live archive_indexed_per_search_max: usize = 50_000,

        /// Nodes of one account (XEP-0163); more are refused with policy-violation and max-nodes-exceeded.
        live pubsub_nodes_per_account_max: usize = 500,
        /// Nodes of one service (XEP-0060); the same.
        live pubsub_nodes_per_service_max: usize = 10_000,
        /// Bytes of the name of a node or item; more are not-acceptable.
        live (64, 3_071) pubsub_name_bytes_max: usize = 1_023,
        /// Items of one node: what `max_items=max` means. What happens beyond it is the node's `publish_node_full`.
        live pubsub_items_per_node_max: usize = 10_000,
        /// Bytes of the payload of one item; more are refused with payload-too-big.
        live pubsub_item_bytes_max: usize = 128 * 1024,
        /// Bytes of all items of one node; more are refused with resource-constraint.
        live pubsub_bytes_per_node_max: usize = 64 * 1024 * 1024,
        /// Bytes of all items of all nodes of one account; the same.
        live pubsub_bytes_per_account_max: usize = 64 * 1024 * 1024,
        /// Subscriptions to one node, those waiting for approval included; more are refused with policy-violation and
        /// too-many-subscriptions.
        live pubsub_subscriptions_per_node_max: usize = 10_000,
        /// Subscriptions of one user with one account or service; the same.
        live pubsub_subscriptions_per_user_max: usize = 1_000,
        /// Affiliations at one node; more are refused with resource-constraint.
        live pubsub_affiliations_per_node_max: usize = 1_000,
        /// Items in one answer; there is more where a result set says so (XEP-0059).
        live (1, 10_000) pubsub_page_items_max: usize = 1_000,
        /// Bytes of such an answer; it ends before the item that would not fit.
        live pubsub_page_bytes_max: usize = 1024 * 1024,
        /// Nodes, affiliations and subscriptions kept in memory for the next request.
        live pubsub_cached_max: usize = 20_000,
        /// Rooms of one service that stay when nobody is in them; more are refused with resource-constraint.
        live rooms_per_service_max: usize = 1_000_000,
        /// Rooms made by one user that stay, and as many that do not; the same.
        live rooms_per_owner_max: usize = 1_000,
        /// Rooms one session may be in; more are refused with resource-constraint.
        live rooms_per_session_max: usize = 500,
        /// Occupants of one room, whatever its owner says; more are told service-unavailable. Admins and owners of the room
        /// find a place beyond it, up to a tenth more.
        live (2, 1_000_000) room_occupants_max: usize = 20_000,
        /// Entries in the lists of a room: owners, admins, members, bans. More are refused with resource-constraint.
        live room_affiliations_max: usize = 10_000,
        /// Bytes of such a list that somebody is sent at once; who asks for a longer one is told resource-constraint. This
        /// must be well below `outbox_bytes_max`.
        live room_list_bytes_max: usize = 2 * 1024 * 1024,
        /// Hats of one room (XEP-0317); more are refused with resource-constraint.
        live (0, 1_000) room_hats_max: usize = 50,
        /// Hats one user wears in a room; the same.
        live (0, 1_000) room_hats_per_user_max: usize = 10,
        /// Hats worn in one room altogether; the same. They are in the presence everybody who enters is given.
        live (0, 100_000) room_hats_worn_max: usize = 1_000,
        /// Bytes of a hat as presence shows it, its title and URI above all; more are not-acceptable.
        live (64, 8_192) room_hat_bytes_max: usize = 512,
        /// Bytes of a nickname; more are not-acceptable.
        live (1, 1_023) room_nick_bytes_max: usize = 128,
        /// Bytes of what people write about a room or a decision: its name, description, subject, a reason. More are
        /// not-acceptable, a reason is cut off.
        live room_text_bytes_max: usize = 4_096,
        /// Bytes of presence in a room, which everybody who enters is given; more are refused with policy-violation, a last
        /// word is left out.
        live (256, 65_536) room_presence_bytes_max: usize = 8_192,
        /// Bytes of a message in a room; more are refused with policy-violation.
        live room_message_bytes_max: usize = 65_536,
        /// Stanzas that wait for a room to get round to them; more are refused with resource-constraint.
        live room_queue_max: usize = 10_000,
        /// Messages of a room kept in memory for those who enter.
        live room_history_stanzas_max: usize = 100,
        /// Bytes of these.
        live room_history_bytes_max: usize = 256 * 1024,
        /// Bytes of these in all rooms together; beyond them each room keeps an equal share.
        live rooms_history_bytes_max: usize = 256 * 1024 * 1024,
        /// Members who are not in a room up to whom they are told of a message by their push services; of a room with more of
        /// them nobody is told who is not there.
        live (0, 100_000) room_notified_members_max: usize = 500,
        /// Presences shown again to those who are in a room, when its configuration shows more of them or less; of a room where
        /// it would be more, only that it has changed.
        live room_shown_again_max: usize = 250_000,
        /// Rooms in one answer of service discovery; there is more where a result set says so (XEP-0059).
        live (1, 10_000) rooms_page_max: usize = 200,
        /// Registrations with push services of one account (XEP-0357); the next one takes the place of the oldest.
        live push_registrations_max: usize = 16,
        /// Bytes of the options a client wants sent with each notification; more are refused.
        live push_options_bytes_max: usize = 4 * 1024,
        /// Notifications in a row that may fail for the time being before the registration is removed. An error that
        /// will not go away removes it at once.
        live push_failures_max: usize = 16,
        /// Seconds a push service has for its answer.
        live push_answer_seconds_max: Duration = Duration::from_secs(30),
        /// Seconds between two notifications for one registration, unless somebody calls.
        live (0, 3_600) push_pause_seconds: Duration = Duration::from_secs(1),

        /// Failed logins from one address within the window; then every attempt from it fails. No exemption.
        live failed_logins_per_address_max: usize = 30,
        /// Failed logins to one account from one address within the window; then attempts on it from there fail. A
        /// stranger cannot lock a person out who is somewhere else.
        live failed_logins_per_account_max: usize = 10,
        /// Failed logins to one account within the window, from wherever; then every attempt on it fails until the
        /// window has moved on. High, for the same reason; it bounds guessing from many addresses.
        live failed_logins_per_account_total_max: usize = 1_000,
        /// That window in seconds.
        live failed_logins_window_seconds: Duration = Duration::from_secs(600),
        /// Addresses and accounts whose failures are remembered.
        live failed_logins_tracked_max: usize = 100_000,
        /// Logins remembered for some hours, half a kilobyte each: whoever comes back from the same address with the same
        /// password costs less. 0: none.
        live (0, 1_000_000) logins_remembered_max: usize = 1_024,
        /// Passwords hashed at a time (registration, PLAIN); each takes a processor for milliseconds.
        restart (1, 256) password_hashes_max: usize = 2,
        /// Accounts made from one address within an hour.
        live registrations_per_address_per_hour_max: usize = 5,
        /// Devices remembered for one account, with their tokens (XEP-0484); those not seen for longest make room.
        live (1, 10_000) devices_per_account_max: usize = 50,
        /// Bytes of the name of a device or its software; the rest is cut off.
        live (0, 10_000) device_text_bytes_max: usize = 256,
        /// Invitations of the operator's that can still be used.
        live invites_pending_max: usize = 1_000,
        /// Invitations that one account has made and that can still be used (XEP-0401).
        live invites_per_account_max: usize = 20,
        /// Commands with several steps that are under way (XEP-0050); when there are more the one that has waited for its
        /// user for longest is forgotten.
        live (1, 1_000_000) command_sessions_max: usize = 1_000,

        /// Writes waiting for the disk; more are answered with resource-constraint.
        restart writer_queue_max: usize = 10_000,
        /// Bytes of the same.
        restart writer_queue_bytes_max: usize = 64 * 1024 * 1024,
        /// Writes in one transaction.
        restart writer_batch_max: usize = 1_000,

        /// Connections of `magpie` commands to the running server at a time.
        live (2, 1_024) admin_connections_max: usize = 16,
        /// Bytes of one such request.
        live (4_096, 67_108_864) admin_request_bytes_max: usize = 1024 * 1024,

        /// Addresses the limits on connections, registrations and bytes per second do not count. Limits on failed
        /// logins know no exemption.
        live exempt_addresses: Vec<IpNet> = IpNet::loopback().to_vec(),
    }
}

impl Limits {
    /// Whether limits on connections, registrations and bytes per second leave this address alone.
    /// Never ask this for failed logins.
    pub fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt_addresses.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_exempt_by_default() {
        let limits = Limits::default();
        for (address, exempt) in [("127.0.0.1", true), ("::1", true), ("::ffff:127.0.0.1", true), ("192.0.2.1", false)]
        {
            assert_eq!(limits.is_exempt(address.parse().unwrap()), exempt, "{address}");
        }
    }
}
