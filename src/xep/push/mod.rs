//! XEP-0357: a client that may be asleep registers the push service of its maker, which is told when something important
//! comes while the client is away.
//!
//! Who is told what: [`news`]; how, and what becomes of errors: [`notify`].

mod news;
pub mod notify;

use crate::account::push::{Device, Devices};
use crate::account::resource::Client;
use crate::account::{Account, AccountState, Parcel};
use crate::clock;
use crate::core::Core;
use crate::extension::{About, Addressee, Answer, Declare, Extension, IqCall, Received};
use crate::ops;
use crate::router::bounce::refused;
use crate::storage::PushRow;
use std::sync::Arc;
use xep_support::formats::form::{DataForm, FormType};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::IqType;
use xep_support::stanza::error::{Condition, StanzaError};
use xep_support::xml::Element;

/// Push notifications.
pub struct PushNotifications;

impl Extension for PushNotifications {
    fn about(&self) -> About {
        About::new("XEP-0357", "Push Notifications", "0.4.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.account_feature_if(ns::PUSH, |config| config.push.enabled)
            .iq(Addressee::OwnAccount, IqType::Set, ("enable", ns::PUSH), enable)
            .iq(Addressee::OwnAccount, IqType::Set, ("disable", ns::PUSH), disable)
            .receive(Box::new(told_to_stop))
            .arrived(Box::new(news::arrived))
            .available(Box::new(|core, client, _| here_again(core, client)));
    }
}

/// Bytes of a node's name.
const NODE_BYTES_MAX: usize = 1_023;

/// What an `<enable/>` asks for.
struct Wish {
    service: Jid,
    node: String,
    options: Option<String>,
}

/// §5. Settings are asked before, so that a client learns whether it makes sense at all.
fn enable(call: IqCall<'_>) -> Answer {
    let (enabled, options_bytes_max, registrations_max) = {
        let config = call.core.config();
        (config.push.enabled, config.limits.push_options_bytes_max, config.limits.push_registrations_max)
    };
    if !enabled {
        return Answer::error(StanzaError::service_unavailable());
    }
    let account = call.client.account.clone();
    let id = match ops::registered(&account) {
        Ok(id) => id,
        Err(error) => return Answer::error(error),
    };
    let wish = match Wish::read(&call.payload, options_bytes_max) {
        Ok(wish) => wish,
        Err(error) => return Answer::error(error),
    };
    let row = PushRow {
        service: wish.service.to_string(),
        node: wish.node,
        resource: call.client.jid().resource().to_owned(),
        options: wish.options,
        since_us: clock::now_micros(),
        failures: 0,
    };
    let commit = {
        let mut state = account.lock();
        if state.removed {
            return Answer::error(StanzaError::new(Condition::ItemNotFound));
        }
        let (row, gone) = register(&mut state, row, registrations_max);
        for old in &gone {
            tracing::info!(account = %account.jid, service = old.service, "push registration gave way to a newer one");
        }
        // Under the lock: what is in memory and what is on disk change in the same order.
        call.core.storage.push_set(id, row, gone)
    };
    Answer::later(async move { commit.await.map(|()| None).map_err(refused("push")) })
}

/// §5: the last request for a node counts. What gave way to it comes back.
fn register(state: &mut AccountState, mut row: PushRow, registrations_max: usize) -> (PushRow, Vec<PushRow>) {
    let devices = &mut state.push.get_or_insert_default().0;
    // Two clocks may differ, and the clock may be set back: a later one is later.
    let last = devices.iter().map(|d| d.registration.row.since_us).max().unwrap_or(i64::MIN);
    row.since_us = row.since_us.max(last.saturating_add(1));
    let same = |d: &Device| d.registration.row.service == row.service && d.registration.row.node == row.node;
    devices.retain(|d| !same(d));
    let mut gone = Vec::new();
    while devices.len() >= registrations_max.max(1) {
        let oldest = devices.iter().enumerate().min_by_key(|(_, d)| d.registration.row.since_us).map(|(at, _)| at);
        gone.extend(oldest.map(|at| devices.remove(at).registration.row.clone()));
    }
    devices.extend(Device::new(row.clone()));
    (row, gone)
}

impl Wish {
    fn read(enable: &Element, options_bytes_max: usize) -> Result<Self, StanzaError> {
        let bad = |text: &'static str| StanzaError::new(Condition::BadRequest).with_text(text);
        let service = service(enable)?;
        let node = enable.get_attr("node").unwrap_or_default().to_owned();
        if node.len() > NODE_BYTES_MAX {
            return Err(StanzaError::new(Condition::NotAcceptable).with_text("the name of the node is too long"));
        }
        let mut forms = enable.child_elements();
        let (form, more) = (forms.next(), forms.next());
        if more.is_some() {
            return Err(bad("more than one form"));
        }
        let options =
            form.map(|form| options(form).ok_or_else(|| bad("not a form with publish-options"))).transpose()?;
        if options.as_ref().is_some_and(|options| options.len() > options_bytes_max) {
            return Err(StanzaError::new(Condition::NotAcceptable).with_text("the options are too long"));
        }
        Ok(Self { service, node, options })
    }
}

/// §5: kept as it came, since only the push service knows what it means.
fn options(form: &Element) -> Option<String> {
    let read = DataForm::from_element(form).ok()?;
    let good = read.kind == FormType::Submit && read.form_type() == Some(ns::PUBSUB_PUBLISH_OPTIONS);
    good.then(|| form.to_xml(""))
}

fn service(element: &Element) -> Result<Jid, StanzaError> {
    let jid = element.get_attr("jid").ok_or_else(|| StanzaError::new(Condition::BadRequest).with_text("no 'jid'"))?;
    Jid::parse(jid).map_err(|_| StanzaError::new(Condition::JidMalformed))
}

/// §6: of one node, or of all nodes of a service. What is not there needs not be disabled.
fn disable(call: IqCall<'_>) -> Answer {
    let service = match service(&call.payload) {
        Ok(service) => service,
        Err(error) => return Answer::error(error),
    };
    let account = &call.client.account;
    let id = match ops::registered(account) {
        Ok(id) => id,
        Err(error) => return Answer::error(error),
    };
    let node = call.payload.get_attr("node");
    let commit = {
        let mut state = account.lock();
        let gone = unregister(&mut state, |device| device.is_for(&service, node));
        if gone.is_empty() {
            return Answer::ok();
        }
        call.core.storage.push_remove(id, gone)
    };
    Answer::later(async move { commit.await.map(|()| None).map_err(refused("push")) })
}

/// Forgets devices in memory; what is to be removed from storage comes back.
fn unregister(state: &mut AccountState, is_meant: impl Fn(&Device) -> bool) -> Vec<PushRow> {
    let Some(devices) = &mut state.push else { return Vec::new() };
    let (gone, left): (Vec<Device>, Vec<Device>) = std::mem::take(&mut devices.0).into_iter().partition(is_meant);
    state.push = (!left.is_empty()).then(|| Box::new(Devices(left)));
    gone.into_iter().map(|device| device.registration.row.clone()).collect()
}

/// §8: a push service has taken the right to publish away.
fn told_to_stop(core: &Arc<Core>, account: &Arc<Account>, state: &mut AccountState, parcel: &mut Parcel) -> Received {
    if state.push.is_none() || !parcel.stanza.has_child("pubsub", ns::PUBSUB) {
        return Received::Pass;
    }
    let (Some(from), Some(pubsub)) = (parcel.stanza.from(), parcel.stanza.child("pubsub", ns::PUBSUB)) else {
        return Received::Pass;
    };
    let own = account.jid.as_str();
    let is_mine = |a: &&Element| a.is("affiliation", ns::PUBSUB) && a.get_attr("jid") == Some(own);
    let affiliation = pubsub.child_elements().find(is_mine).and_then(|a| a.get_attr("affiliation"));
    let (Some("none" | "outcast"), Some(node), Some(id)) = (affiliation, pubsub.get_attr("node"), account.id) else {
        return Received::Pass;
    };
    let gone = unregister(state, |device| device.is_for(from, Some(node)));
    if gone.is_empty() {
        return Received::Pass;
    }
    tracing::info!(account = own, service = %from, "push registration ended by the push service");
    drop(core.storage.push_remove(id, gone));
    Received::Dropped("it was for us: a push service ends a registration")
}

/// Stage Available, and when somebody looks again: who is here sees what there is.
pub fn here_again(core: &Core, client: &Client) {
    let mut state = client.account.lock();
    let state = &mut *state;
    let Some(devices) = &mut state.push else { return };
    let own = client.jid().resource();
    if !news::is_here(&core.config(), &state.resources, own) {
        return;
    }
    for device in devices.0.iter_mut().filter(|d| d.registration.row.resource == own) {
        (device.missed, device.news) = (0, None);
    }
}
