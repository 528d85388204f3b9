//! XEP-0363: slots. A client says what it wants to upload and gets a URL to put it to and a URL for everybody to fetch it
//! from. The files themselves come and go by HTTP (`http::upload`).

use crate::clock;
use crate::config::{Config, Upload};
use crate::core::Core;
use crate::extension::registry::Identity;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, IqResult};
use crate::router::bounce::refused;
use crate::storage::{NewSlot, NewUpload, UploadQuota};
use crate::uploads;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xep_support::formats::date::{self, Precision};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{ErrorType, StanzaError};
use xep_support::xml::Element;

/// HTTP upload.
pub struct HttpUpload;

const PREFIX: &str = "upload";
const SERVICE: Identity = Identity { category: "store", kind: "file", name: "HTTP File Upload" };
const MESSAGE: &str = "urn:xmpp:http:upload:purpose:0#message";
const EPHEMERAL: &str = "urn:xmpp:http:upload:purpose:0#ephemeral";
const FEATURES: [&str; 5] = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::UPLOAD, MESSAGE, EPHEMERAL];
/// What file systems take, and URLs with it.
const NAME_BYTES_MAX: usize = 255;
const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Extension for HttpUpload {
    fn about(&self) -> About {
        About::new("XEP-0363", "HTTP File Upload", "1.2.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let service = Addressee::Service(PREFIX);
        d.service(PREFIX, Some(SERVICE), FEATURES)
            .service_if(PREFIX, is_on)
            .iq(service, IqType::Get, ("query", ns::DISCO_INFO), info)
            .iq(service, IqType::Get, ("query", ns::DISCO_ITEMS), items)
            .iq(service, IqType::Get, ("request", ns::UPLOAD), request);
    }
}

fn is_on(config: &Config) -> bool {
    config.upload.enabled && !(config.http.listen.is_empty() && config.http.tls_listen.is_empty())
}

/// §3.
fn info(call: IqCall<'_>) -> Answer {
    let config = call.core.config();
    if !is_on(&config) {
        return Answer::error(StanzaError::service_unavailable());
    }
    if call.payload.get_attr("node").is_some_and(|node| !node.is_empty()) {
        return Answer::error(StanzaError::item_not_found());
    }
    let form = DataForm::new(FormType::Result)
        .with_form_type(ns::UPLOAD)
        .field(Field::new("max-file-size", FieldType::TextSingle).value(config.upload.file_bytes_max.to_string()));
    let identity = Element::new("identity", ns::DISCO_INFO)
        .attr("category", SERVICE.category)
        .attr("type", SERVICE.kind)
        .attr("name", SERVICE.name);
    let features = FEATURES.map(|feature| Element::new("feature", ns::DISCO_INFO).attr("var", feature));
    Answer::with(Element::new("query", ns::DISCO_INFO).child(identity).children(features).child(form.to_element()))
}

fn items(call: IqCall<'_>) -> Answer {
    match is_on(&call.core.config()) {
        true => Answer::with(Element::new("query", ns::DISCO_ITEMS)),
        false => Answer::error(StanzaError::service_unavailable()),
    }
}

/// What a client wants to upload.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    name: String,
    bytes: u64,
    content_type: Option<String>,
    /// §5.3: no longer than this.
    until_us: Option<i64>,
}

/// §4.
fn request(call: IqCall<'_>) -> Answer {
    let counters = &call.core.site.counters;
    match accepted(&call) {
        Ok(made) => made,
        Err(error) => {
            counters.slots_refused.fetch_add(1, Relaxed);
            Answer::error(error)
        }
    }
}

