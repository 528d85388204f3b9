//! What a client asks of its archive: the form (XEP-0313 §4.1), the page (XEP-0059), and everything that is wrong with
//! them.

use super::search;
use crate::storage::{ArchiveIds, ArchiveQuery, PageFrom};
use xep_support::formats::date;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::formats::rsm;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// A query that was understood.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Query {
    /// Which messages.
    pub filter: ArchiveQuery,
    /// Words they contain.
    pub text: Option<String>,
    /// Ids it names, each once: all must be in the archive (§4.1.3, §4.3.2).
    pub named: Vec<i64>,
    /// From which end.
    pub from: PageFrom,
    /// At most so many; 0 asks for their number.
    pub max: Option<u64>,
    /// The first page, or the last.
    pub is_first: bool,
    /// Newest first (§4.3.4).
    pub flipped: bool,
    /// To be repeated in the results.
    pub query_id: Option<String>,
}

/// A moment is told to clients in milliseconds, so it means all of its microseconds.
const STAMP_MICROS: i64 = 1000;

impl Query {
    /// Reads `<query/>`.
    pub(super) fn read(query: &Element, ids: ArchiveIds) -> Result<Self, StanzaError> {
        if query.get_attr("node").is_some() {
            return Err(not_implemented("there are no nodes"));
        }
        let page = rsm::Request::of(query).map_err(|_| bad("a number in <set/> is none"))?;
        if page.index.is_some() {
            return Err(not_implemented("pages are not found by index"));
        }
        let before = page.before.as_deref().filter(|id| !id.is_empty());
        let mut read = Self {
            filter: ArchiveQuery::default(),
            text: None,
            named: Vec::new(),
            from: if page.before.is_some() { PageFrom::Newest } else { PageFrom::Oldest },
            max: page.max,
            is_first: before.is_none() && page.after.is_none(),
            flipped: query.find("flip-page", ns::MAM).is_some(),
            query_id: query.get_attr("queryid").map(str::to_owned),
        };
        if let Some(id) = page.after.as_deref() {
            read.after(number(ids, id)?);
        }
        if let Some(id) = before {
            read.before(number(ids, id)?);
        }
        if let Some(form) = query.find("x", ns::DATA_FORM) {
            read.form(form, ids)?;
        }
        read.named.sort_unstable();
        read.named.dedup();
        Ok(read)
    }

    fn form(&mut self, element: &Element, ids: ArchiveIds) -> Result<(), StanzaError> {
        let form = DataForm::from_element(element).map_err(|_| bad("this is no form"))?;
        if form.kind != FormType::Submit || form.form_type() != Some(ns::MAM) {
            return Err(bad("a submitted form of the type urn:xmpp:mam:2 is needed"));
        }
        for field in &form.fields {
            let value = || match &field.values[..] {
                [value] => Ok(value.as_str()),
                _ => Err(bad("a field with one value is needed")),
            };
            match field.var.as_deref() {
                Some("FORM_TYPE") => {}
                Some("with") => self.with(value()?)?,
                Some("start") => {
                    let start = moment(value()?)?.div_euclid(STAMP_MICROS) * STAMP_MICROS;
                    self.filter.after = self.filter.after.max(start - 1);
                }
                Some("end") => {
                    let end = (moment(value()?)?.div_euclid(STAMP_MICROS) + 1) * STAMP_MICROS;
                    self.filter.before = self.filter.before.min(end);
                }
                Some("after-id") => self.after(number(ids, value()?)?),
                Some("before-id") => self.before(number(ids, value()?)?),
                Some("ids") => {
                    let among = field.values.iter().map(|id| number(ids, id)).collect::<Result<Vec<_>, _>>()?;
                    self.named.extend(&among);
                    self.filter.ids = Some(among);
                }
                Some(search::FIELD) => self.text = Some(value()?.to_owned()),
                // Rooms have archives of their own: there is nothing to leave out.
                Some(GROUPCHAT) => drop(form.get_bool(GROUPCHAT).ok_or_else(|| bad("yes or no?"))?),
                _ => return Err(not_implemented("a field of the form is unknown")),
            }
        }
        Ok(())
    }

    fn after(&mut self, id: i64) {
        self.named.push(id);
        self.filter.after = self.filter.after.max(id);
    }

    fn before(&mut self, id: i64) {
        self.named.push(id);
        self.filter.before = self.filter.before.min(id);
    }

    fn with(&mut self, jid: &str) -> Result<(), StanzaError> {
        let jid = Jid::parse(jid.trim()).map_err(|_| bad("'with' is no JID"))?;
        self.filter.peer = Some(jid.bare_str().to_owned());
        self.filter.resource = jid.resource().map(str::to_owned);
        Ok(())
    }
}

fn bad(text: &'static str) -> StanzaError {
    StanzaError::bad_request().with_text(text)
}

fn not_implemented(text: &'static str) -> StanzaError {
    StanzaError::new(Condition::FeatureNotImplemented).with_text(text)
}

/// An id that is none of ours is in no archive.
fn number(ids: ArchiveIds, id: &str) -> Result<i64, StanzaError> {
    ids.read(id.trim()).ok_or_else(|| StanzaError::new(Condition::ItemNotFound))
}

fn moment(text: &str) -> Result<i64, StanzaError> {
    date::parse(text.trim()).map_err(|_| bad("a time is not one of XEP-0082"))
}

/// The field that only archives of accounts have (§4.1.4).
const GROUPCHAT: &str = "include-groupchat";

