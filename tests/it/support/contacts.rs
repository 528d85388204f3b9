//! Rosters and subscriptions: how tests set them up behind the server's back, and how they look at them.

use magpie::storage::{AccountId, RosterRow};

use super::client::Client;
use super::server::TestServer;
use super::xml::El;

pub(crate) const ROSTER: &str = "jabber:iq:roster";

/// The nine states of RFC 6121 Appendix A.1, in the RFC's order.
pub(crate) const STATES: [&str; 9] =
    ["None", "None+Out", "None+In", "None+OutIn", "To", "To+In", "From", "From+Out", "Both"];

/// What a roster item in this state looks like: `subscription` and whether `ask` is there.
pub(crate) fn visible(state: &str) -> (String, bool) {
    let (base, pending) = state.split_once('+').unwrap_or((state, ""));
    (base.to_lowercase(), pending.contains("Out"))
}

/// `<item/>` of a contact in this state, without name and groups.
pub(crate) fn item(contact: &str, state: &str) -> String {
    let (subscription, ask) = visible(state);
    let ask = if ask { " ask='subscribe'" } else { "" };
    format!("<item jid='{contact}' subscription='{subscription}'{ask}/>")
}

impl TestServer {
    fn full_name(&self, user: &str) -> String {
        if user.contains('@') { user.to_owned() } else { format!("{user}@{}", self.domain()) }
    }

    pub(crate) fn account_id(&self, user: &str) -> (AccountId, i64) {
        let storage = &self.server().core().storage;
        let record = self.runtime().block_on(storage.account(&self.full_name(user))).unwrap();
        let account = record.unwrap_or_else(|| panic!("no account {user}")).account;
        (account.id, account.roster_version)
    }

    /// Writes a row into a roster. The account must not be in use yet: the server reads rosters once.
    pub(crate) fn roster_row(&self, user: &str, row: RosterRow) {
        let (id, version) = self.account_id(user);
        let write = self.server().core().storage.roster_upsert(id, row, version + 1);
        self.runtime().block_on(write).unwrap();
    }

    /// A contact in one of the [`STATES`], an item of the roster in any of them.
    pub(crate) fn contact(&self, user: &str, contact: &str, state: &str) {
        let (subscription, ask) = visible(state);
        let (user, contact) = (self.full_name(user), self.full_name(contact));
        let pending_in = state.split_once('+').is_some_and(|(_, pending)| pending.contains("In"));
        let request = format!("<presence type='subscribe' from='{contact}' to='{user}'/>");
        let row = RosterRow {
            contact,
            subscription: ["none", "to", "from", "both"].iter().position(|s| *s == subscription).unwrap() as u8,
            ask,
            pending_in,
            pending_stanza: pending_in.then_some(request),
            in_roster: true,
            ..RosterRow::default()
        };
        self.roster_row(&user, row);
    }

    /// Two accounts that see each other's presence.
    pub(crate) fn friends(&self, one: &str, other: &str) {
        self.contact(one, other, "Both");
        self.contact(other, one, "Both");
    }

    /// Several accounts with the password `secret`.
    pub(crate) fn accounts(&self, names: &[&str]) {
        names.iter().for_each(|name| self.account(name, "secret"));
    }

    /// Logged in to an account that is there; interested in the roster and available, what that brought is dropped.
    #[track_caller]
    pub(crate) fn present(&self, user: &str, resource: &str) -> Client {
        let mut client = self.login(user, "secret", resource);
        client.roster();
        client.available();
        client
    }
}

impl Client {
    /// Asks for the roster, which makes the resource an interested one, and gives the items.
    #[track_caller]
    pub(crate) fn roster(&mut self) -> Vec<El> {
        self.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
        let answer = self.expect(
            "<iq type='result' id='roster' to='{jid}' from='{opt}'><query xmlns='jabber:iq:roster' ver='{opt}'>\
             <any/></query></iq>",
        );
        answer.find("query", ROSTER).expect("matched above").elements().cloned().collect()
    }

    /// The roster must consist of these items, in any order.
    #[track_caller]
    pub(crate) fn expect_roster(&mut self, items: &[&str]) {
        self.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
        self.expect(&format!(
            "<iq type='result' id='roster' to='{{jid}}' from='{{opt}}'>\
             <query xmlns='jabber:iq:roster' ver='{{opt}}' any-order='true'>{}</query></iq>",
            items.concat()
        ));
    }

    /// A roster set with these children of `<query/>`.
    #[track_caller]
    pub(crate) fn roster_set(&mut self, id: &str, items: &str) {
        self.send(&format!("<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'>{items}</query></iq>"));
    }

    /// RFC 6121 §2.1.6: a push of one item, addressed to the full JID, from nobody but the own account.
    #[track_caller]
    pub(crate) fn expect_push(&mut self, item: &str) -> El {
        self.expect(&push(item))
    }

    #[track_caller]
    pub(crate) fn expect_result(&mut self, id: &str) {
        self.expect(&format!("<iq type='result' id='{id}' to='{{jid}}' from='{{opt}}'/>"));
    }

    /// A roster set that works: pushed to this client, which must be interested, then answered.
    #[track_caller]
    pub(crate) fn change_roster(&mut self, set: &str, pushed: &str) {
        self.roster_set("change", set);
        self.expect_push(pushed);
        self.expect_result("change");
    }
}

/// The pattern of a roster push of this item.
pub(crate) fn push(item: &str) -> String {
    format!(
        "<iq type='set' id='{{any}}' to='{{jid}}'><query xmlns='jabber:iq:roster' ver='{{any}}'>{item}</query></iq>"
    )
}

/// The presence stanzas of this type (`""`: available) among what arrived, as `from` and raw text.
pub(crate) fn presences(seen: &[El], kind: &str) -> Vec<String> {
    let wanted = |el: &&El| el.name == "presence" && el.attr("type").unwrap_or("") == kind;
    seen.iter().filter(wanted).map(|el| el.attr("from").unwrap_or("").to_owned()).collect()
}
