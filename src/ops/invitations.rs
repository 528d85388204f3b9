//! Invitations (XEP-0401): made for operators and users, told as links, used to make an account (XEP-0445). How they open a
//! roster (XEP-0379): `im/subscription.rs`.

use super::{OpError, credentials_for_new, not_created, readable_secret};
use crate::account::Account;
use crate::account::roster::{Contact, Subscription};
use crate::clock;
use crate::config::RegistrationMode;
use crate::core::Core;
use crate::im::roster::Planned;
use crate::im::to_the_end;
use crate::router;
use crate::site::Site;
use crate::storage::{self, Invite, InviteKind, InvitedContact, NewInvite, NewInvited, Person};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;
use xep_support::jid::{BareJid, Jid};

/// 120 bits; XEP-0379 §5.1 asks for 80.
const TOKEN_LENGTH: usize = 24;
/// So long one that has ended is remembered, and its bearer told what became of it.
pub const REMEMBERED_US: i64 = 30 * 86_400_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// What somebody wants an invitation for.
#[derive(Debug)]
pub struct Wish {
    /// The domain of the account, or of the inviter.
    pub domain: String,
    /// Its kind; one that is not for accounts alone has an inviter.
    pub kind: InviteKind,
    /// The account that makes it; `None`: the operator.
    pub creator: Option<Person>,
    /// Whose contact its bearers become.
    pub inviter: Option<Person>,
    /// The localpart of the account, as it was typed.
    pub username: Option<String>,
    /// A roster group.
    pub group: Option<String>,
    /// For how many seconds; without it, as long as the settings say.
    pub seconds: Option<u64>,
    /// How often.
    pub uses: u32,
}

