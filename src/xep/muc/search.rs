//! XEP-0433: public rooms are looked for by words in their addresses, names and descriptions.

use super::{SERVICE, blocks};
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, IqResult};
use crate::rooms::{Listed, RoomConfig};
use crate::router::bounce::refused;
use crate::storage::RoomsFor;
use std::collections::BTreeMap;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::formats::rsm;
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};
use xep_support::xml::Element;

/// Search.
pub struct ChannelSearch;

impl Extension for ChannelSearch {
    fn about(&self) -> About {
        About::new("XEP-0433", "Extended Channel Search", "0.1.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.service(SERVICE, None, [ns::CHANNEL_SEARCH, ns::RSM, BEFORE.ns]);
        for dialect in [&XEP, &BEFORE] {
            let search = ("search", dialect.ns);
            d.iq(Addressee::Service(SERVICE), IqType::Get, search, |call| handle(call, dialect));
        }
    }
}

/// A name under which the protocol goes.
struct Dialect {
    ns: &'static str,
    /// The type of the form.
    params: &'static str,
    /// The only order there is: nothing comes twice and nothing is left out (§6.1).
    by_address: &'static str,
    /// Who sees addresses: everybody, or moderators.
    anonymity: [&'static str; 2],
    /// Clients of the protocol before it was a XEP want to be told how large a page may be, find a room open if that is said
    /// of it at all, and show the name of one that has none.
    before: bool,
}

static XEP: Dialect = Dialect {
    ns: ns::CHANNEL_SEARCH,
    params: ns::CHANNEL_SEARCH_PARAMS,
    by_address: "{urn:xmpp:channel-search:0:order}address",
    anonymity: ["{urn:xmpp:channel-search:0:anonymity}none", "muc_semianonymous"],
    before: false,
};

/// COMPAT: Converse.js and Gajim.
static BEFORE: Dialect = Dialect {
    ns: "https://xmlns.zombofant.net/muclumbus/search/1.0",
    params: "https://xmlns.zombofant.net/muclumbus/search/1.0#params",
    by_address: "address",
    anonymity: ["none", "semi"],
    before: true,
};

/// Words of one search.
const WORDS_MAX: usize = 16;
/// Bytes of them.
const WORDS_BYTES_MAX: usize = 1_000;

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Search {
    /// All of these; `None`: everything.
    words: Option<Vec<String>>,
    /// In the address, the name, the description.
    columns: [bool; 3],
    /// Rooms are wanted, and not something else only.
    rooms: bool,
}

fn handle(call: IqCall<'_>, dialect: &'static Dialect) -> Answer {
    if !call.core.config().rooms.enabled {
        return Answer::error(StanzaError::new(Condition::ServiceUnavailable));
    }
    let Some(form) = call.payload.find("x", ns::DATA_FORM) else { return Answer::with(template(dialect)) };
    let read =
        DataForm::from_element(form).map_err(|_| StanzaError::bad_request()).and_then(|form| read(&form, dialect));
    let page = rsm::Request::of(&call.payload).map_err(|_| StanzaError::bad_request());
    let (search, page) = match read.and_then(|search| Ok((search, page?))) {
        Ok(both) => both,
        Err(error) => return Answer::error(error),
    };
    let (core, service, asker) = (call.core.clone(), call.to.clone(), call.client.account.jid.clone());
    Answer::later(async move {
        blocks::check_service(&core, service.as_str(), &asker).await?;
        results(&core, &service, search, page, dialect).await
    })
}

/// §4.2.1.
fn template(dialect: &Dialect) -> Element {
    let flag = |var: &str, label: &str| Field::new(var, FieldType::Boolean).label(label).value("true");
    let form = DataForm::new(FormType::Form)
        .with_form_type(dialect.params)
        .field(Field::new("q", FieldType::TextSingle).label("Search for"))
        .field(Field::new("all", FieldType::Boolean).label("Return all rooms").value("false"))
        .field(flag("sinname", "Search in name"))
        .field(flag("sindescription", "Search in description"))
        .field(flag("sinaddress", "Search in address"))
        .field(Field::new("types", FieldType::ListMulti).value("xep-0045").option("Rooms", "xep-0045"))
        .field(
            Field::new("key", FieldType::ListSingle)
                .label("Order by")
                .value(dialect.by_address)
                .option("Address", dialect.by_address),
        );
    Element::new("search", dialect.ns).child(form.to_element())
}

fn error(condition: Condition, app: &'static str) -> StanzaError {
    StanzaError::new(condition).with_type(ErrorType::Modify).with_app(app, ns::CHANNEL_SEARCH_ERROR)
}

/// §4.2.2. Fields that are not known do not count (§5).
fn read(form: &DataForm, dialect: &Dialect) -> Result<Search, StanzaError> {
    if form.kind != FormType::Submit || form.form_type() != Some(dialect.params) {
        return Err(StanzaError::bad_request());
    }
    if form.get("key").is_some_and(|key| key != dialect.by_address) {
        return Err(error(Condition::FeatureNotImplemented, "invalid-sort-key"));
    }
    let asked = form.get("q").map(str::trim).filter(|q| !q.is_empty());
    let words = match (asked, form.get_bool("all").unwrap_or(false)) {
        (Some(_), true) => return Err(error(Condition::BadRequest, "conflicting-fields")),
        (None, false) => return Err(error(Condition::BadRequest, "no-search-conditions")),
        (None, true) => None,
        (Some(q), false) => Some(words(q)?),
    };
    let wanted = |var: &str| form.get_bool(var).unwrap_or(true);
    // The example and the table name it differently.
    let in_address = wanted("sinaddress") && wanted("sinaddr");
    let types = form.values("types");
    Ok(Search {
        words,
        columns: [in_address, wanted("sinname"), wanted("sindescription")],
        rooms: types.is_empty() || types.iter().any(|kind| kind == "xep-0045"),
    })
}

/// §4.2.2.3.
fn words(q: &str) -> Result<Vec<String>, StanzaError> {
    let split = q.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = split.take(WORDS_MAX).map(str::to_lowercase).collect();
    if words.is_empty() || q.len() > WORDS_BYTES_MAX {
        return Err(
            error(Condition::BadRequest, "invalid-search-terms").with_text("a word is needed, and not too many")
        );
    }
    Ok(words)
}

/// A room that was found.
struct Found {
    config: Arc<RoomConfig>,
    occupants: usize,
}

async fn results(core: &Arc<Core>, service: &Jid, search: Search, page: rsm::Request, dialect: &Dialect) -> IqResult {
    let page_max = core.config().limits.rooms_page_max;
    let most = page.max.and_then(|max| usize::try_from(max).ok()).map_or(page_max, |max| max.min(page_max));
    let after = page.after.as_deref().and_then(|after| after.split('@').next()).unwrap_or_default().to_owned();
    let mut found = match search.rooms {
        true => find(core, service.as_str(), &search, &after, most).await?,
        false => BTreeMap::new(),
    };
    let more = found.len() > most;
    while found.len() > most {
        found.pop_last();
    }
    let address = |name: &String| format!("{name}@{service}");
    let ends = found.keys().next().zip(found.keys().last()).map(|(first, last)| (address(first), address(last)));
    let count = (!more && after.is_empty()).then_some(found.len() as u64);
    let items = found.iter().map(|(name, room)| item(&address(name), name, room, dialect));
    let result = Element::new("result", dialect.ns).children(items.collect::<Vec<_>>());
    let max = dialect.before.then(|| Element::new("max", ns::RSM).text(most.to_string()));
    Ok(Some(result.child(rsm::Page { ends, count }.to_element().child_opt(max))))
}

/// By name, one more than are wanted: those on disk, and those that are in memory only.
async fn find(
    core: &Arc<Core>,
    service: &str,
    search: &Search,
    after: &str,
    most: usize,
) -> Result<BTreeMap<String, Found>, StanzaError> {
    let closed = blocks::closed(core, service).await?;
    // One more than fit tells that there is more; those that are closed are none of them.
    let limit = most + 1 + closed.len();
    let wanted = |name: &str, room: &Listed| room.is_public() && matches(search, name, &room.config);
    let temporary = core.rooms.temporary.page(service, after, limit, wanted).await;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let stored = match &search.words {
        None => core.storage.rooms_page(service, after, limit, RoomsFor::Everybody).await,
        Some(words) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            core.storage.rooms_with(service, &words, search.columns, after, limit).await
        }
    };
    let local = |jid: &str| jid.split('@').next().unwrap_or_default().to_owned();
    let mut found = BTreeMap::new();
    for room in stored.map_err(refused("rooms"))? {
        let config = Arc::new(RoomConfig::from_stored(&room.config).unwrap_or_default());
        let occupants = core.rooms.find(&room.jid).and_then(|room| room.listed()).map_or(0, |room| room.occupants);
        found.insert(local(&room.jid), Found { config, occupants });
    }
    for (name, Listed { config, occupants, .. }) in temporary {
        found.entry(name).or_insert(Found { config, occupants });
    }
    found.retain(|name, _| !closed.contains(name));
    Ok(found)
}

/// As storage matches: each of the words begins one of the room's.
fn matches(search: &Search, name: &str, config: &RoomConfig) -> bool {
    let Some(words) = &search.words else { return true };
    let texts = [name, &config.name, &config.description].map(str::to_lowercase);
    let texts: Vec<&str> =
        texts.iter().zip(search.columns).filter(|(_, on)| *on).map(|(text, _)| text.as_str()).collect();
    let begins = |word: &String| {
        let parts = texts.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        parts.into_iter().any(|part| part.starts_with(word.as_str()))
    };
    words.iter().all(begins)
}

/// §6.2.
fn item(address: &str, local: &str, room: &Found, dialect: &Dialect) -> Element {
    let (config, ns) = (&room.config, dialect.ns);
    let text = |name: &'static str, text: &str| (!text.is_empty()).then(|| Element::new(name, ns).text(text));
    let is_open = !config.members_only && config.password.is_none();
    let open = if is_open { "true" } else { "false" };
    let anonymity = dialect.anonymity[usize::from(!config.is_non_anonymous())];
    let name = if config.name.is_empty() && dialect.before { local } else { &config.name };
    Element::new("item", ns)
        .attr("address", address)
        .child_opt(text("name", name))
        .child_opt(text("description", &config.description))
        .child_opt(text("language", &config.lang))
        .child_opt(text("nusers", &room.occupants.to_string()))
        .child_opt(text("service-type", "xep-0045"))
        .child_opt(text("is-open", open).filter(|_| is_open || !dialect.before))
        .child_opt(text("anonymity-mode", anonymity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&str, &str)]) -> Result<Search, StanzaError> {
        let form = DataForm::new(FormType::Submit).with_form_type(ns::CHANNEL_SEARCH_PARAMS);
        read(
            &fields
                .iter()
                .fold(form, |form, (var, value)| form.field(Field::new(*var, FieldType::TextSingle).value(*value))),
            &XEP,
        )
    }

