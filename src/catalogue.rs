//! Every extension the server has, in the order in which their hooks run.

use crate::extension::Extension;
use crate::{im, xep};
use std::sync::Arc;

/// The list.
pub fn extensions() -> Vec<Arc<dyn Extension>> {
    let mut all: Vec<Arc<dyn Extension>> = vec![
        Arc::new(im::roster::RosterManagement),
        Arc::new(xep::session::LegacySession),
        Arc::new(xep::disco::Discovery),
        Arc::new(xep::caps::EntityCapabilities),
        Arc::new(xep::caps::EntityCapabilities2),
        Arc::new(xep::contact::ContactAddresses),
        Arc::new(xep::external_services::ExternalServices),
        Arc::new(xep::jid_escaping::JidEscaping),
        Arc::new(xep::ping::Ping),
        Arc::new(xep::time::EntityTime),
        Arc::new(xep::version::SoftwareVersion),
        Arc::new(xep::last_activity::LastActivity),
        Arc::new(xep::private::PrivateStorage),
        Arc::new(xep::vcard::VcardTemp),
        Arc::new(xep::avatar::AvatarConversion),
        Arc::new(xep::bookmarks::Bookmarks),
        Arc::new(xep::bookmarks::BookmarksConversion),
        Arc::new(xep::pep_presence::ImplicitSubscriptions),
        Arc::new(xep::register::Registration),
        Arc::new(xep::register::InvitedRegistration),
        Arc::new(xep::commands::Commands),
        Arc::new(xep::invite::Invitations),
        Arc::new(xep::invite::PreAuthenticatedSubscription),
        Arc::new(xep::stanza_id::StanzaIds),
        // Before anything that keeps or copies a message.
        Arc::new(xep::blocking::Blocking),
        Arc::new(xep::blocking::Reports),
        // Before anything else that keeps or copies a message in stage Sent.
        Arc::new(xep::displayed::DisplayedSync::default()),
        Arc::new(xep::mam::Archive),
        Arc::new(xep::mam::prefs::ArchivePreferences),
        Arc::new(xep::mam::retract::Retraction),
        Arc::new(xep::mam::search::FullText),
        Arc::new(xep::pubsub::PublishSubscribe),
        Arc::new(xep::pubsub::PersonalEventing),
        Arc::new(xep::pubsub::PublicData),
        Arc::new(xep::pubsub::PrivateData),
        Arc::new(xep::muc::MultiUserChat),
        Arc::new(xep::muc::OccupantIds),
        Arc::new(xep::muc::SelfPing),
        Arc::new(xep::muc::SlowMode),
        Arc::new(xep::muc::activity::ActivityIndicator),
        Arc::new(xep::muc::mentioning::ExplicitMentions),
        Arc::new(xep::muc::moderate::Moderation),
        Arc::new(xep::muc::card::RoomAvatars),
        Arc::new(xep::muc::hats::RoomHats),
        Arc::new(xep::muc::versions::AffiliationVersions),
        Arc::new(xep::muc::search::ChannelSearch),
        Arc::new(xep::offline::Offline),
        Arc::new(xep::push::PushNotifications),
        Arc::new(xep::upload::HttpUpload),
        Arc::new(xep::bosh::Bosh),
        Arc::new(xep::bosh::XmppOverBosh),
        Arc::new(xep::host_meta::HostMeta),
        Arc::new(xep::host_meta::HostMeta2),
        Arc::new(xep::host_meta::DirectTls),
        Arc::new(xep::stream_management::StreamManagement),
        // Behind everything that may refuse a message or gives it an id.
        Arc::new(xep::carbons::Carbons),
        Arc::new(xep::jingle_message::JingleMessages),
        Arc::new(xep::client_state::ClientStates),
        Arc::new(xep::sasl2::ExtensibleSasl),
        Arc::new(xep::sasl2::Bind2),
        Arc::new(xep::sasl2::FastTokens),
        Arc::new(xep::sasl2::UpgradeTasks),
        Arc::new(xep::sasl2::Pipelining),
        Arc::new(xep::sasl2::TlsVersionProtection),
        Arc::new(xep::client_access::ClientAccess),
    ];
    all.extend(xep::profiles::all());
    all
}