fn accepted(call: &IqCall<'_>) -> Result<Answer, StanzaError> {
    let core = call.core;
    let config = core.config();
    let domain = core.hosts.service(call.to.domain()).map(|service| service.of.clone());
    let base = domain.and_then(|domain| core.site.base_url(&config.http, domain.as_str()));
    let Some(base) = base.filter(|_| config.upload.enabled) else { return Err(StanzaError::service_unavailable()) };
    let account = call.client.account.id;
    let account =
        account.ok_or_else(|| StanzaError::forbidden().with_text("only people with an account upload files"))?;
    let now_us = clock::now_micros();
    let wish = Wish::read(&call.payload, now_us)?;
    if wish.bytes > config.upload.file_bytes_max as u64 {
        return Err(too_large(config.upload.file_bytes_max));
    }
    let (Some(token), Some(key)) = (uploads::new_token(), put_key()) else {
        return Err(StanzaError::internal_server_error());
    };
    let kept_us = i64::from(config.upload.expire_days) * MICROS_PER_DAY;
    let kept_until = (kept_us > 0).then_some(now_us + kept_us);
    let slot_us = i64::try_from(config.upload.slot_seconds_max.as_micros()).unwrap_or(i64::MAX);
    let slot = Slot { url: url(&base, &token, &wish.name), key: URL_SAFE_NO_PAD.encode(&key) };
    let new = NewUpload {
        account,
        token,
        put_key: key,
        name: wish.name,
        content_type: wish.content_type,
        bytes: wish.bytes,
        created_us: now_us,
        slot_until_us: now_us.saturating_add(slot_us),
        keep_until_us: [kept_until, wish.until_us].into_iter().flatten().min(),
    };
    let core = core.clone();
    Ok(Answer::later(async move {
        let answer = make(&core, new, slot).await;
        let counters = &core.site.counters;
        let counter = if answer.is_ok() { &counters.slots } else { &counters.slots_refused };
        counter.fetch_add(1, Relaxed);
        answer
    }))
}

async fn make(core: &Arc<Core>, new: NewUpload, slot: Slot) -> IqResult {
    let quota = quota(&core.config().upload);
    let bytes = new.bytes;
    if !uploads::has_room(core, bytes).await {
        tracing::warn!(bytes, "no slot for an upload: upload.free_mib_min would not be left on the disk");
        return Err(StanzaError::resource_constraint().with_text("there is no room for files on this server"));
    }
    match core.storage.upload_create(new, quota).await.map_err(refused("upload"))? {
        NewSlot::Made => Ok(Some(slot.element())),
        NewSlot::TooManyPending(until_us) => Err(later("too many uploads were asked for and not made", until_us)),
        NewSlot::Full(until_us) => Err(later("your files take all the room you may use", until_us)),
    }
}

fn quota(upload: &Upload) -> UploadQuota {
    UploadQuota {
        bytes_max: upload.user_bytes_max as u64,
        files_max: upload.user_files_max as u64,
        pending_max: upload.slots_pending_max as u64,
    }
}

/// §6.
fn too_large(bytes_max: usize) -> StanzaError {
    let text = format!("File too large. The maximum file size is {bytes_max} bytes");
    let max = Element::new("max-file-size", ns::UPLOAD).text(bytes_max.to_string());
    StanzaError::not_acceptable().with_text(text).with_detail(Element::new("file-too-large", ns::UPLOAD).child(max))
}

/// §6: a limit that is personal, and when it will be over, if time does that.
fn later(text: &'static str, until_us: Option<i64>) -> StanzaError {
    let error = StanzaError::resource_constraint().with_text(text);
    match until_us {
        // The moment is given in whole seconds and must not be too early.
        Some(until_us) => error.with_detail(
            Element::new("retry", ns::UPLOAD).attr("stamp", date::format(until_us + 1_000_000, Precision::Seconds)),
        ),
        None => error,
    }
}

impl Wish {
    fn read(request: &Element, now_us: i64) -> Result<Self, StanzaError> {
        let bad = |text: &'static str| StanzaError::bad_request().with_text(text);
        let name = request.get_attr("filename").map(clean_name).ok_or_else(|| bad("there is no filename"))?;
        if name.is_empty() {
            return Err(bad("the filename is empty"));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(StanzaError::not_acceptable().with_text("the filename is too long"));
        }
        let size = request.get_attr("size").ok_or_else(|| bad("there is no size"))?;
        let bytes = size.parse().ok().filter(|size| *size > 0).ok_or_else(|| bad("the size is no positive number"))?;
        let content_type = match request.get_attr("content-type").map(str::trim) {
            Some(text) if !is_media_type(text) => return Err(bad("the content-type is none")),
            text => text.map(str::to_owned),
        };
        Ok(Self { name, bytes, content_type, until_us: purpose(request, now_us)? })
    }
}

/// §5: for how long at most. Purposes that are not offered are refused: a file that should stay and goes is worse.
fn purpose(request: &Element, now_us: i64) -> Result<Option<i64>, StanzaError> {
    let mut purposes = request.child_elements().filter(|child| child.ns() == ns::UPLOAD_PURPOSE);
    let Some(purpose) = purposes.next() else { return Ok(None) };
    match purpose.name() {
        "message" => Ok(None),
        "ephemeral" => {
            let until = purpose.get_attr("expire-before").and_then(|text| date::parse(text).ok());
            match until {
                Some(until_us) if until_us > now_us => Ok(Some(until_us)),
                Some(_) => Err(StanzaError::not_acceptable().with_text("the file would have expired already")),
                None => Err(StanzaError::bad_request().with_text("expire-before is no time")),
            }
        }
        _ => {
            let error = StanzaError::feature_not_implemented().with_type(ErrorType::Cancel);
            Err(error.with_text("files are kept for messages only"))
        }
    }
}