    #[test]
    fn what_is_asked_is_read_or_refused() {
        let search = asked(&[("q", "Dark, cave"), ("sinname", "0"), ("x", "y")]).expect("a search");
        assert_eq!(search.words, Some(vec!["dark".to_owned(), "cave".to_owned()]));
        assert_eq!((search.columns, search.rooms), ([true, false, true], true));
        assert_eq!(asked(&[("all", "true"), ("key", XEP.by_address)]).map(|search| search.words), Ok(None));
        assert_eq!(asked(&[("all", "1"), ("types", "xep-0369")]).map(|search| search.rooms), Ok(false));
        let rows: [(&[(&str, &str)], Condition); 4] = [
            (&[], Condition::BadRequest),
            (&[("q", "--")], Condition::BadRequest),
            (&[("q", "x"), ("all", "true")], Condition::BadRequest),
            (&[("q", "x"), ("key", "{urn:xmpp:channel-search:0:order}nusers")], Condition::FeatureNotImplemented),
        ];
        for (fields, condition) in rows {
            assert_eq!(asked(fields).map_err(|error| error.condition), Err(condition), "{fields:?}");
        }
    }

    #[test]
    fn rooms_in_memory_match_like_those_on_disk() {
        let config = RoomConfig { name: "A Dark Cave".into(), description: "thunder".into(), ..RoomConfig::default() };
        let rows =
            [("dark", true), ("da ca", true), ("ark", false), ("thun", true), ("coven", true), ("dark x", false)];
        for (q, found) in rows {
            assert_eq!(matches(&asked(&[("q", q)]).expect("a search"), "coven", &config), found, "{q}");
        }
        let search = asked(&[("q", "thunder"), ("sindescription", "false")]).expect("a search");
        assert!(!matches(&search, "coven", &config));
    }
}
