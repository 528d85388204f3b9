//! XEP-0401: users make invitations by commands of their server: to become their contact, or to make an account here.
//! Registering with one: `register`. XEP-0379, by which it opens the roster of the inviter: `im/subscription.rs`.

mod own;

use crate::account::resource::Client;
use crate::config::{Config, Inviters, RegistrationMode};
use crate::core::Core;
use crate::extension::commands::{Command, CommandCall, Step};
use crate::extension::{About, Addressee, Declare, Extension};
use crate::ops::invitations::{self, Wish, WishError};
use crate::router::bounce::refused;
use crate::storage::{Invite, InviteKind, Person};
use std::sync::Arc;
use xep_support::formats::date::{self, Precision};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::jid::Jid;
use xep_support::ns;
use xep_support::stanza::error::StanzaError;

/// Invitations that users make.
pub struct Invitations;

const INVITE: &str = "urn:xmpp:invite#invite";
const CREATE_ACCOUNT: &str = "urn:xmpp:invite#create-account";
const INVITATION: &str = "urn:xmpp:invite#invitation";

impl Extension for Invitations {
    fn about(&self) -> About {
        About::new("XEP-0401", "Ad-hoc Account Invitation Generation", "0.6.0")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        let invite = Command {
            node: INVITE,
            name: "Invite user",
            may: may_invite,
            run: Box::new(|call| Box::pin(invite(call))),
        };
        let create = Command {
            node: CREATE_ACCOUNT,
            name: "Create account",
            may: may_create,
            run: Box::new(|call| Box::pin(create_account(call))),
        };
        d.command(Addressee::Server, invite).command(Addressee::Server, create);
        own::declare(d);
    }
}

/// As a name in lists: what it does happens where subscriptions change.
pub struct PreAuthenticatedSubscription;

impl Extension for PreAuthenticatedSubscription {
    fn about(&self) -> About {
        About::new("XEP-0379", "Pre-Authenticated Roster Subscription", "0.3.3")
    }
}

/// At the own server, and only who has an account that lasts.
fn is_home(_: &Core, client: &Client, to: &Jid) -> bool {
    client.account.id.is_some() && client.account.jid.domain() == to.domain()
}

fn is_among(config: &Config, inviters: Inviters, client: &Client) -> bool {
    match inviters {
        Inviters::Nobody => false,
        Inviters::Admins => config.is_admin(client.account.jid.as_str()),
        Inviters::Everybody => true,
    }
}

fn may_invite(core: &Core, client: &Client, to: &Jid) -> bool {
    let config = core.config();
    is_home(core, client, to) && is_among(&config, config.registration.invite_contacts, client)
}

fn may_create(core: &Core, client: &Client, to: &Jid) -> bool {
    let config = core.config();
    let is_possible = config.registration.mode != RegistrationMode::Closed;
    is_home(core, client, to) && is_possible && is_among(&config, config.registration.invite_accounts, client)
}

fn person(client: &Client) -> Option<Person> {
    Some(Person { id: client.account.id?, jid: client.account.jid.to_string() })
}

/// §5.1: known at once. Who may make invitations for accounts invites with one; so does everybody where anybody can
/// register anyway.
async fn invite(call: CommandCall) -> Result<Step, StanzaError> {
    let is_open = call.core.config().registration.mode == RegistrationMode::Open;
    let with_account = is_open || may_create(&call.core, &call.client, &call.to);
    let own = person(&call.client);
    let wish = Wish {
        domain: call.to.domain().to_owned(),
        kind: if with_account { InviteKind::Both } else { InviteKind::Contact },
        creator: own.clone(),
        inviter: own,
        username: None,
        group: None,
        seconds: None,
        uses: 1,
    };
    made(&call.core, wish).await
}

/// §5.4: a form, then the invitation.
async fn create_account(call: CommandCall) -> Result<Step, StanzaError> {
    let Some(form) = call.forms.first() else {
        let form = DataForm::new(FormType::Form)
            .title("Create account")
            .instructions("Leave the name empty to let the new user choose it.")
            .field(Field::new("username", FieldType::TextSingle).label("Username"))
            .field(Field::new("roster-subscription", FieldType::Boolean).label("Roster subscription"));
        return Ok(Step::Form { form, is_last: true });
    };
    let own = person(&call.client);
    let subscribes = form.get_bool("roster-subscription").unwrap_or(false);
    let wish = Wish {
        domain: call.to.domain().to_owned(),
        kind: InviteKind::Account,
        creator: own.clone(),
        inviter: own.filter(|_| subscribes),
        username: form.get("username").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned),
        group: None,
        seconds: None,
        uses: 1,
    };
    made(&call.core, wish).await
}

async fn made(core: &Core, wish: Wish) -> Result<Step, StanzaError> {
    let invite = invitations::make(core, wish).await.map_err(told)?;
    tracing::info!(
        creator = invite.creator.as_ref().map(|person| person.jid.as_str()),
        kind = ?invite.kind,
        username = invite.username,
        "invitation made"
    );
    Ok(Step::Done { form: Some(result(core, &invite).to_element()), note: None })
}

fn told(error: WishError) -> StanzaError {
    match error {
        WishError::TooMany(..) => {
            StanzaError::resource_constraint().with_text("too many of your invitations wait to be used already")
        }
        WishError::NameTaken => StanzaError::conflict().with_text("the name is taken"),
        WishError::BadName => {
            let error = StanzaError::bad_request().with_app("bad-payload", ns::COMMANDS);
            error.with_text("no account can have this name")
        }
        WishError::Random => StanzaError::internal_server_error(),
        WishError::Storage(error) => refused("invitation")(error),
    }
}

fn result(core: &Core, invite: &Invite) -> DataForm {
    let links = invitations::links(core, invite);
    let field = |var: &str, value: String| Field::new(var, FieldType::TextSingle).value(value);
    let form = DataForm::new(FormType::Result).with_form_type(INVITATION).field(field("uri", links.uri));
    let form = match links.landing {
        Some(url) => form.field(field("landing-url", url)),
        None => form,
    };
    form.field(field("expire", date::format(invite.expires_us, Precision::Seconds)))
}
