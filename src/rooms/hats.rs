//! Hats (XEP-0317): names for what somebody is in a room, beyond affiliations and roles. They give no rights.

use crate::limits::Limits;
use crate::storage::{RoomHat, RoomHats};
use aws_lc_rs::digest;
use std::collections::{BTreeMap, BTreeSet};
use xep_support::jid::{BareJid, Jid};
use xep_support::ns;
use xep_support::xml::writer::escape_attr;

/// What a hat is beside its URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hat {
    /// Its name for people.
    pub title: Box<str>,
    /// Its colour: an angle (XEP-0392).
    pub hue: Option<Box<str>>,
}

/// The hats of a room by their URIs, and who wears them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hats {
    known: BTreeMap<Box<str>, Hat>,
    worn: BTreeMap<BareJid, BTreeSet<Box<str>>>,
}

/// Why something is no hat, or one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HatFault {
    /// RFC 3986 §3.
    #[error("the URI is none")]
    Uri,
    /// A hat needs a name.
    #[error("the title is missing")]
    Title,
    /// XEP-0392 §5.4: degrees.
    #[error("the hue is no angle from 0 to 360")]
    Hue,
    /// Everybody who enters is sent it.
    #[error("the hat is too large")]
    TooLarge,
    /// For the room.
    #[error("the room has too many hats")]
    TooMany,
    /// For who wears them.
    #[error("nobody can wear so many hats")]
    TooManyOfOne,
    /// All together.
    #[error("too many hats are worn in the room")]
    TooManyWorn,
}

impl Hat {
    /// A hat as somebody describes it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(uri: &str, title: &str, hue: Option<&str>, limits: &Limits) -> Result<Self, HatFault> {
        let title = title.trim();
        if !is_uri(uri) {
            return Err(HatFault::Uri);
        }
        if title.is_empty() {
            return Err(HatFault::Title);
        }
        let hue = hue.map(str::trim).filter(|hue| !hue.is_empty());
        if hue.is_some_and(|hue| !is_angle(hue)) {
            return Err(HatFault::Hue);
        }
        let hat = Self { title: title.into(), hue: hue.map(Into::into) };
        let mut printed = String::new();
        hat.write(&mut printed, uri);
        if printed.len() > limits.room_hat_bytes_max { Err(HatFault::TooLarge) } else { Ok(hat) }
    }

    /// As presence shows it (§3.1).
    fn write(&self, out: &mut String, uri: &str) {
        out.push_str("<hat title='");
        escape_attr(out, &self.title);
        out.push_str("' uri='");
        escape_attr(out, uri);
        if let Some(hue) = &self.hue {
            out.push_str("' hue='");
            escape_attr(out, hue);
        }
        out.push_str("'/>");
    }
}

/// RFC 3986 §3, as far as it matters: a scheme, and something that can be printed behind it.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(of_scheme)
        && !rest.is_empty()
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Degrees, written with digits and a point.
fn is_angle(text: &str) -> bool {
    const DIGITS_MAX: usize = 20;
    let written = text.len() <= DIGITS_MAX && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    written && text.parse().is_ok_and(|angle: f64| (0.0..=360.0).contains(&angle))
}

