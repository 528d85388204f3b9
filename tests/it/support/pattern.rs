//! Expected XML, compared by structure.
//!
//! A pattern is XML as it would stand inside a client stream: no prefix means `jabber:client`, `stream:` is bound.
//! - Namespaces are compared by URI; order and quotes of attributes do not matter; the order of children does, unless
//!   their parent has the pseudo-attribute `any-order='true'`.
//! - Attributes not named in the pattern are a mismatch (`xml:lang` excepted), unless the element has the
//!   pseudo-attribute `any-attrs='true'`. An attribute whose pattern is exactly `{opt}` may be anything, or absent.
//! - In attribute values and text `{any}` matches anything, also as a part (`{any}@im.example`); `{name}` matches
//!   anything at its first use and only the same text from then on. Names: letters, digits, `_ - . /`. Other braces are
//!   literal.
//! - `<any/>` stands for any number of further nodes, `<one/>` for exactly one element.
//! - White space between elements does not matter.

use std::collections::BTreeMap;

use super::xml::{self, El, Node};

pub(crate) type Vars = BTreeMap<String, String>;

/// Compares; on success the new captures are in `vars`, on failure `vars` is unchanged and the reason returned.
pub(crate) fn matches(pattern: &str, actual: &El, vars: &mut Vars) -> Result<(), String> {
    let pattern = xml::parse(pattern.trim(), &xml::client_scope()).map_err(|e| format!("bad pattern: {e}"))?;
    let mut trial = vars.clone();
    element(&pattern, actual, &mut trial)?;
    *vars = trial;
    Ok(())
}

/// Replaces the `{name}`s that have a value.
pub(crate) fn fill(template: &str, vars: &Vars) -> String {
    let filled = pieces(template).into_iter().map(|piece| match piece {
        Piece::Literal(text) => text.to_owned(),
        Piece::Hole(name) => vars.get(name).map_or_else(|| format!("{{{name}}}"), |value| xml::escape(value)),
    });
    filled.collect()
}

fn element(pattern: &El, actual: &El, vars: &mut Vars) -> Result<(), String> {
    if (&pattern.name, &pattern.ns) != (&actual.name, &actual.ns) {
        return Err(format!(
            "<{} xmlns={}> instead of <{} xmlns={}>",
            actual.name, actual.ns, pattern.name, pattern.ns
        ));
    }
    attributes(pattern, actual, vars)?;
    let has_elements = pattern.elements().next().is_some();
    let relevant = |n: &&Node| !matches!(n, Node::Text(t) if has_elements && t.trim().is_empty());
    let expected: Vec<&Node> = pattern.children.iter().filter(relevant).collect();
    let found: Vec<&Node> = actual.children.iter().filter(relevant).collect();
    children(&expected, &found, pattern.attr("any-order").is_some(), vars)
        .map_err(|e| format!("in <{}>: {e}", pattern.name))
}

fn attributes(pattern: &El, actual: &El, vars: &mut Vars) -> Result<(), String> {
    const PSEUDO: [&str; 2] = ["any-attrs", "any-order"];
    for expected in pattern.attrs.iter().filter(|a| !PSEUDO.contains(&a.name.as_str())) {
        match actual.attrs.iter().find(|a| a.ns == expected.ns && a.name == expected.name) {
            _ if expected.value == "{opt}" => {}
            Some(found) => text(&expected.value, &found.value, vars)
                .map_err(|e| format!("attribute {} of <{}>: {e}", expected.name, actual.name))?,
            None => return Err(format!("<{}> has no attribute {}", actual.name, expected.name)),
        }
    }
    if pattern.attr("any-attrs").is_some() {
        return Ok(());
    }
    let named = |a: &xml::Attr| pattern.attrs.iter().any(|p| p.ns == a.ns && p.name == a.name);
    match actual.attrs.iter().find(|a| (a.ns.is_empty() || a.name != "lang") && !named(a)) {
        Some(extra) => Err(format!("<{}> has the extra attribute {}='{}'", actual.name, extra.name, extra.value)),
        None => Ok(()),
    }
}

