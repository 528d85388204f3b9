//! Entity capabilities (XEP-0115, XEP-0390): the hash of a disco#info answer that stands in presence, and what is hashed.
//! The hash functions are somebody else's.

use std::fmt::Write;

use crate::ns;
use crate::stanza::{Child, Stanza};
use crate::xml::Element;

/// What presence (or the features of a stream) say about somebody's capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advert {
    /// XEP-0390 §5.4: name of the function, hash in base64.
    pub hashes: Vec<(String, String)>,
    /// XEP-0115 §4.
    pub legacy: Option<Caps>,
}

/// The attributes of `<c/>` (XEP-0115 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The software.
    pub node: String,
    /// The name of the hash function; without one `ver` is no hash (§13).
    pub hash: Option<String>,
    /// The hash in base64.
    pub ver: String,
}

/// Hashes one entity advertises at a time; more are not read.
const HASHES_MAX: usize = 8;

impl Advert {
    /// Reads it from presence; `None`: it says nothing.
    #[must_use]
    pub fn of(presence: &Stanza) -> Option<Self> {
        let mut advert = Self::default();
        for element in children(presence).filter_map(|child| child.parse()) {
            match element.ns() {
                ns::CAPS2 => advert.hashes.extend(hashes(&element).take(HASHES_MAX)),
                _ => advert.legacy = legacy(&element),
            }
        }
        (advert != Self::default()).then_some(advert)
    }

    /// Do these two say the same, as written? Then nobody need read the second.
    #[must_use]
    pub fn is_repeated(before: &Stanza, now: &Stanza) -> bool {
        children(before).map(|c| c.raw()).eq(children(now).map(|c| c.raw()))
    }
}

fn children(presence: &Stanza) -> impl Iterator<Item = Child<'_>> {
    presence.children().filter(|child| child.is("c", ns::CAPS) || child.is("c", ns::CAPS2))
}

/// Does presence carry capabilities at all?
#[must_use]
pub fn is_in(presence: &Stanza) -> bool {
    children(presence).next().is_some()
}

fn hashes(c: &Element) -> impl Iterator<Item = (String, String)> {
    let hash = |e: &Element| {
        e.is("hash", ns::HASHES).then_some(())?;
        Some((e.get_attr("algo")?.to_owned(), e.text_content().trim().to_owned()))
    };
    c.child_elements().filter_map(hash)
}

/// Without `node` and `ver` it is none.
fn legacy(c: &Element) -> Option<Caps> {
    let attr = |name| c.get_attr(name).map(str::to_owned);
    Some(Caps { node: attr("node")?, ver: attr("ver")?, hash: attr("hash") })
}

/// Why a disco#info answer has no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllFormed {
    /// The same identity twice (XEP-0115 §5.4, step 3.3).
    #[error("an identity stands there twice")]
    Identity,
    /// The same feature twice (step 3.4).
    #[error("a feature stands there twice")]
    Feature,
    /// Two forms of a type, or a form of two types (step 3.5).
    #[error("a form type stands there twice")]
    FormType,
    /// Something else gives the same hash (§9.3).
    #[error("the answer cannot be told from another one by its hash")]
    Ambiguous,
    /// An element that is none of those that are hashed (XEP-0390 §4.1, step 1).
    #[error("an element that is not hashed")]
    Element,
    /// A form with a list of items (step 2).
    #[error("a form with items")]
    FormItems,
    /// A form that does not say what it is (step 3).
    #[error("a form without a type")]
    Untyped,
}

/// The ending of a feature that asks for notifications of the node before it (XEP-0060 §9.2).
const NOTIFY: &str = "+notify";

/// The nodes of which the entity wants notifications, as they stand in its disco#info.
pub fn interest(info: &Element) -> impl Iterator<Item = &str> {
    features(info).filter_map(|feature| feature.strip_suffix(NOTIFY)).filter(|node| !node.is_empty())
}

fn features(info: &Element) -> impl Iterator<Item = &str> {
    let features = info.child_elements().filter(|e| e.is("feature", ns::DISCO_INFO));
    features.filter_map(|feature| feature.get_attr("var"))
}

