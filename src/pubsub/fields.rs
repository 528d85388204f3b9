//! The configuration of a node as a form (XEP-0060 §8.2, §16.4.4), and what everybody may know of it (§5.4).

use super::{
    AccessModel, Affiliation, ItemReply, Most, Node, NodeConfig, NotificationType, Owner, PublishModel,
    PublishNodeFull, SendLastPublishedItem, SubscriptionState,
};
use xep_support::formats::date::{self, Precision};
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::ns;

/// What is wrong with a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The access model is none, or not one for this owner.
    AccessModel,
    /// The value of this field is none it can have.
    Value(&'static str),
    /// There is no such field.
    Unknown(String),
}

/// A field of the form.
struct Spec {
    var: &'static str,
    kind: FieldType,
    label: &'static str,
    options: &'static [(&'static str, &'static str)],
    get: fn(&NodeConfig) -> Vec<String>,
    /// `None`: not a value it can have.
    set: fn(&mut NodeConfig, &[String]) -> Option<()>,
}

macro_rules! flag {
    ($var:literal, $field:ident, $label:literal) => {
        Spec {
            var: $var,
            kind: FieldType::Boolean,
            label: $label,
            options: &[],
            get: |c| vec![if c.$field { "1" } else { "0" }.to_owned()],
            set: |c, values| {
                c.$field = boolean(values)?;
                Some(())
            },
        }
    };
}

macro_rules! text {
    ($var:literal, $field:ident, $label:literal) => {
        Spec {
            var: $var,
            kind: FieldType::TextSingle,
            label: $label,
            options: &[],
            get: |c| Some(c.$field.clone()).filter(|text| !text.is_empty()).into_iter().collect(),
            set: |c, values| {
                c.$field = values.first().cloned().unwrap_or_default();
                (values.len() <= 1 && c.$field.len() <= TEXT_BYTES_MAX).then_some(())
            },
        }
    };
}

macro_rules! most {
    ($var:literal, $field:ident, $label:literal) => {
        Spec {
            var: $var,
            kind: FieldType::TextSingle,
            label: $label,
            options: &[],
            get: |c| vec![show(c.$field)],
            set: |c, values| {
                c.$field = number(values)?;
                Some(())
            },
        }
    };
}

macro_rules! word {
    ($var:literal, $field:ident: $type:ident, $label:literal) => {
        Spec {
            var: $var,
            kind: FieldType::ListSingle,
            label: $label,
            options: &{
                let mut options = [("", ""); $type::ALL.len()];
                let mut n = 0;
                while n < options.len() {
                    options[n] = ($type::ALL[n].1, $type::ALL[n].2);
                    n += 1;
                }
                options
            },
            get: |c| vec![c.$field.name().to_owned()],
            set: |c, values| {
                c.$field = $type::from_name(single(values)?)?;
                Some(())
            },
        }
    };
}

/// Bytes of a title, a description or a group.
const TEXT_BYTES_MAX: usize = 1_023;
/// Groups a node may be open to.
const GROUPS_MAX: usize = 100;
/// Bytes of all of them: configurations are read with every list of nodes, and count for no quota.
const GROUPS_BYTES_MAX: usize = 8 * 1024;