impl Hats {
    /// No hat at all?
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// All of them with their URIs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Hat)> {
        self.known.iter().map(|(uri, hat)| (&**uri, hat))
    }

    /// The hat with this URI.
    pub fn get(&self, uri: &str) -> Option<&Hat> {
        self.known.get(uri)
    }

    /// Has the room a place for this hat?
    ///
    /// # Errors
    /// It has too many.
    pub fn check_place(&self, uri: &str, limits: &Limits) -> Result<(), HatFault> {
        let fits = self.known.contains_key(uri) || self.known.len() < limits.room_hats_max;
        if fits { Ok(()) } else { Err(HatFault::TooMany) }
    }

    /// The room has this hat from now on.
    pub fn set(&mut self, uri: &str, hat: Hat) {
        self.known.insert(uri.into(), hat);
    }

    /// The room has this hat no more. Who wore it comes back.
    pub fn destroy(&mut self, uri: &str) -> BTreeSet<BareJid> {
        let wearers = self.wearers(uri);
        self.known.remove(uri);
        wearers.iter().for_each(|who| self.take_off(who, uri));
        wearers
    }

    /// Who wears it.
    pub fn wearers(&self, uri: &str) -> BTreeSet<BareJid> {
        self.worn.iter().filter(|(_, hats)| hats.contains(uri)).map(|(who, _)| who.clone()).collect()
    }

    /// Does somebody wear it?
    pub fn is_worn_by(&self, who: &BareJid, uri: &str) -> bool {
        self.worn.get(who).is_some_and(|hats| hats.contains(uri))
    }

    /// May somebody wear one more?
    ///
    /// # Errors
    /// That would be too many, of one or of all.
    pub fn check_head(&self, who: &BareJid, limits: &Limits) -> Result<(), HatFault> {
        if self.worn.get(who).is_some_and(|hats| hats.len() >= limits.room_hats_per_user_max) {
            return Err(HatFault::TooManyOfOne);
        }
        let all: usize = self.worn.values().map(BTreeSet::len).sum();
        if all < limits.room_hats_worn_max { Ok(()) } else { Err(HatFault::TooManyWorn) }
    }

    /// Somebody wears it from now on.
    pub fn put_on(&mut self, who: BareJid, uri: &str) {
        self.worn.entry(who).or_default().insert(uri.into());
    }

    /// Somebody wears it no more.
    pub fn take_off(&mut self, who: &BareJid, uri: &str) {
        if let Some(hats) = self.worn.get_mut(who) {
            hats.remove(uri);
            if hats.is_empty() {
                self.worn.remove(who);
            }
        }
    }

    /// Somebody is nobody any more.
    pub fn forget(&mut self, who: &BareJid) {
        self.worn.remove(who);
    }

    /// Who wears what.
    pub fn worn(&self) -> impl Iterator<Item = (&BareJid, &str, &Hat)> {
        let of_one = |(who, hats)| self.named(hats).map(move |(uri, hat)| (who, uri, hat));
        self.worn.iter().flat_map(of_one)
    }

    fn named<'a>(&'a self, uris: &'a BTreeSet<Box<str>>) -> impl Iterator<Item = (&'a str, &'a Hat)> {
        uris.iter().filter_map(|uri| Some((&**uri, self.known.get(uri)?)))
    }

    /// The hats of somebody, by their URIs.
    pub fn of(&self, who: &BareJid) -> impl Iterator<Item = &str> {
        self.worn.get(who).into_iter().flatten().map(|uri| &**uri)
    }

    /// The hats of somebody as presence shows them (§3.1); `None`: none.
    pub fn printed(&self, who: &BareJid) -> Option<Box<str>> {
        let uris = self.worn.get(who)?;
        let mut out = format!("<hats xmlns='{}'>", ns::HATS);
        self.named(uris).for_each(|(uri, hat)| hat.write(&mut out, uri));
        out.push_str("</hats>");
        Some(out.into())
    }

    /// §2: another one whenever a hat is another one. `None`: there are none.
    pub fn hash(&self) -> Option<String> {
        let mut context = digest::Context::new(&digest::SHA256);
        for (uri, hat) in self.iter() {
            for part in [uri, &hat.title, hat.hue.as_deref().unwrap_or_default()] {
                context.update(part.as_bytes());
                // In none of them.
                context.update(b"\0");
            }
        }
        let short = |hash: digest::Digest| hash.as_ref()[..20].iter().map(|byte| format!("{byte:02x}")).collect();
        (!self.is_empty()).then(|| short(context.finish()))
    }

    /// As they are stored.
    pub fn to_stored(&self) -> RoomHats {
        let hat = |(uri, hat): (&str, &Hat)| stored(uri, hat);
        let worn = |(who, uri, _): (&BareJid, &str, &Hat)| (who.to_string(), uri.to_owned());
        RoomHats { hats: self.iter().map(hat).collect(), worn: self.worn().map(worn).collect() }
    }

    /// From storage.
    pub fn from_stored(stored: RoomHats) -> Self {
        let mut hats = Self::default();
        for hat in stored.hats {
            hats.set(&hat.uri, Hat { title: hat.title.into(), hue: hat.hue.map(Into::into) });
        }
        for (who, uri) in stored.worn {
            if let Ok(who) = Jid::parse(&who) {
                hats.put_on(who.bare(), &uri);
            }
        }
        hats
    }
}