/// Backtracks over `<any/>` and, if `shuffled`, over the order.
fn children(expected: &[&Node], found: &[&Node], shuffled: bool, vars: &mut Vars) -> Result<(), String> {
    if shuffled {
        let (rest, fixed): (Vec<&Node>, Vec<&Node>) = expected.iter().partition(|n| is_wild(n, "any"));
        return any_order(&fixed, found, !rest.is_empty(), vars);
    }
    let Some((first, later)) = expected.split_first() else {
        return found.first().map_or(Ok(()), |extra| Err(format!("extra {extra:?}")));
    };
    if is_wild(first, "any") {
        let mut reason = String::new();
        for skipped in 0..=found.len() {
            let mut trial = vars.clone();
            match children(later, &found[skipped..], false, &mut trial) {
                Ok(()) => {
                    *vars = trial;
                    return Ok(());
                }
                Err(e) if reason.is_empty() => reason = e,
                Err(_) => {}
            }
        }
        return Err(reason);
    }
    let Some((next, rest)) = found.split_first() else { return Err(format!("missing {first:?}")) };
    node(first, next, vars)?;
    children(later, rest, false, vars)
}

fn any_order(expected: &[&Node], found: &[&Node], extra_ok: bool, vars: &mut Vars) -> Result<(), String> {
    let Some((first, later)) = expected.split_first() else {
        return found.first().filter(|_| !extra_ok).map_or(Ok(()), |extra| Err(format!("extra {extra:?}")));
    };
    for at in 0..found.len() {
        let mut trial = vars.clone();
        let others: Vec<&Node> = found.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, n)| *n).collect();
        if node(first, found[at], &mut trial).is_ok() && any_order(later, &others, extra_ok, &mut trial).is_ok() {
            *vars = trial;
            return Ok(());
        }
    }
    Err(format!("nothing for {first:?} in {found:?}"))
}

fn node(expected: &Node, found: &Node, vars: &mut Vars) -> Result<(), String> {
    match (expected, found) {
        (_, Node::El(_)) if is_wild(expected, "one") => Ok(()),
        (Node::El(p), Node::El(a)) => element(p, a, vars),
        (Node::Text(p), Node::Text(a)) => text(p, a, vars),
        _ => Err(format!("{found:?} instead of {expected:?}")),
    }
}

fn is_wild(node: &Node, name: &str) -> bool {
    matches!(node, Node::El(el) if el.name == name && el.attrs.is_empty() && el.children.is_empty())
}