static FIELDS: [Spec; 20] = [
    text!("pubsub#title", title, "A friendly name for the node"),
    text!("pubsub#description", description, "A description of the node"),
    text!("pubsub#type", kind, "The semantic type of the data, usually the namespace of the payload"),
    word!("pubsub#access_model", access_model: AccessModel, "Who may subscribe and retrieve items"),
    Spec {
        var: ROSTER_GROUPS,
        kind: FieldType::ListMulti,
        label: "The roster groups allowed to subscribe and retrieve items",
        options: &[],
        get: |c| c.roster_groups_allowed.iter().cloned().collect(),
        set: |c, values| {
            c.roster_groups_allowed = values.iter().cloned().collect();
            let small = values.len() <= GROUPS_MAX && values.iter().all(|group| group.len() <= TEXT_BYTES_MAX);
            (small && values.iter().map(String::len).sum::<usize>() <= GROUPS_BYTES_MAX).then_some(())
        },
    },
    word!("pubsub#publish_model", publish_model: PublishModel, "The publisher model"),
    flag!("pubsub#subscribe", subscribe, "Whether to allow subscriptions"),
    flag!("pubsub#persist_items", persist_items, "Whether to persist items to storage"),
    most!("pubsub#max_items", max_items, "The maximum number of items to persist, or `max`"),
    most!("pubsub#item_expire", item_expire, "Seconds after which to purge items, or `max`"),
    word!("pubsub#publish_node_full", publish_node_full: PublishNodeFull, "What to do when the node is full"),
    most!("pubsub#max_payload_size", max_payload_size, "The maximum payload size in bytes, or `max`"),
    flag!("pubsub#deliver_notifications", deliver_notifications, "Whether to deliver event notifications"),
    flag!("pubsub#deliver_payloads", deliver_payloads, "Whether to deliver payloads with event notifications"),
    flag!("pubsub#notify_retract", notify_retract, "Whether to notify subscribers when items are removed"),
    flag!("pubsub#notify_delete", notify_delete, "Whether to notify subscribers when the node is deleted"),
    flag!("pubsub#notify_config", notify_config, "Whether to notify subscribers when the configuration changes"),
    word!("pubsub#notification_type", notification_type: NotificationType, "The delivery style for notifications"),
    word!(
        "pubsub#send_last_published_item",
        send_last_published_item: SendLastPublishedItem,
        "When to send the last published item"
    ),
    word!("pubsub#itemreply", itemreply: ItemReply, "Whether items name their publisher"),
];

const ROSTER_GROUPS: &str = "pubsub#roster_groups_allowed";

/// Registered fields of which we know one value only: nothing else can be asked for, and they are not in our forms.
const FIXED: [(&str, &[&str]); 6] = [
    ("pubsub#node_type", &["leaf"]),
    ("pubsub#purge_offline", &["0", "false"]),
    ("pubsub#presence_based_delivery", &["0", "false"]),
    ("pubsub#tempsub", &["0", "false"]),
    ("pubsub#notify_sub", &["0", "false"]),
    ("pubsub#collection", &[""]),
];

fn single(values: &[String]) -> Option<&str> {
    match values {
        [value] => Some(value.trim()),
        _ => None,
    }
}

