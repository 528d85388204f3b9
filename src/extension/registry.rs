//! All declarations, frozen at start.

use super::commands::Command;
use super::{
    About, Addressee, Arrival, ArrivedHook, BroadcastHook, DiscoHook, Extension, InlineHook, IqHandler, LeftHook,
    NodeHook, ReceiveHook, ResourceHook, SentHook, ServiceHook, ServicePresenceHook, SubmitHook, UndeliveredHook,
    WithinHook,
};
use super::{PresenceHook, ShownHook};
use crate::account::joined::Joined;
use crate::account::resource::Client;
use crate::account::{Account, AccountState};
use crate::config::Config;
use crate::core::Core;
use crate::pubsub::NodeEvent;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use xep_support::formats::form::DataForm;
use xep_support::jid::{BareJid, Jid};
use xep_support::stanza::{IqType, Stanza};

/// An entry of a disco#info answer (XEP-0030 §3.1).
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// `server`, `account` …
    pub category: &'static str,
    /// `im`, `registered` …
    pub kind: &'static str,
    /// For people.
    pub name: &'static str,
}

/// What a service with an address of its own shows in service discovery.
#[derive(Default)]
pub struct ServiceInfo {
    /// Its identities; the first one's name is also its name among the items of the server.
    pub identities: Vec<Identity>,
    /// Its features.
    pub features: BTreeSet<&'static str>,
    /// Is it there? Without a switch it always is.
    pub on: Option<FeatureSwitch>,
}

/// A data form in the server's disco#info (XEP-0128), from the settings in force.
pub type InfoForm = Box<dyn Fn(&Core, &Jid) -> Option<DataForm> + Send + Sync>;

/// Do the settings in force have this feature?
pub type FeatureSwitch = fn(&Config) -> bool;

/// Everything the extensions of a server declared.
#[derive(Default)]
pub struct Registry {
    abouts: Vec<About>,
    iq: HashMap<Addressee, HashMap<&'static str, Vec<IqEntry>>>,
    submit: Vec<SubmitHook>,
    sent: Vec<SentHook>,
    receive: Vec<ReceiveHook>,
    undelivered: Vec<UndeliveredHook>,
    arrived: Vec<ArrivedHook>,
    presence: Vec<PresenceHook>,
    broadcast: Vec<BroadcastHook>,
    shown: Vec<ShownHook>,
    available: Vec<ResourceHook>,
    unavailable: Vec<ResourceHook>,
    server_features: BTreeSet<&'static str>,
    server_features_if: Vec<(&'static str, FeatureSwitch)>,
    account_features: BTreeSet<&'static str>,
    account_features_if: Vec<(&'static str, FeatureSwitch)>,
    registered_features: BTreeSet<&'static str>,
    registered_identities: Vec<Identity>,
    server_identities: Vec<Identity>,
    account_identities: Vec<Identity>,
    info_forms: Vec<InfoForm>,
    guarded: HashMap<&'static str, &'static str>,
    services: BTreeMap<&'static str, ServiceInfo>,
    service_messages: HashMap<&'static str, ServiceHook>,
    within: HashMap<&'static str, WithinHook>,
    service_presence: HashMap<&'static str, ServicePresenceHook>,
    left: Vec<LeftHook>,
    node_events: Vec<NodeHook>,
    disco: Vec<DiscoHook>,
    inline: BTreeMap<&'static str, InlineHook>,
    commands: HashMap<Addressee, Vec<Command>>,
}

struct IqEntry {
    kind: IqType,
    name: &'static str,
    handler: IqHandler,
}

/// What a look-up in the IQ table found.
pub enum IqFound<'a> {
    /// This handler answers.
    Handler(&'a IqHandler),
    /// The payload is known, but not with this type: `not-allowed`.
    WrongType,
    /// Nobody knows it: `service-unavailable`.
    Nobody,
}

impl Registry {
    /// Collects what the extensions declare, in the order in which their hooks run.
    pub fn new(extensions: impl IntoIterator<Item = Arc<dyn Extension>>) -> Self {
        let mut registry = Self::default();
        for extension in extensions {
            registry.abouts.push(extension.about());
            extension.declare(&mut Declare { registry: &mut registry });
        }
        registry
    }

    /// What the server implements.
    pub fn abouts(&self) -> &[About] {
        &self.abouts
    }

    /// Who answers this request?
    pub fn iq(&self, addressee: Addressee, kind: IqType, name: &str, ns: &str) -> IqFound<'_> {
        let Some(entries) = self.iq.get(&addressee).and_then(|by_ns| by_ns.get(ns)) else {
            return IqFound::Nobody;
        };
        let mut found = IqFound::Nobody;
        for entry in entries.iter().filter(|e| e.name == name) {
            if entry.kind == kind {
                return IqFound::Handler(&entry.handler);
            }
            found = IqFound::WrongType;
        }
        found
    }

    /// May only somebody who sees the presence of a resource ask it this? The namespace and name of the payload decide.
    pub fn is_guarded(&self, name: &str, ns: &str) -> bool {
        self.guarded.get(ns).is_some_and(|n| *n == name)
    }

    /// What can be switched on together with binding (XEP-0386 §3.1).
    pub fn inline_features(&self) -> impl Iterator<Item = &'static str> {
        self.inline.keys().copied()
    }

