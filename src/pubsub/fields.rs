//! The configuration of a node as a form (XEP-0060 §8.2, §16.4.4), and what everybody may know of it (§5.4).

use super::{
    AccessModel, Affiliation, ItemReply, Most, Node, NodeConfig, NotificationType, Owner, PublishModel,
    PublishNodeFull, SendLastPublishedItem, SubscriptionState,
};
use crate::settings::{FLAG, Kind, LINE, Setting, setting, single};
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

/// Bytes of a title, a description or a group.
const TEXT_BYTES_MAX: usize = 1_023;
/// Groups a node may be open to.
const GROUPS_MAX: usize = 100;
/// Bytes of all of them: configurations are read with every list of nodes, and count for no quota.
const GROUPS_BYTES_MAX: usize = 8 * 1024;

static FIELDS: [Setting<NodeConfig>; 20] = [
    setting!("pubsub#title", title, TEXT, "A friendly name for the node"),
    setting!("pubsub#description", description, TEXT, "A description of the node"),
    setting!("pubsub#type", kind, TEXT, "The semantic type of the data, usually the namespace of the payload"),
    setting!(ACCESS_MODEL, access_model, AccessModel::KIND, "Who may subscribe and retrieve items"),
    Setting {
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
    setting!("pubsub#publish_model", publish_model, PublishModel::KIND, "The publisher model"),
    setting!("pubsub#subscribe", subscribe, FLAG, "Whether to allow subscriptions"),
    setting!("pubsub#persist_items", persist_items, FLAG, "Whether to persist items to storage"),
    setting!("pubsub#max_items", max_items, MOST, "The maximum number of items to persist, or `max`"),
    setting!("pubsub#item_expire", item_expire, MOST, "Seconds after which to purge items, or `max`"),
    setting!("pubsub#publish_node_full", publish_node_full, PublishNodeFull::KIND, "What to do when the node is full"),
    setting!("pubsub#max_payload_size", max_payload_size, MOST, "The maximum payload size in bytes, or `max`"),
    setting!("pubsub#deliver_notifications", deliver_notifications, FLAG, "Whether to deliver event notifications"),
    setting!("pubsub#deliver_payloads", deliver_payloads, FLAG, "Whether to deliver payloads with event notifications"),
    setting!("pubsub#notify_retract", notify_retract, FLAG, "Whether to notify subscribers when items are removed"),
    setting!("pubsub#notify_delete", notify_delete, FLAG, "Whether to notify subscribers when the node is deleted"),
    setting!(
        "pubsub#notify_config",
        notify_config,
        FLAG,
        "Whether to notify subscribers when the configuration changes"
    ),
    setting!(
        "pubsub#notification_type",
        notification_type,
        NotificationType::KIND,
        "The delivery style for notifications"
    ),
    setting!(
        "pubsub#send_last_published_item",
        send_last_published_item,
        SendLastPublishedItem::KIND,
        "When to send the last published item"
    ),
    setting!("pubsub#itemreply", itemreply, ItemReply::KIND, "Whether items name their publisher"),
];

const ACCESS_MODEL: &str = "pubsub#access_model";
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

/// A text of bounded length.
const TEXT: Kind<String> =
    Kind { read: |values| (LINE.read)(values).filter(|text| text.len() <= TEXT_BYTES_MAX), ..LINE };

const MOST: Kind<Most> = Kind {
    field: FieldType::TextSingle,
    options: &[],
    show: |most| match most {
        Most::Number(number) => vec![number.to_string()],
        Most::Max => vec!["max".to_owned()],
    },
    read: |values| match single(values)? {
        "max" => Some(Most::Max),
        digits => digits.parse().ok().filter(|number| *number > 0).map(Most::Number),
    },
};

impl NodeConfig {
    /// Takes what a submitted form says; fields it lacks stay as they are (XEP-0004 §3.2). `strict`: a field we do not
    /// know is a fault (§7.1.5); in other forms it is passed over, as clients send what other services offer.
    pub fn apply(&mut self, form: &DataForm, strict: bool) -> Result<(), Fault> {
        for field in &form.fields {
            let Some(var) = field.var.as_deref().filter(|var| *var != "FORM_TYPE") else { continue };
            if let Some(spec) = Setting::of(&FIELDS, var) {
                let fault = if spec.var == ACCESS_MODEL { Fault::AccessModel } else { Fault::Value(spec.var) };
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

/// Does the field mean anything for this owner?
fn is_for(spec: &Setting<NodeConfig>, owner: &Owner) -> bool {
    owner.is_account() || spec.var != ROSTER_GROUPS
}

/// The form to be filled in by an owner (§8.2.2), or with the defaults (§8.3.3). `groups`: those there are to choose
/// from.
pub fn default_form(config: &NodeConfig, owner: &Owner, groups: &[String]) -> DataForm {
    let mut form = DataForm::new(FormType::Form).with_form_type(ns::PUBSUB_NODE_CONFIG);
    for spec in FIELDS.iter().filter(|spec| is_for(spec, owner)) {
        let mut field = spec.field(config);
        if spec.var == ACCESS_MODEL && !owner.is_account() {
            field.options.retain(|option| !["presence", "roster"].contains(&option.value.as_str()));
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
    let value = |spec: &Setting<NodeConfig>| Field {
        var: Some(spec.var.to_owned()),
        values: (spec.get)(config),
        ..Field::default()
    };
    fields.fold(DataForm::new(FormType::Result).with_form_type(ns::PUBSUB_NODE_CONFIG), |form, spec| {
        form.field(value(spec))
    })
}

/// What everybody who may use a node may know of it (§5.4): what of its configuration matters to them, and its history.
/// Who subscribes is not said; how many do, is.
pub fn meta_data(node: &Node, owner: &Owner) -> DataForm {
    const SHOWN: [&str; 6] =
        ["pubsub#title", "pubsub#description", "pubsub#type", ACCESS_MODEL, "pubsub#publish_model", "pubsub#max_items"];
    let mut form = DataForm::new(FormType::Result).with_form_type(ns::PUBSUB_META_DATA);
    for spec in FIELDS.iter().filter(|spec| SHOWN.contains(&spec.var)) {
        let field = spec.shown(&node.config);
        if !field.values.is_empty() {
            form = form.field(field);
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