/// Why there is no invitation.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// As many can be used as the limits allow.
    #[error("{0} invitations wait to be used already ({1})")]
    TooMany(usize, &'static str),
    /// The name has an account, or is kept for somebody else.
    #[error("the name is taken")]
    NameTaken,
    /// No account can have this name.
    #[error("no account can have this name")]
    BadName,
    /// The system has no random numbers.
    #[error("no random numbers from the system")]
    Random,
    /// Storage refused.
    #[error("storage: {0}")]
    Storage(#[from] storage::Error),
}

/// Makes an invitation.
pub async fn make(core: &Core, wish: Wish) -> Result<Invite, WishError> {
    let (days, live_max, setting) = {
        let config = core.config();
        let limits = &config.limits;
        let (max, setting) = match wish.creator {
            None => (limits.invites_pending_max, "limits.invites_pending_max"),
            Some(_) => (limits.invites_per_account_max, "limits.invites_per_account_max"),
        };
        (config.registration.invite_days, max, setting)
    };
    let username = wish.username.map(|name| account_name(&name, &wish.domain)).transpose()?;
    let created_us = clock::now_micros();
    let valid_us = match wish.seconds {
        Some(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(MICROS_PER_SECOND),
        None => i64::from(days) * MICROS_PER_DAY,
    };
    let invite = Invite {
        token: readable_secret(TOKEN_LENGTH).ok_or(WishError::Random)?,
        domain: wish.domain,
        kind: wish.kind,
        creator: wish.creator,
        inviter: wish.inviter,
        // One account has the name: a second use would be for nothing.
        uses_max: if username.is_some() { 1 } else { wish.uses },
        uses_left: if username.is_some() { 1 } else { wish.uses },
        username,
        group: wish.group,
        created_us,
        expires_us: created_us.saturating_add(valid_us),
    };
    match core.storage.invite_create(invite.clone(), live_max).await? {
        NewInvite::Made => Ok(invite),
        NewInvite::TooMany => Err(WishError::TooMany(live_max, setting)),
        NewInvite::NameTaken => Err(WishError::NameTaken),
    }
}

/// The localpart as an account has it (RFC 7622 §3.3).
fn account_name(typed: &str, domain: &str) -> Result<String, WishError> {
    let jid = BareJid::new(Some(typed), domain).map_err(|_| WishError::BadName)?;
    let local = jid.local().ok_or(WishError::BadName)?;
    super::check_name(local).map_err(|_| WishError::BadName)?;
    Ok(local.to_owned())
}

/// An invitation as it is handed on.
#[derive(Debug, PartialEq, Eq)]
pub struct Links {
    /// For clients (XEP-0379 §3.2, XEP-0445 §2).
    pub uri: String,
    /// For browsers, if there is a web side.
    pub landing: Option<String>,
}

/// What stands in a URI for itself (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A bare JID in a URI (RFC 5122 §2.7).
pub fn encoded(local: Option<&str>, domain: &str) -> String {
    // An address of IPv6 stands in brackets, which are meant.
    let domain = if domain.starts_with('[') { domain.to_owned() } else { quoted(domain) };
    local.map_or_else(|| domain.clone(), |local| format!("{}@{domain}", quoted(local)))
}

fn quoted(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The links of an invitation.
pub fn links(core: &Core, invite: &Invite) -> Links {
    let config = core.config();
    let base = core.site.base_url(&config.http, &invite.domain);
    let base = base.or_else(|| Site::expected_url(&config.http, &invite.domain));
    Links {
        uri: uri(invite, config.registration.mode != RegistrationMode::Closed),
        landing: base.map(|base| format!("{base}/invite/{}", invite.token)),
    }
}

/// `ibr=y` only if that is so (XEP-0401 §5.1).
fn uri(invite: &Invite, accounts_can_be_made: bool) -> String {
    let token = &invite.token;
    match &invite.inviter {
        Some(inviter) if invite.kind.is_for_contact() => {
            let (local, domain) = inviter.jid.split_once('@').unwrap_or(("", &inviter.jid));
            let ibr = if invite.kind.is_for_account() && accounts_can_be_made { ";ibr=y" } else { "" };
            format!("xmpp:{}?roster;preauth={token}{ibr}", encoded(Some(local), domain))
        }
        _ => format!("xmpp:{}?register;preauth={token}", encoded(invite.username.as_deref(), &invite.domain)),
    }
}

/// A right to make an account, checked before.
pub struct Invitation {
    /// What was shown.
    pub invite: Invite,
    /// When it was found good; whether it has expired since does not matter (XEP-0445 §4).
    pub accepted_us: i64,
}

/// An invitation by which an account can be made in this domain now.
pub async fn find_for_account(core: &Core, token: &str, domain: &str) -> Result<Option<Invitation>, storage::Error> {
    let accepted_us = clock::now_micros();
    let found = core.storage.invite_get(token).await?;
    let good = |invite: &Invite| invite.is_good(accepted_us) && invite.domain == domain && invite.kind.is_for_account();
    Ok(found.filter(good).map(|invite| Invitation { invite, accepted_us }))
}

/// Makes an account, takes one use of the invitation and makes inviter and invited contacts of each other: all of it or
/// nothing. `false`: there is no contact, because there is no inviter or the inviter cannot take one.
pub async fn create_account(
    core: &Arc<Core>,
    jid: &BareJid,
    password: String,
    invitation: &Invitation,
) -> Result<bool, OpError> {
    let Invitation { invite, accepted_us } = invitation;
    if let Some(name) = invite.username.as_deref().filter(|name| jid.local() != Some(name)) {
        return Err(OpError::OtherName(name.to_owned()));
    }
    let credentials = credentials_for_new(core, jid, password, &invite.token).await?;
    let new = NewInvited {
        token: invite.token.clone(),
        accepted_us: *accepted_us,
        created_us: clock::now_micros(),
        jid: jid.to_string(),
        credentials,
        contact: None,
    };
    let (everything, jid, invite) = (core.clone(), jid.clone(), invite.clone());
    let work = to_the_end(core, async move { settle(&everything, &jid, &invite, new).await });
    work.await.unwrap_or(Err(OpError::Storage(storage::Error::Closed)))
}

async fn settle(core: &Arc<Core>, jid: &BareJid, invite: &Invite, mut new: NewInvited) -> Result<bool, OpError> {
    let mut has_contact = false;
    let created = match &invite.inviter {
        None => core.storage.account_create_invited(new).await,
        Some(person) => {
            let inviter = inviter(core, person).await?;
            let _turn = inviter.roster_turn().await;
            let planned = plan(core, &inviter, jid, invite.group.as_deref());
            new.contact = planned.as_ref().map(|planned| InvitedContact {
                inviter: person.id,
                inviters_row: planned.row(jid),
                inviters_version: planned.version,
                own_row: contact(invite.group.as_deref()).to_row(&inviter.jid),
            });
            let created = core.storage.account_create_invited(new).await;
            if let (Ok(_), Some(planned)) = (&created, planned) {
                has_contact = true;
                // XEP-0401 §5.5: the inviter sees it at once. Presence follows when the new one comes.
                planned.done(&inviter, jid);
            }
            created
        }
    };
    created.map_err(not_created)?;
    tracing::info!(
        account = %jid,
        inviter = invite.inviter.as_ref().map(|person| person.jid.as_str()),
        creator = invite.creator.as_ref().map(|person| person.jid.as_str()),
        "account created by invitation"
    );
    Ok(has_contact)
}

/// The account of the inviter; with it the invitation would have gone.
async fn inviter(core: &Arc<Core>, person: &Person) -> Result<Arc<Account>, OpError> {
    let jid = Jid::parse(&person.jid).map_err(|_| OpError::InviteGone)?.bare();
    let account = router::load(core, &jid).await.map_err(OpError::Storage)?;
    account.filter(|account| account.id == Some(person.id)).ok_or(OpError::InviteGone)
}

/// The new one in the inviter's roster. `None`: it is full, or the inviter wants nothing of that address (XEP-0191); then
/// there is an account all the same.
fn plan(core: &Core, inviter: &Account, jid: &BareJid, group: Option<&str>) -> Option<Planned> {
    let state = inviter.lock();
    let is_full =
        state.roster.listed().filter(|(contact, _)| *contact != jid).count() >= core.config().limits.roster_items_max;
    (!is_full && !state.blocks(jid) && !state.removed).then(|| Planned::new(&state, contact(group)))
}

/// Somebody one knows by an invitation: without a name (XEP-0379 §5.4).
fn contact(group: Option<&str>) -> Contact {
    Contact {
        listed: true,
        groups: group.map(Into::into).into_iter().collect(),
        subscription: Subscription { to: true, from: true, ..Subscription::default() },
        ..Contact::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::AccountId;

    fn invite(kind: InviteKind, inviter: Option<&str>, username: Option<&str>) -> Invite {
        Invite {
            token: "T0".into(),
            domain: "im.example".into(),
            kind,
            creator: None,
            inviter: inviter.map(|jid| Person { id: AccountId(1), jid: jid.into() }),
            username: username.map(str::to_owned),
            group: None,
            created_us: 0,
            expires_us: 1,
            uses_max: 1,
            uses_left: 1,
        }
    }

    /// XEP-0445 §2.1 to §2.3, XEP-0401 §5.1.
    #[test]
    fn what_a_link_says() {
        use InviteKind::{Account, Both, Contact};
        let romeo = Some("romeo@im.example");
        let rows = [
            (invite(Account, None, None), true, "xmpp:im.example?register;preauth=T0"),
            (invite(Account, romeo, Some("juliet")), true, "xmpp:juliet@im.example?register;preauth=T0"),
            (invite(Contact, romeo, None), true, "xmpp:romeo@im.example?roster;preauth=T0"),
            (invite(Both, romeo, None), true, "xmpp:romeo@im.example?roster;preauth=T0;ibr=y"),
            (invite(Both, romeo, None), false, "xmpp:romeo@im.example?roster;preauth=T0"),
        ];
        for (invite, open, expected) in rows {
            assert_eq!(uri(&invite, open), expected);
        }
    }

    /// RFC 5122 §2.7.2: whatever an address has in it, the URI does not end before its query.
    #[test]
    fn addresses_are_quoted() {
        assert_eq!(encoded(Some("d\\27artagnan"), "im.example"), "d%5C27artagnan@im.example");
        assert_eq!(encoded(Some("jürgen;x?y"), "im.example"), "j%C3%BCrgen%3Bx%3Fy@im.example");
        assert_eq!(encoded(None, "[::1]"), "[::1]");
    }

    #[test]
    fn names_are_as_accounts_have_them() {
        assert_eq!(account_name("Juliet", "im.example").ok().as_deref(), Some("juliet"));
        for bad in ["", "a b", "a@b", "\\20a"] {
            assert!(account_name(bad, "im.example").is_err(), "{bad}");
        }
    }
}