    /// Who switches on what an element in this namespace asks for?
    pub fn inline(&self, ns: &str) -> Option<&InlineHook> {
        self.inline.get(ns)
    }

    /// The prefixes of the services every domain has.
    pub fn services(&self) -> Vec<&'static str> {
        self.services.keys().copied().collect()
    }

    /// What a service shows in service discovery.
    pub fn service(&self, prefix: &str) -> Option<&ServiceInfo> {
        self.services.get(prefix)
    }

    /// Who takes messages to a service.
    pub fn service_messages(&self, prefix: &str) -> Option<&ServiceHook> {
        self.service_messages.get(prefix)
    }

    /// Who takes what is for something at a service.
    pub fn within(&self, prefix: &str) -> Option<&WithinHook> {
        self.within.get(prefix)
    }

    /// Who takes presence for a service.
    pub fn service_presence(&self, prefix: &str) -> Option<&ServicePresenceHook> {
        self.service_presence.get(prefix)
    }

    /// Stage Left.
    pub fn run_left(&self, core: &Arc<Core>, client: &Client, rooms: &Joined, farewell: &Arc<Stanza>) {
        self.left.iter().for_each(|hook| hook(core, client, rooms, farewell));
    }

    /// Tells who wants to know what happens at nodes.
    pub fn run_node_event(&self, core: &Arc<Core>, event: &NodeEvent<'_>) {
        self.node_events.iter().for_each(|hook| hook(core, event));
    }

    /// The commands of the server, of accounts or of a service (XEP-0050), in the order in which they were declared.
    pub fn commands(&self, addressee: Addressee) -> &[Command] {
        self.commands.get(&addressee).map_or(&[], Vec::as_slice)
    }

    /// Who adds to service discovery of accounts and services.
    pub fn disco(&self) -> &[DiscoHook] {
        &self.disco
    }

    /// Stage Submit.
    pub fn submit(&self) -> &[SubmitHook] {
        &self.submit
    }

    /// Stage Sent.
    pub fn sent(&self) -> &[SentHook] {
        &self.sent
    }

    /// Stage Receive.
    pub fn receive(&self) -> &[ReceiveHook] {
        &self.receive
    }

    /// Stage Undelivered.
    pub fn undelivered(&self) -> &[UndeliveredHook] {
        &self.undelivered
    }

    /// Stage Arrived.
    pub fn run_arrived(
        &self,
        core: &Arc<Core>,
        account: &Arc<Account>,
        state: &mut AccountState,
        message: &Stanza,
        arrival: Arrival<'_>,
    ) {
        if state.push.is_some() {
            self.arrived.iter().for_each(|hook| hook(core, account, state, message, arrival));
        }
    }

    /// Stage Presence.
    pub fn run_presence(&self, core: &Core, client: &Client, presence: &mut Stanza) {
        self.presence.iter().for_each(|hook| hook(core, client, presence));
    }

    /// Stage Shown.
    pub fn run_shown(&self, core: &Arc<Core>, account: &Account, contact: &BareJid) {
        self.shown.iter().for_each(|hook| hook(core, account, contact));
    }

    /// Stage Broadcast.
    pub fn run_broadcast(&self, core: &Arc<Core>, client: &Client, before: Option<&Stanza>, presence: &Arc<Stanza>) {
        self.broadcast.iter().for_each(|hook| hook(core, client, before, presence));
    }

    /// Stage Available.
    pub fn run_available(&self, core: &Arc<Core>, client: &Client, presence: &Stanza) {
        self.available.iter().for_each(|hook| hook(core, client, presence));
    }

    /// Stage Unavailable.
    pub fn run_unavailable(&self, core: &Arc<Core>, client: &Client, presence: &Stanza) {
        self.unavailable.iter().for_each(|hook| hook(core, client, presence));
    }

    /// Features of the server's disco#info.
    pub fn server_features(&self, config: &Config) -> impl Iterator<Item = &'static str> {
        switched_on(&self.server_features, &self.server_features_if, config)
    }

    /// Features of an account's disco#info; some only of one that is kept when its sessions end.
    pub fn account_features(&self, config: &Config, registered: bool) -> impl Iterator<Item = &'static str> {
        let kept = self.registered_features.iter().filter(|_| registered).copied();
        let all: BTreeSet<_> =
            switched_on(&self.account_features, &self.account_features_if, config).chain(kept).collect();
        all.into_iter()
    }

    /// Identities of the server.
    pub fn server_identities(&self) -> &[Identity] {
        &self.server_identities
    }

    /// Identities of an account; some only of one that is kept when its sessions end.
    pub fn account_identities(&self, registered: bool) -> impl Iterator<Item = &Identity> {
        self.account_identities.iter().chain(self.registered_identities.iter().filter(move |_| registered))
    }

    /// Forms of the server's disco#info.
    pub fn info_forms<'a>(&'a self, core: &'a Core, host: &'a Jid) -> impl Iterator<Item = DataForm> + 'a {
        self.info_forms.iter().filter_map(move |make| make(core, host))
    }
}