enum Piece<'a> {
    Literal(&'a str),
    Hole(&'a str),
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let name_ok = |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let (mut out, mut from, mut look) = (Vec::new(), 0, 0);
    while let Some(open) = template[look..].find('{').map(|i| look + i) {
        look = open + 1;
        if let Some(length) = template[look..].find('}').filter(|n| name_ok(&template[look..look + n])) {
            out.push(Piece::Literal(&template[from..open]));
            out.push(Piece::Hole(&template[look..look + length]));
            look += length + 1;
            from = look;
        }
    }
    out.push(Piece::Literal(&template[from..]));
    out
}

fn text(pattern: &str, actual: &str, vars: &mut Vars) -> Result<(), String> {
    let mut trial = vars.clone();
    if !holes(&pieces(pattern), actual, &mut trial) {
        return Err(format!("'{actual}' instead of '{pattern}' with {vars:?}"));
    }
    *vars = trial;
    Ok(())
}

fn holes(pieces: &[Piece<'_>], actual: &str, vars: &mut Vars) -> bool {
    let Some((first, later)) = pieces.split_first() else { return actual.is_empty() };
    let name = match first {
        Piece::Literal(text) => return actual.strip_prefix(text).is_some_and(|rest| holes(later, rest, vars)),
        Piece::Hole(name) => *name,
    };
    if let Some(rest) = vars.get(name).map(|known| actual.strip_prefix(known.as_str())) {
        return rest.is_some_and(|rest| holes(later, rest, vars));
    }
    // The longest first: `{jid}` alone takes everything, `{local}@x` what is in front.
    let ends = actual.char_indices().map(|(i, _)| i).chain([actual.len()]);
    for end in ends.collect::<Vec<_>>().into_iter().rev() {
        let mut trial = vars.clone();
        if name != "any" {
            trial.insert(name.to_owned(), actual[..end].to_owned());
        }
        if holes(later, &actual[end..], &mut trial) {
            *vars = trial;
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, actual: &str) -> Result<Vars, String> {
        let actual = xml::parse(actual, &xml::client_scope()).expect("test input is XML");
        let mut vars = Vars::new();
        matches(pattern, &actual, &mut vars).map(|()| vars)
    }

    #[test]
    fn attributes_compare_as_a_set_and_unnamed_ones_are_a_mismatch() {
        check("<iq type='get' id='1'/>", r#"<iq id="1" type = "get"></iq>"#).unwrap();
        check("<iq type='get'/>", "<iq type='get' xml:lang='en'/>").unwrap();
        check("<iq type='get'/>", "<iq type='get' id='1'/>").unwrap_err();
        check("<iq type='get' id='1'/>", "<iq type='get'/>").unwrap_err();
        check("<iq type='get' xml:lang='en'/>", "<iq type='get' xml:lang='de'/>").unwrap_err();
        check("<iq any-attrs='true' type='get'/>", "<iq type='get' id='1'/>").unwrap();
        check("<iq id='{opt}'/>", "<iq/>").unwrap();
        check("<iq id='{opt}'/>", "<iq id='7'/>").unwrap();
    }

    #[test]
    fn namespaces_compare_by_uri() {
        check("<iq><query xmlns='x'/></iq>", "<iq><p:query xmlns:p='x'/></iq>").unwrap();
        check("<iq><query xmlns='x'/></iq>", "<iq><query xmlns='y'/></iq>").unwrap_err();
        check("<iq><query xmlns='x'/></iq>", "<iq><query/></iq>").unwrap_err();
        check("<iq xmlns:p='x' p:a='1'/>", "<iq xmlns:q='x' q:a='1'/>").unwrap();
        check("<iq a='1'/>", "<iq xmlns:q='x' q:a='1'/>").unwrap_err();
        check("<stream:error/>", "<error xmlns='http://etherx.jabber.org/streams'/>").unwrap();
    }

    #[test]
    fn children_keep_their_order_unless_told() {
        check("<a><b/> <c/></a>", "<a><b/><c/></a>").unwrap();
        check("<a><c/><b/></a>", "<a><b/><c/></a>").unwrap_err();
        check("<a any-order='true'><c/><b/></a>", "<a><b/><c/></a>").unwrap();
        check("<a any-order='true'><c/></a>", "<a><b/><c/></a>").unwrap_err();
        check("<a any-order='true'><c/><any/></a>", "<a><b/><c/></a>").unwrap();
        check("<a><b/></a>", "<a><b/><c/></a>").unwrap_err();
        check("<a><b/><c/></a>", "<a><b/></a>").unwrap_err();
    }

    #[test]
    fn wildcards_take_any_number_or_one() {
        for actual in ["<a><c/></a>", "<a><b/><c/></a>", "<a>text<b/><b/><c/></a>"] {
            check("<a><any/><c/></a>", actual).unwrap();
        }
        check("<a><any/><c/></a>", "<a><c/><b/></a>").unwrap_err();
        check("<a><one/></a>", "<a><b/></a>").unwrap();
        check("<a><one/></a>", "<a/>").unwrap_err();
        check("<a><one/></a>", "<a><b/><b/></a>").unwrap_err();
        check("<a/>", "<a><b/></a>").unwrap_err();
    }

    #[test]
    fn text_and_escapes_compare_by_meaning() {
        check("<a>x &amp; y</a>", "<a>x &#38; <![CDATA[y]]></a>").unwrap();
        check("<a>x</a>", "<a>x </a>").unwrap_err();
        check("<a/>", "<a> </a>").unwrap_err();
        check("<a>{any}</a>", "<a>whatever</a>").unwrap();
        check("<a>{\"json\":1}</a>", "<a>{\"json\":1}</a>").unwrap();
    }

    #[test]
    fn captures_bind_once() {
        let vars =
            check("<a id='{x}' of='{user}@{host}/r'>{x}</a>", "<a id='7' of='romeo@im.example/r'>7</a>").unwrap();
        assert_eq!((&*vars["x"], &*vars["user"], &*vars["host"]), ("7", "romeo", "im.example"));
        check("<a id='{x}'>{x}</a>", "<a id='7'>8</a>").unwrap_err();
        check("<a id='{any}'>{any}</a>", "<a id='7'>8</a>").unwrap();
        let vars =
            check("<a any-order='true'><b id='{x}' k='2'/><any/></a>", "<a><b id='1' k='1'/><b id='2' k='2'/></a>");
        assert_eq!(vars.unwrap()["x"], "2", "a failed branch leaves no capture behind");
        assert_eq!(
            fill("<a to='{j}' b='{k}'/>", &Vars::from([("j".into(), "a'b".into())])),
            "<a to='a&apos;b' b='{k}'/>"
        );
    }

    #[test]
    fn the_reader_refuses_what_is_not_xml() {
        for bad in [
            "<a>",
            "<a></b>",
            "<a b='1'c='2'/>",
            "<a b='1' b='2'/>",
            "<p:a/>",
            "<a p:b='1'/>",
            "<a>&foo;</a>",
            "<a>&</a>",
            "<a b=1/>",
            "<a>&#1;</a>",
            "<a/>x",
            "<a b='<'/>",
        ] {
            assert!(xml::parse(bad, &xml::client_scope()).is_err(), "{bad}");
        }
    }
}
