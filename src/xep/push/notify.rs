//! Notifications on their way to push services: one at a time for each registration, what comes meanwhile in one more
//! behind it; and what their errors mean for the registration (§7, §7.1).

use super::{news, unregister};
use crate::account::push::{Device, News, Registration};
use crate::account::{Account, AccountState};
use crate::clock;
use crate::core::Core;
use crate::router;
use crate::router::request;
use crate::storage::{Error, PushRow};
use std::sync::Arc;
use std::time::Duration;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::BareJid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, ErrorType, StanzaError};
use xep_support::xml::Element;

/// How often a notification that failed is tried again on its own. Then the next message is waited for.
const RETRIES_MAX: u32 = 6;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// Sees to it that a device with news is told; under the account's lock.
pub(super) fn see_to(core: &Arc<Core>, account: &Arc<Account>, device: &mut Device, urgent: bool) {
    if device.busy {
        if urgent {
            device.hurry.notify_one();
        }
        return;
    }
    device.busy = true;
    let (core, account, registration) = (core.clone(), account.clone(), device.registration.clone());
    tokio::spawn(Sender { core, account, registration, retries: 0, over: false }.run());
}

/// Tells one device until there is nothing more to tell.
struct Sender {
    core: Arc<Core>,
    account: Arc<Account>,
    registration: Arc<Registration>,
    retries: u32,
    /// Whoever comes next begins anew; what the device says about being busy is no longer ours.
    over: bool,
}

/// One notification that is to be sent.
struct Notification {
    news: News,
    payload: Element,
    /// Wakes whoever waits before the next one.
    hurry: Arc<tokio::sync::Notify>,
}

impl Sender {
    async fn run(mut self) {
        while let Some(Notification { news, payload, hurry }) = self.next() {
            let outcome = publish(&self.core, &self.account, &self.registration, payload).await;
            let Some(pause) = self.settle(news, outcome) else { return };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = hurry.notified() => {}
            }
        }
    }

    /// What there is to tell; `None`: nothing, or the client is here and sees for itself.
    fn next(&mut self) -> Option<Notification> {
        let mut state = self.account.lock();
        if state.removed {
            return None;
        }
        let unread = state.offline.messages;
        let requests = state.roster.items.values().filter(|contact| contact.subscription.pending_in).count();
        let here = news::is_here(&self.core.config(), &state.resources, &self.registration.row.resource);
        let device = device(&mut state, &self.registration)?;
        let news = device.news.take().filter(|_| !here);
        let Some(news) = news else {
            device.busy = false;
            self.over = true;
            return None;
        };
        let unread = unread.max(device.missed as usize);
        let hurry = device.hurry.clone();
        let payload = self.payload(unread, requests, &news);
        Some(Notification { news, payload, hurry })
    }

    /// §7, with the summary of §11.3.1.
    fn payload(&self, unread: usize, requests: usize, news: &News) -> Element {
        let placeholder = &self.core.config().push.placeholder;
        let text = |var: &str, value: &str| Field::new(var, FieldType::TextSingle).value(value);
        let mut form = DataForm::new(FormType::Submit)
            .with_form_type(ns::PUSH_SUMMARY)
            .field(text("message-count", &unread.to_string()))
            .field(text("pending-subscription-count", &requests.to_string()));
        if let Some(sender) = &news.sender {
            form = form.field(Field::new("last-message-sender", FieldType::JidSingle).value(&**sender));
        }
        match news.body.as_deref().unwrap_or(placeholder) {
            "" => {}
            body => form = form.field(text("last-message-body", body)),
        }
        notification(&self.registration.row, &form)
    }

    /// What the outcome means. `None`: it is over; else how long to wait before the next one.
    fn settle(&mut self, news: News, outcome: Result<(), StanzaError>) -> Option<Duration> {
        let (pause, retry, failures_max) = {
            let config = self.core.config();
            (config.limits.push_pause_seconds, config.push.retry_seconds, config.limits.push_failures_max)
        };
        let mut state = self.account.lock();
        let device = device(&mut state, &self.registration)?;
        let error = match outcome {
            Ok(()) => {
                self.retries = 0;
                if std::mem::take(&mut device.failures) > 0 {
                    self.store_failures(0);
                }
                return Some(pause);
            }
            Err(error) => error,
        };
        let lasting = match meaning(&error) {
            Meaning::Gone => true,
            Meaning::Trouble => {
                device.failures = device.failures.saturating_add(1);
                self.store_failures(device.failures);
                device.failures as usize >= failures_max
            }
            Meaning::Unreachable => false,
        };
        if lasting {
            let gone = unregister(&mut state, |d| Arc::ptr_eq(&d.registration, &self.registration));
            self.removed(gone, &error);
            return None;
        }
        self.retries += 1;
        if self.retries > RETRIES_MAX {
            // The message is where it is; the next one brings another try.
            device.busy = device.news.is_some();
            self.over = !device.busy;
            return device.busy.then_some(PAUSE_MAX);
        }
        // What came meanwhile is newer; either way there is one notification to come.
        let urgent = news.urgent;
        device.news.get_or_insert(news).urgent |= urgent;
        Some(retry.saturating_mul(1 << (self.retries - 1)).min(PAUSE_MAX))
    }

    fn store_failures(&self, failures: u32) {
        if let Some(id) = self.account.id {
            drop(self.core.storage.push_set_failures(id, PushRow { failures, ..self.registration.row.clone() }));
        }
    }

    fn removed(&self, gone: Vec<PushRow>, error: &StanzaError) {
        let Registration { service, .. } = &*self.registration;
        tracing::info!(account = %self.account.jid, %service, reason = error.condition.as_str(), "push registration removed");
        let outcome = format!("removed: {error}");
        self.core.push_log.note(&self.account.jid, &self.registration, clock::now_micros(), outcome);
        if let Some(id) = self.account.id {
            drop(self.core.storage.push_remove(id, gone));
        }
    }
}