/// The name alone, whatever path it came with, and nothing in it that could move a cursor.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).collect();
    match clean.trim() {
        "." | ".." => String::new(),
        name => name.to_owned(),
    }
}

/// RFC 9110 §8.3.1, roughly: two tokens, and parameters of printable characters.
fn is_media_type(text: &str) -> bool {
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let two = essence.trim().split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    two && text.len() <= CONTENT_TYPE_BYTES_MAX && parameters.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn put_key() -> Option<Vec<u8>> {
    let mut key = vec![0; 24];
    getrandom::fill(&mut key).ok()?;
    Some(key)
}

fn url(base: &str, token: &str, name: &str) -> String {
    format!("{base}/upload/{token}/{}", utf8_percent_encode(name, RESERVED))
}

/// What the client gets. Both URLs are the same one; what makes an upload is the key, which nobody else has.
struct Slot {
    url: String,
    key: String,
}

impl Slot {
    fn element(&self) -> Element {
        let header =
            Element::new("header", ns::UPLOAD).attr("name", "Authorization").text(format!("Bearer {}", self.key));
        let put = Element::new("put", ns::UPLOAD).attr("url", self.url.as_str()).child(header);
        let get = Element::new("get", ns::UPLOAD).attr("url", self.url.as_str());
        Element::new("slot", ns::UPLOAD).child(put).child(get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::stanza::error::Condition;

    fn wish(xml: &str) -> Result<Wish, Condition> {
        let xml = xml.replacen("<request", "<request xmlns='urn:xmpp:http:upload:0'", 1);
        Wish::read(&Element::parse(&xml, ns::CLIENT).expect("XML"), 1_000_000).map_err(|error| error.condition)
    }

    #[test]
    fn a_name_keeps_its_ending_and_loses_its_path() {
        let rows = [
            ("très cool.jpg", "très cool.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\pictures\\a.png", "a.png"),
            ("a\u{7}b", "ab"),
            ("..", ""),
            (" x ", "x"),
        ];
        for (name, clean) in rows {
            assert_eq!(clean_name(name), clean, "{name}");
        }
        assert_eq!(url("https://x", "t", "très cool.jpg"), "https://x/upload/t/tr%C3%A8s%20cool.jpg");
        assert_eq!(url("https://x", "t", "a?b#c%d"), "https://x/upload/t/a%3Fb%23c%25d");
    }

    #[test]
    fn wishes_that_make_no_sense_are_refused() {
        let rows = [
            ("<request size='1'/>", Condition::BadRequest),
            ("<request filename='' size='1'/>", Condition::BadRequest),
            ("<request filename='a'/>", Condition::BadRequest),
            ("<request filename='a' size='0'/>", Condition::BadRequest),
            ("<request filename='a' size='-1'/>", Condition::BadRequest),
            ("<request filename='a' size='1' content-type='image'/>", Condition::BadRequest),
            ("<request filename='a' size='1' content-type='a/b; &#228;'/>", Condition::BadRequest),
            (
                "<request filename='a' size='1'><permanent xmlns='urn:xmpp:http:upload:purpose:0'/></request>",
                Condition::FeatureNotImplemented,
            ),
            (
                "<request filename='a' size='1'><ephemeral xmlns='urn:xmpp:http:upload:purpose:0'/></request>",
                Condition::BadRequest,
            ),
        ];
        for (xml, condition) in rows {
            assert_eq!(wish(xml), Err(condition), "{xml}");
        }
        let long = format!("<request filename='{}' size='1'/>", "a".repeat(256));
        assert_eq!(wish(&long), Err(Condition::NotAcceptable));
    }

    /// §5.3.
    #[test]
    fn a_file_may_be_for_a_while() {
        let with = |stamp| {
            wish(&format!(
                "<request filename='a' size='7' content-type='text/plain; charset=utf-8'>\
                 <ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='{stamp}'/></request>"
            ))
        };
        assert_eq!(with("1970-01-01T00:00:02Z").map(|wish| wish.until_us), Ok(Some(2_000_000)));
        assert_eq!(with("1970-01-01T00:00:01Z"), Err(Condition::NotAcceptable));
        assert_eq!(with("tomorrow"), Err(Condition::BadRequest));
    }
}