fn identities(info: &Element) -> impl Iterator<Item = &Element> {
    info.child_elements().filter(|e| e.is("identity", ns::DISCO_INFO))
}

fn forms(info: &Element) -> impl Iterator<Item = &Element> {
    info.child_elements().filter(|e| e.is("x", ns::DATA_FORM))
}

fn fields(form: &Element) -> impl Iterator<Item = &Element> {
    form.child_elements().filter(|e| e.is("field", ns::DATA_FORM))
}

fn values(field: &Element) -> Vec<String> {
    let mut values: Vec<_> =
        field.child_elements().filter(|e| e.is("value", ns::DATA_FORM)).map(Element::text_content).collect();
    values.sort_unstable();
    values
}

fn is_form_type(field: &&Element) -> bool {
    field.get_attr("var") == Some("FORM_TYPE")
}

/// XEP-0115 §5.1: what is hashed, with the checks of §5.4.
///
/// Nothing in it says what was an identity, a feature or part of a form, so that a liar can find another answer with the
/// same hash (§9.3). Refused is what would let a feature that ends in `+notify` pass for something else or the other way
/// round: [`interest`] of whatever has the same hash is the same.
pub fn verification_string(info: &Element) -> Result<String, IllFormed> {
    let mut out = Text::default();
    let attr = |e: &Element, name| e.get_attr(name).unwrap_or_default().to_owned();
    let parts = |e: &Element| [attr(e, "category"), attr(e, "type"), attr(e, "xml:lang"), attr(e, "name")];
    let mut all: Vec<_> = identities(info).map(parts).collect();
    all.sort_unstable();
    if has_twice(&all) {
        return Err(IllFormed::Identity);
    }
    for identity in all {
        out.other(&identity.join("/"))?;
    }
    let mut all: Vec<_> = features(info).collect();
    all.sort_unstable();
    if has_twice(&all) {
        return Err(IllFormed::Feature);
    }
    for feature in all {
        out.part(feature)?;
    }
    for form in typed_forms(info)? {
        out.form(&form)?;
    }
    Ok(out.0)
}

/// Step 3.5 and 3.6: the forms that count, by type.
fn typed_forms(info: &Element) -> Result<Vec<(String, &Element)>, IllFormed> {
    let mut all = Vec::new();
    for form in forms(info) {
        let types = || fields(form).filter(is_form_type);
        let mut names: Vec<_> = types().flat_map(values).collect();
        names.sort_unstable();
        names.dedup();
        match names.len() {
            0 => {}
            1 => all.push((names.remove(0), form, types().all(|field| field.get_attr("type") == Some("hidden")))),
            _ => return Err(IllFormed::FormType),
        }
    }
    all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    if all.windows(2).any(|two| two[0].0 == two[1].0) {
        return Err(IllFormed::FormType);
    }
    Ok(all.into_iter().filter(|(_, _, hidden)| *hidden).map(|(name, form, _)| (name, form)).collect())
}

fn has_twice<T: PartialEq>(sorted: &[T]) -> bool {
    sorted.windows(2).any(|two| two[0] == two[1])
}

/// The text that is hashed.
#[derive(Default)]
struct Text(String);

impl Text {
    /// A part and its end.
    fn part(&mut self, part: &str) -> Result<(), IllFormed> {
        if part.contains('<') {
            return Err(IllFormed::Ambiguous);
        }
        self.0.push_str(part);
        self.0.push('<');
        Ok(())
    }

    /// The same for what is no feature.
    fn other(&mut self, part: &str) -> Result<(), IllFormed> {
        if part.ends_with(NOTIFY) { Err(IllFormed::Ambiguous) } else { self.part(part) }
    }

    fn form(&mut self, (name, form): &(String, &Element)) -> Result<(), IllFormed> {
        self.other(name)?;
        let var = |field: &&Element| field.get_attr("var").unwrap_or_default().to_owned();
        let mut all: Vec<_> = fields(form).filter(|field| !is_form_type(field)).collect();
        all.sort_by_key(var);
        for field in all {
            self.other(&var(&field))?;
            for value in values(field) {
                self.other(&value)?;
            }
        }
        Ok(())
    }
}

