//! `magpie invite …`: its arguments, its requests, and how the answers look.

use super::args::Command;
use super::table::render;
use super::words::sheet;
use crate::admin::protocol::{InviteKind, InviteRow, InviteWish, Reply, Request};
use crate::qr::Picture;
use clap::{Args, Subcommand, ValueEnum};

/// `magpie invite …`
#[derive(Debug, Subcommand)]
pub enum Invite {
    /// Make an invitation: a link, a QR code, and a URI for clients
    ///
    /// Examples:
    ///   magpie invite create                                      an account, name free to choose
    ///   magpie invite create --user juliet --expires 12h          an account of this name
    ///   magpie invite create --inviter romeo@example.org          an account, and romeo as a contact; or only that
    ///   magpie invite create --inviter romeo@example.org --kind contact --uses 30
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// List invitations that can still be used
    List,
    /// Show one invitation, also one that has ended
    Show {
        /// Its code
        code: String,
        /// Without the QR code
        #[arg(long)]
        no_qr: bool,
    },
    /// Make an invitation useless
    Revoke {
        /// Its code
        code: String,
    },
}

/// `magpie invite create`
#[derive(Args, Clone, Debug)]
pub struct Create {
    /// Domain of the new account; without it that of the inviter, or the first one served
    domain: Option<String>,
    /// What it is for; without it an account, and with --inviter both
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// The account whose contact people become by it; they see each other's presence at once
    #[arg(long, value_name = "JID")]
    inviter: Option<String>,
    /// The name the account must have; nobody else gets it meanwhile
    #[arg(long = "user", value_name = "NAME")]
    username: Option<String>,
    /// A group in the contact lists in which the two find each other
    #[arg(long, value_name = "GROUP", requires = "inviter")]
    group: Option<String>,
    /// How long it is good: 30m, 12h, 7d, 4w; without it, registration.invite_days
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Option<u64>,
    /// The same in days
    #[arg(long, value_name = "DAYS", conflicts_with = "expires", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: Option<u32>,
    /// How often it can be used
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    uses: u32,
    /// Without the QR code
    #[arg(long)]
    no_qr: bool,
}

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    /// To make an account
    Account,
    /// To become a contact of the inviter
    Contact,
    /// Whichever is needed
    Both,
}

/// A time span as people write it.
fn seconds(text: &str) -> Result<u64, String> {
    const EXPECTED: &str = "expected a number with m, h, d or w, such as 12h or 7d";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(EXPECTED.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| EXPECTED.to_owned())?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(|| EXPECTED.to_owned())
}

pub(super) fn request(invite: &Invite) -> Request {
    match invite {
        Invite::Create(wish) => Request::InviteCreate(InviteWish {
            domain: wish.domain.clone(),
            kind: wish.kind.map(|kind| match kind {
                KindArg::Account => InviteKind::Account,
                KindArg::Contact => InviteKind::Contact,
                KindArg::Both => InviteKind::Both,
            }),
            inviter: wish.inviter.clone(),
            username: wish.username.clone(),
            group: wish.group.clone(),
            seconds: wish.expires,
            days: wish.days,
            uses: wish.uses,
        }),
        Invite::List => Request::InviteList { after: 0 },
        Invite::Show { code, .. } => Request::InviteShow { code: code.clone() },
        Invite::Revoke { code } => Request::InviteRevoke { code: code.clone() },
    }
}

pub(super) fn next_page(seen: &Reply) -> Option<Request> {
    match seen {
        Reply::Invites { more: Some(after), .. } => Some(Request::InviteList { after: *after }),
        _ => None,
    }
}

/// The QR code that belongs to an answer, if it was not declined: of the page, which every telephone opens, or of the URI.
pub(super) fn picture(command: &Command, reply: &Reply, with_colors: bool) -> Option<String> {
    let (row, declined) = match (command, reply) {
        (Command::Invite(Invite::Create(wish)), Reply::InviteCreated(row)) => (row, wish.no_qr),
        (Command::Invite(Invite::Show { no_qr, .. }), Reply::Invite(row)) => (row, *no_qr),
        _ => return None,
    };
    let picture = Picture::new(row.link.as_ref().unwrap_or(&row.uri)).filter(|_| !declined)?;
    Some(format!("\n{}", picture.lines(with_colors)))
}

pub(super) fn shown(i: &InviteRow) -> String {
    let mut lines = Vec::new();
    lines.extend(i.link.iter().map(|link| ("link", link.clone())));
    lines.extend([("uri", i.uri.clone()), ("code", i.code.clone()), ("for", purpose(i))]);
    let known = [("inviter", &i.inviter), ("user", &i.username), ("group", &i.group), ("made by", &i.creator)];
    lines.extend(known.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    lines.extend([("uses left", uses(i)), ("until", i.expires.clone())]);
    sheet(&lines)
}

fn purpose(i: &InviteRow) -> String {
    match i.kind.as_str() {
        "contact" => "a contact".to_owned(),
        "both" => format!("an account at {} and a contact", i.domain),
        _ => format!("an account at {}", i.domain),
    }
}

fn uses(i: &InviteRow) -> String {
    format!("{} of {}", i.uses_left, i.uses_max)
}

pub(super) fn listed(invites: &[InviteRow]) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |i: &InviteRow| {
        let (inviter, user) = (or_dash(&i.inviter), or_dash(&i.username));
        [i.code.clone(), i.kind.clone(), i.domain.clone(), inviter, user, uses(i), i.expires.clone()]
    };
    let rows: Vec<_> = invites.iter().map(row).collect();
    render(["CODE", "KIND", "DOMAIN", "INVITER", "USER", "USES LEFT", "UNTIL"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans() {
        for (text, expected) in [("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("4w", 2_419_200)] {
            assert_eq!(seconds(text), Ok(expected));
        }
        for bad in ["", "7", "d", "-1d", "1.5h", "0d", "1y", "99999999999999999w", "7 d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_invitation_as_it_is_shown() {
        let row = InviteRow {
            code: "t0".into(),
            kind: "both".into(),
            link: Some("https://im.example/invite/t0".into()),
            uri: "xmpp:romeo@im.example?roster;preauth=t0;ibr=y".into(),
            domain: "im.example".into(),
            inviter: Some("romeo@im.example".into()),
            creator: None,
            username: None,
            group: None,
            created: "2030-01-01T00:00:00Z".into(),
            expires: "2030-01-08T00:00:00Z".into(),
            uses_left: 1,
            uses_max: 3,
        };
        let text = shown(&row);
        for part in ["https://im.example/invite/t0", "an account at im.example and a contact", "1 of 3", "romeo@im"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(listed(&[row]).contains("t0    both  im.example  romeo@im.example  -"));
    }
}