impl Drop for Sender {
    /// However it ended: the next message may begin anew.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut state = self.account.lock();
        if let Some(device) = device(&mut state, &self.registration) {
            device.busy = false;
        }
    }
}

/// The device, unless its registration was removed or made anew.
fn device<'a>(state: &'a mut AccountState, registration: &Arc<Registration>) -> Option<&'a mut Device> {
    let devices = &mut state.push.as_mut()?.0;
    devices.iter_mut().find(|device| Arc::ptr_eq(&device.registration, registration))
}

/// What an error means for the registration (§7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meaning {
    /// It will not go away.
    Gone,
    /// It may; if it happens too often in a row, it counts as lasting.
    Trouble,
    /// The service could not be asked at all. That may be our own fault.
    Unreachable,
}

fn meaning(error: &StanzaError) -> Meaning {
    match error.condition {
        Condition::RemoteServerNotFound => Meaning::Unreachable,
        Condition::RemoteServerTimeout
        | Condition::ServiceUnavailable
        | Condition::RecipientUnavailable
        | Condition::ResourceConstraint
        | Condition::InternalServerError
        | Condition::UndefinedCondition
        | Condition::UnexpectedRequest => Meaning::Trouble,
        _ if error.kind == ErrorType::Wait => Meaning::Trouble,
        _ => Meaning::Gone,
    }
}

/// Publishes a notification in the name of the account, and notes what came of it.
async fn publish(
    core: &Arc<Core>,
    account: &Account,
    registration: &Registration,
    payload: Element,
) -> Result<(), StanzaError> {
    let time_limit = core.config().limits.push_answer_seconds_max;
    let from = account.jid.as_jid();
    let answer = request::ask(core, from, &registration.service, IqType::Set, payload, time_limit).await;
    let outcome = answer.as_ref().map_or_else(ToString::to_string, |_| "delivered".to_owned());
    tracing::debug!(account = %account.jid, service = %registration.service, outcome, "push notification");
    core.push_log.note(&account.jid, registration, clock::now_micros(), outcome);
    answer.map(|_| ())
}

/// §7, with the options the client gave.
fn notification(row: &PushRow, summary: &DataForm) -> Element {
    let node = Some(row.node.as_str()).filter(|node| !node.is_empty());
    let item =
        Element::new("item", ns::PUBSUB).child(Element::new("notification", ns::PUSH).child(summary.to_element()));
    let options = row.options.as_deref().and_then(|xml| Element::parse(xml, "").ok());
    Element::new("pubsub", ns::PUBSUB)
        .child(Element::new("publish", ns::PUBSUB).attr_opt("node", node).child(item))
        .child_opt(options.map(|form| Element::new("publish-options", ns::PUBSUB).child(form)))
}

/// What a push service answered to a test.
pub struct Tested {
    /// The registration.
    pub registration: Arc<Registration>,
    /// `None`: it took the notification.
    pub error: Option<StanzaError>,
}

/// Sends a notification to each device of an account at once, whoever is there, as an operator's test. Errors change
/// nothing. `None`: there is no such account.
pub async fn test(core: &Arc<Core>, jid: &BareJid) -> Result<Option<Vec<Tested>>, Error> {
    let Some(account) = router::load(core, jid).await? else { return Ok(None) };
    let registrations: Vec<Arc<Registration>> = {
        let state = account.lock();
        state.push.iter().flat_map(|devices| &devices.0).map(|device| device.registration.clone()).collect()
    };
    let mut tests = tokio::task::JoinSet::new();
    for (at, registration) in registrations.into_iter().enumerate() {
        let (core, account) = (core.clone(), account.clone());
        tests.spawn(async move {
            let text = |var: &str, value: &str| Field::new(var, FieldType::TextSingle).value(value);
            let summary = DataForm::new(FormType::Submit)
                .with_form_type(ns::PUSH_SUMMARY)
                .field(text("message-count", "1"))
                .field(text("last-message-body", "This is a test"));
            let payload = notification(&registration.row, &summary);
            let error = publish(&core, &account, &registration, payload).await.err();
            (at, Tested { registration, error })
        });
    }
    let mut tested = tests.join_all().await;
    tested.sort_by_key(|(at, _)| *at);
    Ok(Some(tested.into_iter().map(|(_, tested)| tested).collect()))
}