/// A hat as it is stored.
pub fn stored(uri: &str, hat: &Hat) -> RoomHat {
    RoomHat { uri: uri.to_owned(), title: hat.title.to_string(), hue: hat.hue.as_deref().map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> BareJid {
        BareJid::parse(&format!("{name}@x.example")).expect("a JID")
    }

    fn hat(title: &str) -> Hat {
        Hat { title: title.into(), hue: None }
    }

    #[test]
    fn what_is_a_hat() {
        let limits = Limits::default();
        let read = |uri: &str, title: &str, hue| Hat::read(uri, title, hue, &limits);
        assert_eq!(read("urn:x:host", " Host ", Some("")), Ok(hat("Host")));
        let coloured = Hat { hue: Some("327.255249".into()), ..hat("Host") };
        assert_eq!(read("http://schemas.example.com/hats#host", "Host", Some("327.255249")), Ok(coloured));
        for uri in ["", "host", ":x", "1x:y", "urn:", "urn:a b", "urn:a\u{7}"] {
            assert_eq!(read(uri, "Host", None), Err(HatFault::Uri), "{uri}");
        }
        for hue in ["-1", "361", "red", "1e2", "NaN", "inf", ".", "1.2.3"] {
            assert_eq!(read("urn:x", "Host", Some(hue)), Err(HatFault::Hue), "{hue}");
        }
        assert_eq!(read("urn:x", " ", None), Err(HatFault::Title));
        // What counts is how it is printed.
        let title = "'".repeat(limits.room_hat_bytes_max / 3);
        assert_eq!(read("urn:x", &title, None), Err(HatFault::TooLarge));
    }

    #[test]
    fn hats_are_put_on_and_taken_off() {
        let limits = Limits { room_hats_max: 2, room_hats_per_user_max: 2, room_hats_worn_max: 3, ..Limits::default() };
        let (mut hats, ann, bob) = (Hats::default(), who("ann"), who("bob"));
        assert_eq!((hats.hash(), hats.printed(&ann)), (None, None));
        hats.set("urn:b", hat("B & 'C'"));
        let first = hats.hash();
        hats.set("urn:a", Hat { hue: Some("5".into()), ..hat("A") });
        assert!(first.is_some() && hats.hash() != first);
        assert_eq!(hats.check_place("urn:c", &limits), Err(HatFault::TooMany));
        assert_eq!(hats.check_place("urn:a", &limits), Ok(()));
        for uri in ["urn:a", "urn:b"] {
            assert_eq!(hats.check_head(&ann, &limits), Ok(()));
            hats.put_on(ann.clone(), uri);
        }
        assert_eq!(hats.check_head(&ann, &limits), Err(HatFault::TooManyOfOne));
        hats.put_on(bob.clone(), "urn:a");
        assert_eq!(hats.check_head(&bob, &limits), Err(HatFault::TooManyWorn));
        let shown = "<hats xmlns='urn:xmpp:hats:0'><hat title='A' uri='urn:a' hue='5'/>\
            <hat title='B &amp; &apos;C&apos;' uri='urn:b'/></hats>";
        assert_eq!(hats.printed(&ann).as_deref(), Some(shown));
        assert_eq!(Hats::from_stored(hats.to_stored()), hats);
        assert_eq!(hats.destroy("urn:a"), BTreeSet::from([ann.clone(), bob.clone()]));
        assert_eq!((hats.printed(&bob), hats.worn().count()), (None, 1));
        hats.forget(&ann);
        assert_eq!(hats.printed(&ann), None);
    }
}