/// The form to be filled in (§4.1.5).
pub(super) fn form(is_of_account: bool) -> Element {
    let fields = [
        ("with", FieldType::JidSingle),
        ("start", FieldType::TextSingle),
        ("end", FieldType::TextSingle),
        ("before-id", FieldType::TextSingle),
        ("after-id", FieldType::TextSingle),
        (GROUPCHAT, FieldType::Boolean),
        (search::FIELD, FieldType::TextSingle),
    ];
    let mut form = DataForm::new(FormType::Form).with_form_type(ns::MAM);
    for (var, kind) in fields.into_iter().filter(|field| is_of_account || field.0 != GROUPCHAT) {
        form = form.field(Field::new(var, kind));
    }
    // Any value, not one of a list (XEP-0122).
    let open = Element::new("validate", ns::DATA_VALIDATE)
        .attr("datatype", "xs:string")
        .child(Element::new("open", ns::DATA_VALIDATE));
    let ids = Element::new("field", ns::DATA_FORM).attr("var", "ids").attr("type", "list-multi").child(open);
    Element::new("query", ns::MAM).child(form.to_element().child(ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: ArchiveIds = ArchiveIds::new([0; 16]);

    fn told(id: i64) -> String {
        IDS.tell(id).to_string()
    }

    fn read(inside: &str) -> Result<Query, Condition> {
        let xml = format!("<query xmlns='urn:xmpp:mam:2' queryid='q'>{inside}</query>");
        Query::read(&Element::parse(&xml, ns::CLIENT).expect("XML"), IDS).map_err(|error| error.condition)
    }

    fn with_form(fields: &str) -> Result<Query, Condition> {
        read(&format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value>\
             </field>{fields}</x>"
        ))
    }

    fn field(var: &str, value: &str) -> String {
        format!("<field var='{var}'><value>{value}</value></field>")
    }

    fn page(set: &str) -> Result<Query, Condition> {
        read(&format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>"))
    }

    #[test]
    fn filters() {
        let all = read("").expect("a query");
        assert_eq!((all.filter, all.from, all.is_first), (ArchiveQuery::default(), PageFrom::Oldest, true));
        assert_eq!(all.query_id.as_deref(), Some("q"));
        let with = with_form(&field("with", "Juliet@Capulet.lit/Balcony")).expect("a query").filter;
        assert_eq!((with.peer.as_deref(), with.resource.as_deref()), (Some("juliet@capulet.lit"), Some("Balcony")));
        // What was archived at 0.001234 is told as 0.001.
        let times = field("start", "1970-01-01T00:00:00.001Z") + &field("end", "1970-01-01T00:00:00.001Z");
        let times = with_form(&times).expect("a query").filter;
        assert_eq!((times.after, times.before), (999, 2000));
        let ids = field("after-id", &told(5))
            + &field("before-id", &told(9))
            + &format!("<field var='ids'><value>{}</value><value>{}</value></field>", told(7), told(6));
        let ids = with_form(&ids).expect("a query");
        assert_eq!((ids.filter.after, ids.filter.before, ids.filter.ids), (5, 9, Some(vec![7, 6])));
        assert_eq!(ids.named, [5, 6, 7, 9]);
        assert_eq!(with_form(&field(search::FIELD, "two words")).expect("a query").text.as_deref(), Some("two words"));
        assert!(with_form(&field("include-groupchat", "true")).is_ok());
    }

    #[test]
    fn pages() {
        let after = page(&format!("<max>10</max><after>{}</after>", told(5))).expect("a query");
        assert_eq!((after.max, after.filter.after, after.from, after.is_first), (Some(10), 5, PageFrom::Oldest, false));
        let before = page(&format!("<before>{}</before>", told(5))).expect("a query");
        assert_eq!((before.filter.before, before.from, before.is_first), (5, PageFrom::Newest, false));
        let last = page("<max>0</max><before/>").expect("a query");
        assert_eq!(
            (last.max, last.filter, last.from, last.is_first),
            (Some(0), ArchiveQuery::default(), PageFrom::Newest, true)
        );
        assert!(read("<flip-page/>").expect("a query").flipped);
    }

    #[test]
    fn what_is_wrong() {
        let twice = "<field var='with'><value>a@b</value><value>c@d</value></field>";
        let rows = [
            (with_form(&field("with", "@")), Condition::BadRequest),
            (with_form(twice), Condition::BadRequest),
            (with_form("<field var='start'/>"), Condition::BadRequest),
            (with_form(&field("start", "yesterday")), Condition::BadRequest),
            (with_form(&field("end", "2010-06-07")), Condition::BadRequest),
            (with_form(&field("include-groupchat", "maybe")), Condition::BadRequest),
            (with_form(&field("after-id", "09af3-cc343-b409f")), Condition::ItemNotFound),
            (with_form(&field("after-id", "5")), Condition::ItemNotFound),
            (with_form(&field("ids", "x")), Condition::ItemNotFound),
            (with_form(&field("{urn:x}y", "z")), Condition::FeatureNotImplemented),
            (page("<max>ten</max>"), Condition::BadRequest),
            (page("<after>x</after>"), Condition::ItemNotFound),
            (page("<after/>"), Condition::ItemNotFound),
            (page("<index>3</index>"), Condition::FeatureNotImplemented),
            (read("<x xmlns='jabber:x:data' type='submit'/>"), Condition::BadRequest),
            (read("<x xmlns='jabber:x:data'/>"), Condition::BadRequest),
            (
                read(
                    "<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'>\
                     <value>urn:xmpp:mam:2</value></field></x>",
                ),
                Condition::BadRequest,
            ),
        ];
        for (n, (found, condition)) in rows.into_iter().enumerate() {
            assert_eq!(found, Err(condition), "row {n}");
        }
        let node = Element::parse("<query xmlns='urn:xmpp:mam:2' node='x'/>", ns::CLIENT).expect("XML");
        assert_eq!(Query::read(&node, IDS).map_err(|e| e.condition), Err(Condition::FeatureNotImplemented));
    }
}
