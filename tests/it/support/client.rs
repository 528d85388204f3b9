//! A client that speaks literal XML over a real connection and fails with a transcript.
//!
//! Two levels: `connect`, `open`, `send`, `next` … take nothing for granted; `expect*`, `sync`, `available` … read like a
//! play. Nothing waits for time to pass: "nothing arrives" means that a ping sent now is answered before anything else.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::pattern::{self, Vars};
use super::transport::{TlsOptions, Transport};
use super::websocket::{self, Frames};
use super::xml::{El, Event, Splitter};

/// Generous: only ever waited for when a test is about to fail.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    pub(crate) transport: Transport,
    /// The server's last stream header.
    pub(crate) header: Option<El>,
    /// What client headers say in `to`, SASL and pings assume.
    pub(crate) domain: String,
    /// After bind.
    pub(crate) jid: Option<String>,
    /// Captures of this client; the server's (full JIDs by name) are looked up, too.
    vars: Vars,
    shared: Arc<Mutex<Vars>>,
    /// The connection may end in the middle of a stanza.
    pub(crate) may_be_cut: bool,
    /// There over WebSocket; see `websocket.rs`.
    pub(crate) frames: Option<Frames>,
    splitter: Splitter,
    transcript: Vec<String>,
    pings: u32,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr, domain: &str, shared: Arc<Mutex<Vars>>) -> Self {
        Self {
            transport: Transport::connect(addr, PATIENCE),
            header: None,
            domain: domain.to_owned(),
            jid: None,
            vars: Vars::from([("domain".to_owned(), domain.to_owned())]),
            shared,
            may_be_cut: false,
            frames: None,
            splitter: Splitter::default(),
            transcript: Vec::new(),
            pings: 0,
        }
    }

    // ---- sending

    /// Sends the text; `{name}`s that are captured (or known to the server, such as `{romeo/orchard}`) are filled in.
    #[track_caller]
    pub(crate) fn send(&mut self, xml: &str) {
        let filled = pattern::fill(xml, &self.all_vars());
        self.send_bytes(filled.as_bytes());
    }

    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.note('>', &String::from_utf8_lossy(bytes));
        if let Err(e) = self.write(bytes) {
            self.fail(&format!("write: {e}"));
        }
    }

    /// For input that the server may refuse before it has read it all: the connection may break under the write.
    pub(crate) fn send_bytes_if_open(&mut self, bytes: &[u8]) {
        self.note('>', &String::from_utf8_lossy(bytes));
        if let Err(e) = self.write(bytes) {
            self.note('!', &e.to_string());
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &self.frames {
            Some(_) => self.transport.write(&websocket::frame(websocket::TEXT, bytes)),
            None => self.transport.write(bytes),
        }
    }

    // ---- receiving

    /// The next thing the server says, `None` at the end of the connection.
    #[track_caller]
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        if self.frames.is_some() {
            return self.next_message();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.splitter.next() {
                Ok(Some(Event::Header(header))) => {
                    self.note('<', &header.raw);
                    self.header = Some(header.clone());
                    return Some(Event::Header(header));
                }
                Ok(Some(Event::Element(el))) => {
                    self.note('<', &el.raw);
                    return Some(Event::Element(el));
                }
                Ok(Some(Event::Close)) => {
                    self.note('<', "</stream:stream>");
                    return Some(Event::Close);
                }
                Ok(None) => {}
                Err(e) => self.fail(&format!("the server sent bad XML: {e}")),
            }
            if Instant::now() > deadline {
                self.fail("nothing complete within the deadline");
            }
            let mut chunk = [0u8; 16 * 1024];
            match self.transport.read(&mut chunk) {
                Ok(0) => {
                    self.note('<', "(end)");
                    let rest = String::from_utf8_lossy(self.splitter.pending()).trim().to_owned();
                    if !rest.is_empty() && !self.may_be_cut {
                        self.fail(&format!("the connection ended within {rest:?}"));
                    }
                    return None;
                }
                Ok(n) => self.splitter.push(&chunk[..n]),
                Err(e) => self.fail(&format!("read: {e}")),
            }
        }
    }

    /// The next first-level element; anything else fails.
    #[track_caller]
    pub(crate) fn next(&mut self) -> El {
        match self.next_event() {
            Some(Event::Element(el)) => el,
            other => self.fail(&format!("wanted an element, got {other:?}")),
        }
    }

    /// The next element must match; see `pattern.rs`.
    #[track_caller]
    pub(crate) fn expect(&mut self, pattern: &str) -> El {
        let el = self.next();
        if let Err(reason) = self.matches(pattern, &el) {
            self.fail(&format!("wanted {pattern}\n   got {}\n   {reason}", el.raw));
        }
        el
    }

    /// The next elements must match these patterns, one each, in whatever order they come.
    #[track_caller]
    pub(crate) fn expect_in_any_order(&mut self, patterns: &[&str]) {
        let mut open = patterns.to_vec();
        while !open.is_empty() {
            let el = self.next();
            match open.iter().position(|pattern| self.matches(pattern, &el).is_ok()) {
                Some(at) => drop(open.remove(at)),
                None => self.fail(&format!("none of {open:#?}\n   is {}", el.raw)),
            }
        }
    }

    /// Compares something already received, with this client's captures.
    pub(crate) fn matches(&mut self, pattern: &str, el: &El) -> Result<(), String> {
        let known = self.all_vars();
        let mut vars = known.clone();
        pattern::matches(pattern, el, &mut vars)?;
        self.vars.extend(vars.into_iter().filter(|(name, _)| !known.contains_key(name)));
        Ok(())
    }

    /// An error answer: `kind` is `iq`, `message` or `presence`; text, `by` and a copy of the payload may be there.
    #[track_caller]
    pub(crate) fn expect_stanza_error(&mut self, kind: &str, id: &str, error_type: &str, condition: &str) -> El {
        self.expect(&format!(
            "<{kind} type='error' id='{id}' from='{{opt}}' to='{{opt}}'><any/><error type='{error_type}' by='{{opt}}'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><any/></error><any/></{kind}>"
        ))
    }

    /// Everything that arrives before the answer to a ping sent now.
    #[track_caller]
    pub(crate) fn sync(&mut self) -> Vec<El> {
        self.pings += 1;
        let id = format!("sync-{}", self.pings);
        self.send_bytes(
            format!(
                "<iq xmlns='jabber:client' type='get' id='{id}' to='{}'><ping xmlns='urn:xmpp:ping'/></iq>",
                self.domain
            )
            .as_bytes(),
        );
        let mut seen = Vec::new();
        loop {
            let el = self.next();
            if el.name == "iq" && el.attr("id") == Some(&id) {
                if el.attr("type") != Some("result") {
                    self.fail("the ping was refused");
                }
                return seen;
            }
            seen.push(el);
        }
    }

    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        let seen = self.sync();
        if !seen.is_empty() {
            self.fail(&format!("wanted nothing, got {seen:#?}"));
        }
    }

    /// `<stream:error>` with this condition (and perhaps text and an application condition), `</stream:stream>`, end.
    #[track_caller]
    pub(crate) fn expect_stream_error(&mut self, condition: &str) -> El {
        let error = self.expect("<stream:error><any/></stream:error>");
        let namespace = "urn:ietf:params:xml:ns:xmpp-streams";
        if error.elements().next().is_none_or(|first| !first.is(condition, namespace)) {
            self.fail(&format!("wanted the stream error {condition}"));
        }
        self.expect_closed();
        error
    }

    /// `</stream:stream>` and the end of the connection. Answers the one so that the other need not be waited for.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        match self.next_event() {
            Some(Event::Close) => {
                self.send_bytes_if_open(self.closing().as_bytes());
                self.expect_end();
            }
            other => self.fail(&format!("wanted </stream:stream>, got {other:?}")),
        }
    }

    /// The end of the connection without another word.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        if let Some(event) = self.next_event() {
            self.fail(&format!("wanted the end of the connection, got {event:?}"));
        }
    }

    // ---- steps of a session

    /// Sends the usual header and takes the server's.
    #[track_caller]
    pub(crate) fn open(&mut self) -> El {
        let header = match &self.frames {
            Some(_) => websocket::open_element(&self.domain),
            None => stream_header(&self.domain),
        };
        self.open_with(&header)
    }

    /// What ends a stream of ours.
    fn closing(&self) -> String {
        let frame = || format!("<close xmlns='{}'/>", websocket::FRAMING);
        self.frames.as_ref().map_or_else(|| "</stream:stream>".to_owned(), |_| frame())
    }

    #[track_caller]
    pub(crate) fn open_with(&mut self, header: &str) -> El {
        self.splitter.restart();
        self.send(header);
        self.expect_header()
    }

    /// For headers sent by other means.
    #[track_caller]
    pub(crate) fn expect_header(&mut self) -> El {
        self.splitter.restart();
        match self.next_event() {
            Some(Event::Header(header)) => header,
            other => self.fail(&format!("wanted a stream header, got {other:?}")),
        }
    }

    #[track_caller]
    pub(crate) fn features(&mut self) -> El {
        self.expect("<stream:features><any/></stream:features>")
    }

    /// A new stream up to its features.
    #[track_caller]
    pub(crate) fn open_to_features(&mut self) -> El {
        self.open();
        self.features()
    }

    /// From features that offer STARTTLS to an encrypted connection without a stream.
    #[track_caller]
    pub(crate) fn starttls(&mut self) {
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        self.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        self.handshake(&TlsOptions::new(&self.domain.clone()));
    }

    #[track_caller]
    pub(crate) fn handshake(&mut self, options: &TlsOptions) {
        assert!(self.splitter.pending().is_empty(), "the server sent plaintext behind <proceed/>");
        match self.transport.start_tls(options) {
            Ok(()) => self.note('*', "TLS"),
            Err(e) => self.fail(&format!("TLS handshake: {e}")),
        }
    }

    /// Plain TCP to the features of the encrypted stream.
    #[track_caller]
    pub(crate) fn secure(&mut self) -> El {
        self.open_to_features();
        self.starttls();
        self.open_to_features()
    }

    /// Authenticated, new stream, features; then ask for this resource (or any, if empty).
    #[track_caller]
    pub(crate) fn bind(&mut self, resource: &str) -> String {
        let wish = if resource.is_empty() { String::new() } else { format!("<resource>{resource}</resource>") };
        let namespace = "urn:ietf:params:xml:ns:xmpp-bind";
        self.send(&format!(
            "<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='{namespace}'>{wish}</bind></iq>"
        ));
        let answer = self.expect(&format!(
            "<iq type='result' id='bind' to='{{opt}}' from='{{opt}}'><bind xmlns='{namespace}'><jid>{{any}}</jid></bind></iq>"
        ));
        let bind = answer.find("bind", namespace).expect("matched above");
        let jid = bind.find("jid", namespace).expect("matched above").text();
        self.note_bound(&jid);
        jid
    }

    /// From now on this is who it is.
    pub(crate) fn note_bound(&mut self, jid: &str) {
        let (bare, bound) = jid.split_once('/').unwrap_or((jid, ""));
        let local = bare.split('@').next().unwrap_or(bare);
        let mut shared = self.shared.lock().unwrap();
        shared.insert(local.to_owned(), jid.to_owned());
        shared.insert(format!("{local}/{bound}"), jid.to_owned());
        drop(shared);
        self.vars.insert("jid".into(), jid.to_owned());
        self.vars.insert("bare".into(), bare.to_owned());
        self.jid = Some(jid.to_owned());
    }

    /// After a header that may have been refused without a word: whether the stream was opened and features came.
    pub(crate) fn next_event_is_features(&mut self) -> bool {
        while let Some(event) = self.next_event() {
            if matches!(event, Event::Element(el) if el.name == "features") {
                return true;
            }
        }
        false
    }

    /// Sends initial presence and gives what came of it (the own presence included).
    #[track_caller]
    pub(crate) fn available(&mut self) -> Vec<El> {
        self.send("<presence xmlns='jabber:client'/>");
        self.sync()
    }

    /// Ends the stream as RFC 6120 §4.4 wants it.
    #[track_caller]
    pub(crate) fn close(mut self) {
        self.send(&self.closing());
        while let Some(event) = self.next_event() {
            if matches!(event, Event::Close) {
                if self.frames.is_some() {
                    self.send_close_frame(&1000u16.to_be_bytes());
                }
                self.expect_end();
                return;
            }
        }
        self.fail("the connection ended without </stream:stream>");
    }

    /// Sends this and breaks the connection with a TCP reset, which is what closing a socket with unread input does.
    #[track_caller]
    pub(crate) fn send_and_reset(mut self, xml: &str) {
        let ping = format!("<iq type='get' id='last' to='{}'><ping xmlns='urn:xmpp:ping'/></iq>", self.domain);
        self.send(&format!("{ping}{xml}"));
        let arrived = self.transport.socket().peek(&mut [0]).expect("an answer");
        assert_eq!(arrived, 1, "the server closed the connection first");
    }

    // ---- the rest

    /// A capture, or a name of the server's.
    #[track_caller]
    pub(crate) fn var(&self, name: &str) -> String {
        self.all_vars().get(name).cloned().unwrap_or_else(|| self.fail(&format!("{name} was not captured")))
    }

    pub(crate) fn set_var(&mut self, name: &str, value: &str) {
        self.vars.insert(name.to_owned(), value.to_owned());
    }

    fn all_vars(&self) -> Vars {
        let mut vars = self.shared.lock().unwrap().clone();
        vars.extend(self.vars.clone());
        vars
    }

    pub(super) fn note(&mut self, mark: char, text: &str) {
        // A session delivered in crumbs should still read as one.
        if let Some(last) = self.transcript.last_mut().filter(|last| last.starts_with(mark) && text.len() < 10) {
            last.push_str(text);
            return;
        }
        let cut = text.char_indices().nth(2000).map_or(text.len(), |(i, _)| i);
        self.transcript.push(format!("{mark} {}{}", &text[..cut], if cut < text.len() { " …" } else { "" }));
    }

    #[track_caller]
    pub(crate) fn fail(&self, reason: &str) -> ! {
        panic!("{reason}\n--- transcript\n{}\n---", self.transcript.join("\n"));
    }
}

pub(crate) fn stream_header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         to='{domain}' version='1.0'>"
    )
}

/// Afterwards everything `sender` has sent so far has had its effect on `receiver`, who must have been told nothing.
/// To look at what arrived instead: `sender.sync(); receiver.sync()`.
#[track_caller]
pub(crate) fn settle(sender: &mut Client, receiver: &mut Client) {
    sender.expect_nothing();
    receiver.expect_nothing();
}