fn boolean(values: &[String]) -> Option<bool> {
    match single(values)? {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn number(values: &[String]) -> Option<Most> {
    match single(values)? {
        "max" => Some(Most::Max),
        digits => digits.parse().ok().filter(|number| *number > 0).map(Most::Number),
    }
}

fn show(most: Most) -> String {
    match most {
        Most::Number(number) => number.to_string(),
        Most::Max => "max".to_owned(),
    }
}

impl NodeConfig {
    /// Takes what a submitted form says; fields it lacks stay as they are (XEP-0004 §3.2). `strict`: a field we do not
    /// know is a fault (§7.1.5); in other forms it is passed over, as clients send what other services offer.
    pub fn apply(&mut self, form: &DataForm, strict: bool) -> Result<(), Fault> {
        for field in &form.fields {
            let Some(var) = field.var.as_deref().filter(|var| *var != "FORM_TYPE") else { continue };
            if let Some(spec) = FIELDS.iter().find(|spec| spec.var == var) {
                let fault = if spec.var == "pubsub#access_model" { Fault::AccessModel } else { Fault::Value(spec.var) };
                (spec.set)(self, &field.values).ok_or(fault)?;
            } else if let Some((var, only)) = FIXED.iter().find(|fixed| fixed.0 == var) {
                let value = field.values.first().map_or("", |value| value.trim());
                if !value.is_empty() && !only.contains(&value) {
                    return Err(Fault::Value(var));
                }
            } else if strict {
                return Err(Fault::Unknown(var.to_owned()));
            }
        }
        Ok(())
    }

    /// Can a node of this owner be like this? There are `items_max` items at most.
    pub fn check(&self, owner: &Owner, items_max: usize) -> Result<(), Fault> {
        // A service sees nobody's presence and has no roster.
        if !owner.is_account() && matches!(self.access_model, AccessModel::Presence | AccessModel::Roster) {
            return Err(Fault::AccessModel);
        }
        match self.max_items {
            Most::Number(number) if number > items_max as u64 => Err(Fault::Value("pubsub#max_items")),
            _ => Ok(()),
        }
    }

    /// Is it the same to who looks at it? A number may say what `max` means.
    pub fn is_like(&self, other: &Self, items_max: usize) -> bool {
        let plain = |config: &Self| Self {
            max_items: Most::Number(config.max_items.within(items_max) as u64),
            ..config.clone()
        };
        plain(self) == plain(other)
    }
}

fn field(spec: &Spec, config: &NodeConfig) -> Field {
    Field::new(spec.var, spec.kind).label(spec.label).values((spec.get)(config))
}

/// Does the field mean anything for this owner?
fn is_for(spec: &Spec, owner: &Owner) -> bool {
    owner.is_account() || spec.var != ROSTER_GROUPS
}

/// The form to be filled in by an owner (§8.2.2), or with the defaults (§8.3.3). `groups`: those there are to choose
/// from.
pub fn default_form(config: &NodeConfig, owner: &Owner, groups: &[String]) -> DataForm {
    let mut form = DataForm::new(FormType::Form).with_form_type(ns::PUBSUB_NODE_CONFIG);
    for spec in FIELDS.iter().filter(|spec| is_for(spec, owner)) {
        let mut field = field(spec, config);
        for (value, label) in spec.options.iter().filter(|(value, _)| {
            owner.is_account() || spec.var != "pubsub#access_model" || !["presence", "roster"].contains(value)
        }) {
            field = field.option(label.trim(), *value);
        }
        if spec.var == ROSTER_GROUPS {
            let all: std::collections::BTreeSet<_> = groups.iter().chain(&config.roster_groups_allowed).collect();
            for group in all {
                field = field.option(group.as_str(), group.as_str());
            }
        }
        form = form.field(field);
    }
    form
}

/// The configuration for those it was changed for (§8.2.5.3).
pub fn filled_form(config: &NodeConfig, owner: &Owner) -> DataForm {
    let fields = FIELDS.iter().filter(|spec| is_for(spec, owner));
    let value = |spec: &Spec| Field { var: Some(spec.var.to_owned()), values: (spec.get)(config), ..Field::default() };
    fields.fold(DataForm::new(FormType::Result).with_form_type(ns::PUBSUB_NODE_CONFIG), |form, spec| {
        form.field(value(spec))
    })
}

/// What everybody who may use a node may know of it (§5.4): what of its configuration matters to them, and its history.
/// Who subscribes is not said; how many do, is.
pub fn meta_data(node: &Node, owner: &Owner) -> DataForm {
    const SHOWN: [&str; 6] = [
        "pubsub#title",
        "pubsub#description",
        "pubsub#type",
        "pubsub#access_model",
        "pubsub#publish_model",
        "pubsub#max_items",
    ];
    let mut form = DataForm::new(FormType::Result).with_form_type(ns::PUBSUB_META_DATA);
    for spec in FIELDS.iter().filter(|spec| SHOWN.contains(&spec.var)) {
        let values = (spec.get)(&node.config);
        if !values.is_empty() {
            form = form.field(Field::new(spec.var, spec.kind).label(spec.label).values(values));
        }
    }
    let created = date::format(node.created_us, Precision::Seconds);
    let subscribers = node.subscriptions.values().filter(|state| **state == SubscriptionState::Subscribed).count();
    let owners: Vec<String> = match owner {
        Owner::Account(account) => vec![account.jid.to_string()],
        Owner::Service(_) => node.affiliated(Affiliation::Owner).map(ToString::to_string).collect(),
    };
    let publishers = node.affiliated(Affiliation::Publisher).map(ToString::to_string);
    form.field(Field::new("pubsub#creator", FieldType::JidSingle).label("Node creator").value(&*node.creator))
        .field(Field::new("pubsub#creation_date", FieldType::TextSingle).label("Creation date").value(created))
        .field(Field::new("pubsub#owner", FieldType::JidMulti).label("Node owners").values(owners))
        .field(Field::new("pubsub#publisher", FieldType::JidMulti).label("Publishers to this node").values(publishers))
        .field(
            Field::new("pubsub#num_subscribers", FieldType::TextSingle)
                .label("Number of subscribers to this node")
                .value(subscribers.to_string()),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use xep_support::jid::Jid;

    fn form(fields: &[(&str, &[&str])]) -> DataForm {
        fields.iter().fold(DataForm::new(FormType::Submit).with_form_type("x"), |form, (var, values)| {
            form.field(Field { var: Some((*var).to_owned()), ..Field::default() }.values(values.iter().copied()))
        })
    }

    fn service() -> Owner {
        Owner::Service(Jid::parse("pubsub.im.example").expect("a JID"))
    }

    /// What is shown is read again, and says the same.
    #[test]
    fn forms_are_read_again() {
        let mut config = NodeConfig::for_account();
        config.title = "T".to_owned();
        config.roster_groups_allowed = ["A".to_owned(), "B".to_owned()].into();
        config.item_expire = Most::Number(7);
        let mut read = NodeConfig::for_service();
        assert_eq!(read.apply(&default_form(&config, &service(), &[]), true), Ok(()));
        // A service has no groups.
        read.roster_groups_allowed = config.roster_groups_allowed.clone();
        assert_eq!(read, config);
        assert_eq!(read.check(&service(), 10), Err(Fault::AccessModel));
    }

    #[test]
    fn what_a_field_cannot_be() {
        let mut config = NodeConfig::for_service();
        let rows: [(&str, &[&str], Fault); 8] = [
            ("pubsub#access_model", &["secret"], Fault::AccessModel),
            ("pubsub#access_model", &[], Fault::AccessModel),
            ("pubsub#max_items", &["0"], Fault::Value("pubsub#max_items")),
            ("pubsub#max_items", &["-1"], Fault::Value("pubsub#max_items")),
            ("pubsub#persist_items", &["yes"], Fault::Value("pubsub#persist_items")),
            ("pubsub#title", &["a", "b"], Fault::Value("pubsub#title")),
            ("pubsub#purge_offline", &["1"], Fault::Value("pubsub#purge_offline")),
            ("pubsub#node_type", &["collection"], Fault::Value("pubsub#node_type")),
        ];
        for (var, values, fault) in rows {
            assert_eq!(config.apply(&form(&[(var, values)]), false), Err(fault), "{var} {values:?}");
        }
        let groups: Vec<String> = (10..20).map(|n| format!("{n}{}", "x".repeat(1_000))).collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let fault = Fault::Value("pubsub#roster_groups_allowed");
        assert_eq!(config.apply(&form(&[("pubsub#roster_groups_allowed", &groups[..])]), false), Err(fault));
        config.roster_groups_allowed.clear();
        assert_eq!(config.apply(&form(&[("pubsub#node_type", &["leaf"]), ("x", &["y"])]), false), Ok(()));
        assert_eq!(config.apply(&form(&[("x", &["y"])]), true), Err(Fault::Unknown("x".to_owned())));
        assert_eq!(config.apply(&form(&[("pubsub#max_items", &["11"])]), true), Ok(()));
        assert_eq!(config.check(&service(), 10), Err(Fault::Value("pubsub#max_items")));
        let mut most = config.clone();
        (config.max_items, most.max_items) = (Most::Number(10), Most::Max);
        assert!(config.is_like(&most, 10) && !config.is_like(&most, 11));
    }
}
