//! XEP-0050: commands with forms to fill in. An extension declares what its commands do (`extension/commands.rs`); here is
//! who is at which step of which.

use crate::account::resource::Client;
use crate::clock;
use crate::core::Core;
use crate::extension::commands::{Command, CommandCall, Step};
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, IqResult};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::{Arc, Mutex, PoisonError};
use xep_support::formats::form::{DataForm, FormType};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::Element;

/// Ad-hoc commands of the server.
#[derive(Default)]
pub struct Commands;

impl Extension for Commands {
    fn about(&self) -> About {
        About::new("XEP-0050", "Ad-Hoc Commands", "1.3.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.server_feature(ns::COMMANDS);
        serve(d, Addressee::Server);
    }
}

/// Has the commands that are declared for this addressee executed.
pub fn serve(d: &mut Declare<'_>, addressee: Addressee) {
    let sessions = Arc::new(Sessions::default());
    d.iq(addressee, IqType::Set, ("command", ns::COMMANDS), move |call| execute(&sessions, &call));
}

// Service discovery (§2.2).

/// The commands that the asker may run.
pub fn items(call: &IqCall<'_>) -> Vec<Element> {
    let item = |command: &Command| {
        let item = Element::new("item", ns::DISCO_ITEMS).attr("jid", call.to.as_str());
        item.attr("node", command.node).attr("name", command.name)
    };
    may_run(call).map(item).collect()
}

/// What a node is: the list of commands, or one of them. `None`: neither, or not for the asker.
pub fn info(call: &IqCall<'_>, node: &str) -> Option<Vec<Element>> {
    let identity = |kind: &str, name: &str| {
        let identity = Element::new("identity", ns::DISCO_INFO).attr("category", "automation").attr("type", kind);
        identity.attr("name", name)
    };
    let feature = |var: &str| Element::new("feature", ns::DISCO_INFO).attr("var", var);
    if node == ns::COMMANDS {
        return Some(vec![identity("command-list", "Commands"), feature(ns::COMMANDS)]);
    }
    let command = may_run(call).find(|command| command.node == node)?;
    Some(vec![identity("command-node", command.name), feature(ns::COMMANDS), feature(ns::DATA_FORM)])
}

fn may_run<'a>(call: &'a IqCall<'_>) -> impl Iterator<Item = &'a Command> {
    let all = call.core.registry.commands(call.addressee);
    all.iter().filter(|command| (command.may)(call.core, call.client, call.to))
}

// Execution (§2.4).

/// §4.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Execute,
    Cancel,
    Prev,
    Next,
    Complete,
}

impl Action {
    fn of(command: &Element) -> Result<Self, StanzaError> {
        match command.get_attr("action") {
            None | Some("execute") => Ok(Self::Execute),
            Some("cancel") => Ok(Self::Cancel),
            Some("prev") => Ok(Self::Prev),
            Some("next") => Ok(Self::Next),
            Some("complete") => Ok(Self::Complete),
            Some(_) => Err(bad("malformed-action")),
        }
    }
}

/// §4.4.
fn bad(condition: &'static str) -> StanzaError {
    StanzaError::bad_request().with_app(condition, ns::COMMANDS)
}

fn execute(sessions: &Arc<Sessions>, call: &IqCall<'_>) -> Answer {
    match begin(sessions, call) {
        Ok(turn) => Answer::later(turn.run()),
        Err(Refused::Error(error)) => Answer::error(error),
        Err(Refused::Canceled(answer)) => Answer::with(answer),
    }
}

enum Refused {
    Error(StanzaError),
    /// §2.4.3: that is what was wanted.
    Canceled(Element),
}

impl From<StanzaError> for Refused {
    fn from(error: StanzaError) -> Self {
        Self::Error(error)
    }
}

/// Finds out which step of what this is.
fn begin(sessions: &Arc<Sessions>, call: &IqCall<'_>) -> Result<Turn, Refused> {
    let node = call.payload.get_attr("node").ok_or_else(StanzaError::bad_request)?;
    let known = call.core.registry.commands(call.addressee);
    let at = known.iter().position(|command| command.node == node).ok_or_else(StanzaError::item_not_found)?;
    if !(known[at].may)(call.core, call.client, call.to) {
        return Err(StanzaError::forbidden().into());
    }
    let action = Action::of(&call.payload)?;
    let asker = call.client.jid().as_jid().clone();
    let session = match call.payload.get_attr("sessionid") {
        None if action == Action::Execute => {
            let mut session = Session::new(node, asker, call.to.clone())?;
            // Who knows what will be asked says it at once (XEP-0317 §3.3, §3.6).
            let is_filled_in = call.payload.find("x", ns::DATA_FORM).is_some();
            if is_filled_in && !session.advance(action, &call.payload)? {
                return Err(Refused::Canceled(session.answer("canceled")));
            }
            session
        }
        None => return Err(bad("bad-action").into()),
        Some(id) => {
            let mut session = sessions.find(id, node, &asker, call.to)?;
            if !session.advance(action, &call.payload)? {
                sessions.forget(id);
                return Err(Refused::Canceled(session.answer("canceled")));
            }
            session
        }
    };
    let (sessions, core, client) = (sessions.clone(), call.core.clone(), call.client.clone());
    Ok(Turn { sessions, core, client, addressee: call.addressee, at, session })
}