const UNIT: u8 = 0x1f;
const RECORD: u8 = 0x1e;
const GROUP: u8 = 0x1d;
const FILE: u8 = 0x1c;

/// XEP-0390 §4.1: what is hashed. `lang` is the language the answer came in.
pub fn hash_input(info: &Element, lang: Option<&str>) -> Result<Vec<u8>, IllFormed> {
    let hashed = |e: &Element| match e.ns() {
        ns::DISCO_INFO => matches!(e.name(), "identity" | "feature"),
        ns::DATA_FORM => e.name() == "x",
        _ => false,
    };
    if !info.child_elements().all(hashed) {
        return Err(IllFormed::Element);
    }
    let lang = info.get_attr("xml:lang").or(lang).unwrap_or_default();
    let mut out = joined(features(info).map(unit), FILE);
    let identity = |e: &Element| {
        let attr = |name| e.get_attr(name).unwrap_or_default();
        let lang = e.get_attr("xml:lang").unwrap_or(lang);
        let mut units = [attr("category"), attr("type"), lang, attr("name")].map(unit).concat();
        units.push(RECORD);
        units
    };
    out.extend(joined(identities(info).map(identity), FILE));
    let forms = forms(info).map(form_input).collect::<Result<Vec<_>, _>>()?;
    out.extend(joined(forms, FILE));
    Ok(out)
}

/// Steps 2, 3 and 6.
fn form_input(form: &Element) -> Result<Vec<u8>, IllFormed> {
    if form.child_elements().any(|e| e.is("reported", ns::DATA_FORM) || e.is("item", ns::DATA_FORM)) {
        return Err(IllFormed::FormItems);
    }
    // XEP-0068 §3.1: hidden, and with one value.
    let typed = |field: &Element| field.get_attr("type") == Some("hidden") && values(field).len() == 1;
    if fields(form).filter(is_form_type).count() != 1 || !fields(form).filter(is_form_type).all(typed) {
        return Err(IllFormed::Untyped);
    }
    let field = |e: &Element| {
        let mut out = unit(e.get_attr("var").unwrap_or_default());
        out.extend(values(e).iter().flat_map(|value| unit(value)));
        out.push(RECORD);
        out
    };
    Ok(joined(fields(form).map(field), GROUP))
}

fn unit(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 1);
    out.extend_from_slice(text.as_bytes());
    out.push(UNIT);
    out
}

/// "Ordered from lesser to greater", and the end of the list.
fn joined(parts: impl IntoIterator<Item = Vec<u8>>, end: u8) -> Vec<u8> {
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_unstable();
    let mut out = parts.concat();
    out.push(end);
    out
}

/// XEP-0390 §4.3: the node of which disco#info is asked.
#[must_use]
pub fn hash_node(function: &str, hash: &str) -> String {
    format!("{}#{function}.{hash}", ns::CAPS2)
}

/// The other direction. The name of a function may have dots.
#[must_use]
pub fn parse_hash_node(node: &str) -> Option<(&str, &str)> {
    node.strip_prefix(ns::CAPS2)?.strip_prefix('#')?.rsplit_once('.')
}

/// Appends `<c/>` of XEP-0115 §4.
pub fn write_legacy(out: &mut String, caps: &Caps) {
    let hash = caps.hash.as_deref();
    let c = Element::new("c", ns::CAPS).attr_opt("hash", hash).attr("node", &*caps.node).attr("ver", &*caps.ver);
    c.write(out, ns::CLIENT);
}

/// Appends `<c/>` of XEP-0390 §5.4. Names and hashes are those of our own functions.
pub fn write_hashes<'a>(out: &mut String, hashes: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let _ = write!(out, "<c xmlns='{}'>", ns::CAPS2);
    for (function, hash) in hashes {
        let _ = write!(out, "<hash xmlns='{}' algo='{function}'>{hash}</hash>", ns::HASHES);
    }
    out.push_str("</c>");
}

#[cfg(test)]
#[path = "caps_tests.rs"]
mod tests;