fn switched_on(
    always: &BTreeSet<&'static str>,
    switched: &[(&'static str, FeatureSwitch)],
    config: &Config,
) -> impl Iterator<Item = &'static str> + use<> {
    let on = switched.iter().filter(|(_, on)| on(config)).map(|(feature, _)| *feature);
    always.iter().copied().chain(on).collect::<BTreeSet<_>>().into_iter()
}

/// What an extension writes its declarations into.
pub struct Declare<'a> {
    registry: &'a mut Registry,
}

impl Declare<'_> {
    /// Answers IQ requests of this type, addressee and payload.
    pub fn iq(
        &mut self,
        addressee: Addressee,
        kind: IqType,
        (name, ns): (&'static str, &'static str),
        handler: impl Fn(super::IqCall<'_>) -> super::Answer + Send + Sync + 'static,
    ) -> &mut Self {
        let entry = IqEntry { kind, name, handler: Box::new(handler) };
        self.registry.iq.entry(addressee).or_default().entry(ns).or_default().push(entry);
        self
    }

    /// A request that reaches a full JID only from somebody who may see that entity's presence.
    pub fn guard(&mut self, (name, ns): (&'static str, &'static str)) -> &mut Self {
        self.registry.guarded.insert(ns, name);
        self
    }

    /// Every served domain has a service at `prefix.domain`; what it answers is declared for
    /// [`Addressee::Service`]. More than once, identities and features add up.
    pub fn service(
        &mut self,
        prefix: &'static str,
        identity: Option<Identity>,
        features: impl IntoIterator<Item = &'static str>,
    ) -> &mut Self {
        let service = self.registry.services.entry(prefix).or_default();
        service.identities.extend(identity);
        service.features.extend(features);
        self
    }

    /// Takes the messages to this service.
    pub fn service_messages(&mut self, prefix: &'static str, hook: ServiceHook) -> &mut Self {
        self.registry.service_messages.insert(prefix, hook);
        self
    }

    /// Takes messages for what is at this service, and IQ stanzas with a resource there.
    pub fn within(&mut self, prefix: &'static str, hook: WithinHook) -> &mut Self {
        self.registry.within.insert(prefix, hook);
        self
    }

    /// Takes presence for this service and what is there.
    pub fn service_presence(&mut self, prefix: &'static str, hook: ServicePresenceHook) -> &mut Self {
        self.registry.service_presence.insert(prefix, hook);
        self
    }

    /// Takes part in stage Left.
    pub fn left(&mut self, hook: LeftHook) -> &mut Self {
        self.registry.left.push(hook);
        self
    }

    /// Wants to know what happens at nodes (XEP-0060).
    pub fn node_events(&mut self, hook: NodeHook) -> &mut Self {
        self.registry.node_events.push(hook);
        self
    }

    /// A command (XEP-0050). For the server nothing else is needed; whoever else has some answers for them with
    /// `xep::commands::serve`.
    pub fn command(&mut self, addressee: Addressee, command: Command) -> &mut Self {
        self.registry.commands.entry(addressee).or_default().push(command);
        self
    }

    /// Adds to service discovery of accounts and services.
    pub fn disco(&mut self, hook: DiscoHook) -> &mut Self {
        self.registry.disco.push(hook);
        self
    }

    /// What elements of this namespace ask for can be switched on together with binding.
    pub fn inline(&mut self, ns: &'static str, hook: InlineHook) -> &mut Self {
        self.registry.inline.insert(ns, hook);
        self
    }

    /// The service is only shown while the settings have it.
    pub fn service_if(&mut self, prefix: &'static str, on: FeatureSwitch) -> &mut Self {
        self.registry.services.entry(prefix).or_default().on = Some(on);
        self
    }

    /// Takes part in stage Submit.
    pub fn submit(&mut self, hook: SubmitHook) -> &mut Self {
        self.registry.submit.push(hook);
        self
    }

    /// Takes part in stage Sent.
    pub fn sent(&mut self, hook: SentHook) -> &mut Self {
        self.registry.sent.push(hook);
        self
    }

    /// Takes part in stage Receive.
    pub fn receive(&mut self, hook: ReceiveHook) -> &mut Self {
        self.registry.receive.push(hook);
        self
    }

    /// Takes part in stage Undelivered.
    pub fn undelivered(&mut self, hook: UndeliveredHook) -> &mut Self {
        self.registry.undelivered.push(hook);
        self
    }

    /// Takes part in stage Arrived.
    pub fn arrived(&mut self, hook: ArrivedHook) -> &mut Self {
        self.registry.arrived.push(hook);
        self
    }

    /// Takes part in stage Presence.
    pub fn presence(&mut self, hook: PresenceHook) -> &mut Self {
        self.registry.presence.push(hook);
        self
    }

    /// Takes part in stage Shown.
    pub fn shown(&mut self, hook: ShownHook) -> &mut Self {
        self.registry.shown.push(hook);
        self
    }

    /// Takes part in stage Broadcast.
    pub fn broadcast(&mut self, hook: BroadcastHook) -> &mut Self {
        self.registry.broadcast.push(hook);
        self
    }

    /// Takes part in stage Available.
    pub fn available(&mut self, hook: ResourceHook) -> &mut Self {
        self.registry.available.push(hook);
        self
    }

    /// Takes part in stage Unavailable.
    pub fn unavailable(&mut self, hook: ResourceHook) -> &mut Self {
        self.registry.unavailable.push(hook);
        self
    }

    /// A feature of the server's disco#info.
    pub fn server_feature(&mut self, feature: &'static str) -> &mut Self {
        self.registry.server_features.insert(feature);
        self
    }

    /// A feature of the server's disco#info while the settings have it.
    pub fn server_feature_if(&mut self, feature: &'static str, on: FeatureSwitch) -> &mut Self {
        self.registry.server_features_if.push((feature, on));
        self
    }

    /// A feature of every account's disco#info.
    pub fn account_feature(&mut self, feature: &'static str) -> &mut Self {
        self.registry.account_features.insert(feature);
        self
    }

    /// A feature of every account's disco#info while the settings have it.
    pub fn account_feature_if(&mut self, feature: &'static str, on: FeatureSwitch) -> &mut Self {
        self.registry.account_features_if.push((feature, on));
        self
    }

    /// A feature of every account that is kept when its sessions end.
    pub fn registered_feature(&mut self, feature: &'static str) -> &mut Self {
        self.registry.registered_features.insert(feature);
        self
    }

    /// An identity of every such account.
    pub fn registered_identity(&mut self, identity: Identity) -> &mut Self {
        self.registry.registered_identities.push(identity);
        self
    }

    /// An identity of the server.
    pub fn server_identity(&mut self, identity: Identity) -> &mut Self {
        self.registry.server_identities.push(identity);
        self
    }

    /// An identity of every account.
    pub fn account_identity(&mut self, identity: Identity) -> &mut Self {
        self.registry.account_identities.push(identity);
        self
    }

    /// A form of the server's disco#info (XEP-0128).
    pub fn info_form(&mut self, form: InfoForm) -> &mut Self {
        self.registry.info_forms.push(form);
        self
    }
}