/// One step, about to be done.
struct Turn {
    sessions: Arc<Sessions>,
    core: Arc<Core>,
    client: Client,
    addressee: Addressee,
    /// Which of the addressee's commands.
    at: usize,
    session: Session,
}

impl Turn {
    /// What is refused leaves the session where it was.
    async fn run(mut self) -> IqResult {
        let call = CommandCall {
            core: self.core.clone(),
            client: self.client,
            to: self.session.to.clone(),
            forms: self.session.forms.clone(),
        };
        let step = (self.core.registry.commands(self.addressee)[self.at].run)(call);
        match step.await? {
            Step::Done { form, note } => {
                self.sessions.forget(&self.session.id);
                let note = note.map(|text| Element::new("note", ns::COMMANDS).attr("type", "info").text(text));
                Ok(Some(self.session.answer("completed").children(note).children(form)))
            }
            Step::Form { form, is_last } => {
                self.session.is_last = is_last;
                let answer = self.session.answer("executing").child(self.session.actions()).child(form.to_element());
                let sessions_max = self.core.config().limits.command_sessions_max;
                self.sessions.keep(self.session, sessions_max, clock::monotonic_ms());
                Ok(Some(answer))
            }
        }
    }
}

/// Steps of one command, and bytes of everything filled in: beyond any form of ours.
const STEPS_MAX: usize = 16;
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Commands one client may be in the middle of.
const SESSIONS_PER_CLIENT_MAX: usize = 4;
/// A user who has not answered for so long has gone away.
const IDLE_MS: u64 = 15 * 60 * 1000;
/// Of a session id; nobody guesses one, and it would be of no use to anybody else.
const ID_BYTES: usize = 12;

/// Who is at which step of a command.
#[derive(Clone, Debug)]
struct Session {
    id: String,
    node: String,
    asker: Jid,
    to: Jid,
    forms: Vec<DataForm>,
    bytes: Vec<usize>,
    /// Does the form that waits to be filled in complete the command?
    is_last: bool,
    used_ms: u64,
}

impl Session {
    fn new(node: &str, asker: Jid, to: Jid) -> Result<Self, StanzaError> {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).map_err(|_| StanzaError::internal_server_error())?;
        let (id, node) = (URL_SAFE_NO_PAD.encode(id), node.to_owned());
        Ok(Self { id, node, asker, to, forms: Vec::new(), bytes: Vec::new(), is_last: false, used_ms: 0 })
    }

    /// Takes what was filled in, or goes back. `false`: it is over.
    fn advance(&mut self, action: Action, command: &Element) -> Result<bool, StanzaError> {
        match action {
            Action::Cancel => return Ok(false),
            Action::Prev => {
                self.forms.pop().ok_or_else(|| bad("bad-action"))?;
                self.bytes.pop();
                return Ok(true);
            }
            Action::Next if self.is_last => return Err(bad("bad-action")),
            Action::Complete if !self.is_last => return Err(bad("bad-action")),
            Action::Next | Action::Complete | Action::Execute => {}
        }
        let element = command.find("x", ns::DATA_FORM).ok_or_else(|| bad("bad-payload"))?;
        let form = DataForm::from_element(element).map_err(|_| bad("bad-payload"))?;
        match form.kind {
            FormType::Submit => {}
            // XEP-0004 §3.2: the user does not want to.
            FormType::Cancel => return Ok(false),
            _ => return Err(bad("bad-payload")),
        }
        let bytes = element.to_xml(ns::COMMANDS).len();
        if self.forms.len() >= STEPS_MAX || self.bytes.iter().sum::<usize>() + bytes > FORM_BYTES_MAX {
            return Err(bad("bad-payload").with_text("the form is too large"));
        }
        self.forms.push(form);
        self.bytes.push(bytes);
        Ok(true)
    }

    fn answer(&self, status: &str) -> Element {
        let command = Element::new("command", ns::COMMANDS).attr("node", self.node.as_str());
        command.attr("sessionid", self.id.as_str()).attr("status", status)
    }

    /// §4.2.
    fn actions(&self) -> Element {
        let forward = if self.is_last { "complete" } else { "next" };
        let back = (!self.forms.is_empty()).then(|| Element::new("prev", ns::COMMANDS));
        let actions = Element::new("actions", ns::COMMANDS).attr("execute", forward);
        actions.children(back).child(Element::new(forward, ns::COMMANDS))
    }
}

/// Everybody who is in the middle of something.
#[derive(Default)]
struct Sessions(Mutex<Vec<Session>>);

