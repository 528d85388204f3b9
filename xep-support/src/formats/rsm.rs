//! Result set management (XEP-0059): which page of a long result is wanted, and which one this is.

use crate::ns;
use crate::xml::Element;

/// Which page is wanted: the content of `<set/>` in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// At most this many items; 0 asks for their number (§2.7).
    pub max: Option<u64>,
    /// Those after this item (§2.2).
    pub after: Option<String>,
    /// Those before this item (§2.3); empty: the last page (§2.5).
    pub before: Option<String>,
    /// Those from this place on (§2.6).
    pub index: Option<u64>,
}

/// A number that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number in <set/> is none")]
pub struct RsmError;

impl Request {
    /// Reads `<set/>` among the children of a request; without one nothing is asked for.
    pub fn of(request: &Element) -> Result<Self, RsmError> {
        let Some(set) = request.find("set", ns::RSM) else { return Ok(Self::default()) };
        let text = |name: &str| set.find(name, ns::RSM).map(Element::text_content);
        let number = |name: &str| text(name).map(|n| n.trim().parse().map_err(|_| RsmError)).transpose();
        Ok(Self { max: number("max")?, after: text("after"), before: text("before"), index: number("index")? })
    }
}

/// Which page this is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The first and the last item on it.
    pub ends: Option<(String, String)>,
    /// The number of items on all pages, if known.
    pub count: Option<u64>,
}

impl Page {
    /// As an element.
    pub fn to_element(&self) -> Element {
        let item = |name: &'static str, id: &str| Element::new(name, ns::RSM).text(id);
        let ends = self.ends.iter().flat_map(|(first, last)| [item("first", first), item("last", last)]);
        Element::new("set", ns::RSM).children(ends).child_opt(self.count.map(|count| item("count", &count.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &str) -> Result<Request, RsmError> {
        let xml = format!("<query xmlns='urn:x'><set xmlns='{}'>{set}</set></query>", ns::RSM);
        Request::of(&Element::parse(&xml, ns::CLIENT).expect("XML"))
    }

    #[test]
    fn requests() {
        assert_eq!(Request::of(&Element::new("query", "urn:x")), Ok(Request::default()));
        assert_eq!(read("<max> 10 </max>"), Ok(Request { max: Some(10), ..Request::default() }));
        let last = Request { max: Some(0), before: Some(String::new()), ..Request::default() };
        assert_eq!(read("<max>0</max><before/>"), Ok(last));
        let after = Request { after: Some("a<b".into()), index: Some(3), ..Request::default() };
        assert_eq!(read("<after>a&lt;b</after><index>3</index>"), Ok(after));
        for bad in ["<max>-1</max>", "<max/>", "<max>ten</max>", "<index>x</index>"] {
            assert_eq!(read(bad), Err(RsmError), "{bad}");
        }
    }

    #[test]
    fn pages() {
        let page = Page { ends: Some(("1".into(), "9".into())), count: Some(5) };
        assert_eq!(
            page.to_element().to_xml(ns::CLIENT),
            "<set xmlns='http://jabber.org/protocol/rsm'><first>1</first><last>9</last><count>5</count></set>"
        );
        assert_eq!(Page::default().to_element().to_xml(ns::CLIENT), "<set xmlns='http://jabber.org/protocol/rsm'/>");
    }
}