impl Sessions {
    /// The session with this id, if it is the asker's and about this command.
    fn find(&self, id: &str, node: &str, asker: &Jid, to: &Jid) -> Result<Session, StanzaError> {
        let now_ms = clock::monotonic_ms();
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |s: &&Session| s.id == id && s.asker == *asker && s.to == *to && s.node == node;
        match sessions.iter().find(own).filter(|session| now_ms.saturating_sub(session.used_ms) < IDLE_MS) {
            Some(session) => Ok(session.clone()),
            // One that looks like ours was ours.
            None if URL_SAFE_NO_PAD.decode(id).is_ok_and(|id| id.len() == ID_BYTES) => {
                Err(StanzaError::not_allowed().with_app("session-expired", ns::COMMANDS))
            }
            None => Err(bad("bad-sessionid")),
        }
    }

    fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|session| session.id != id);
    }

    /// Keeps a session; the one that was used longest ago makes room: of the client, then of all.
    fn keep(&self, session: Session, sessions_max: usize, now_ms: u64) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|other| other.id != session.id && now_ms.saturating_sub(other.used_ms) < IDLE_MS);
        let of_client = sessions.iter().filter(|other| other.asker == session.asker).count();
        if of_client >= SESSIONS_PER_CLIENT_MAX
            && let Some(at) = sessions.iter().position(|other| other.asker == session.asker)
        {
            sessions.remove(at);
        }
        if sessions.len() >= sessions_max {
            // Used again, a session goes to the end: the first one is the oldest.
            sessions.remove(0);
        }
        sessions.push(Session { used_ms: now_ms, ..session });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(asker: &str) -> Session {
        let jid = |text| Jid::parse(text).expect("a JID");
        Session::new("config", jid(asker), jid("im.example")).expect("random numbers")
    }

    fn command(inside: &str) -> Element {
        let xml = format!("<command xmlns='http://jabber.org/protocol/commands' node='config'>{inside}</command>");
        Element::parse(&xml, ns::CLIENT).expect("XML")
    }

    #[test]
    fn each_client_has_a_few_sessions_and_all_together_have_a_limit() {
        let sessions = Sessions::default();
        let ids = |sessions: &Sessions| sessions.0.lock().unwrap().iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        let of_romeo: Vec<Session> = (0..5).map(|_| session("romeo@im.example/a")).collect();
        of_romeo.iter().for_each(|one| sessions.keep(one.clone(), 6, 1));
        assert_eq!(ids(&sessions), of_romeo[1..].iter().map(|s| s.id.clone()).collect::<Vec<_>>());
        for name in ["a", "b", "c"] {
            sessions.keep(session(&format!("{name}@im.example/a")), 6, 2);
        }
        assert_eq!((ids(&sessions).len(), ids(&sessions).contains(&of_romeo[1].id)), (6, false));
        sessions.keep(session("d@im.example/a"), 6, 2 + IDLE_MS);
        assert_eq!(ids(&sessions).len(), 1);
    }

    #[test]
    fn a_session_is_nobody_elses() {
        let sessions = Sessions::default();
        let own = session("romeo@im.example/a");
        sessions.keep(own.clone(), 10, clock::monotonic_ms());
        let find = |id: &str, node: &str, asker: &str| {
            let asker = Jid::parse(asker).expect("a JID");
            sessions.find(id, node, &asker, &own.to).map_err(|error| error.app.map(|(name, _)| name))
        };
        assert!(find(&own.id, "config", "romeo@im.example/a").is_ok());
        assert_eq!(find(&own.id, "config", "paris@im.example/a").err(), Some(Some("session-expired")));
        assert_eq!(find(&own.id, "other", "romeo@im.example/a").err(), Some(Some("session-expired")));
        assert_eq!(find("guess", "config", "romeo@im.example/a").err(), Some(Some("bad-sessionid")));
    }

    #[test]
    fn forms_are_taken_and_given_back() {
        let mut one = session("romeo@im.example/a");
        let filled = command("<x xmlns='jabber:x:data' type='submit'><field var='a'><value>1</value></field></x>");
        assert!(one.advance(Action::Next, &filled).is_ok_and(|goes_on| goes_on));
        assert_eq!(one.forms.len(), 1);
        let refused = |one: &mut Session, action, command: &Element| one.advance(action, command).err().map(|e| e.app);
        assert_eq!(refused(&mut one, Action::Complete, &filled), Some(Some(("bad-action", ns::COMMANDS))));
        assert_eq!(refused(&mut one, Action::Execute, &command("")), Some(Some(("bad-payload", ns::COMMANDS))));
        let large = "x".repeat(FORM_BYTES_MAX);
        let large = format!("<x xmlns='jabber:x:data' type='submit'><field var='a'><value>{large}</value></field></x>");
        assert_eq!(refused(&mut one, Action::Next, &command(&large)), Some(Some(("bad-payload", ns::COMMANDS))));
        assert!(one.advance(Action::Prev, &command("")).is_ok() && one.forms.is_empty());
        assert_eq!(refused(&mut one, Action::Prev, &command("")), Some(Some(("bad-action", ns::COMMANDS))));
        assert_eq!(one.advance(Action::Next, &command("<x xmlns='jabber:x:data' type='cancel'/>")), Ok(false));
    }
}
