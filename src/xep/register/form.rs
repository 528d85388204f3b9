//! What XEP-0077 sends to and fro: the fields of old and a data form (§4), of which the form counts (§6).

use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::ns;
use xep_support::stanza::error::StanzaError;
use xep_support::xml::Element;

const INSTRUCTIONS: &str = "Choose a username and a password.";

/// What has to be filled in (§3.1).
pub(super) fn empty() -> Element {
    let form = DataForm::new(FormType::Form)
        .title("Registration")
        .instructions(INSTRUCTIONS)
        .with_form_type(ns::REGISTER)
        .field(Field::new("username", FieldType::TextSingle).label("Username").required())
        .field(Field::new("password", FieldType::TextPrivate).label("Password").required());
    query()
        .child(Element::new("instructions", ns::REGISTER).text(INSTRUCTIONS))
        .child(Element::new("username", ns::REGISTER))
        .child(Element::new("password", ns::REGISTER))
        .child(form.to_element())
}

/// What is on file, without the password (§3.1).
pub(super) fn registered(username: &str) -> Element {
    query()
        .child(Element::new("instructions", ns::REGISTER).text("To change your password, send a new one."))
        .child(Element::new("registered", ns::REGISTER))
        .child(Element::new("username", ns::REGISTER).text(username))
        .child(Element::new("password", ns::REGISTER))
}

fn query() -> Element {
    Element::new("query", ns::REGISTER)
}

/// What a set asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// These keys, for a new account or the own one; what is empty is missing.
    Keys { username: Option<String>, password: Option<String> },
    /// The end of the account.
    Remove,
}

impl Wish {
    /// Reads a `<query/>`.
    pub(super) fn read(query: &Element) -> Result<Self, StanzaError> {
        if query.find("remove", ns::REGISTER).is_some() {
            let alone = query.child_elements().count() == 1;
            return if alone { Ok(Self::Remove) } else { Err(StanzaError::bad_request()) };
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let field = |name| given(query.find(name, ns::REGISTER).map(Element::text_content));
        let Some(form) = query.find("x", ns::DATA_FORM) else {
            return Ok(Self::Keys { username: field("username"), password: field("password") });
        };
        let form = DataForm::from_element(form).map_err(|_| StanzaError::bad_request())?;
        if form.kind != FormType::Submit || form.form_type().is_some_and(|meaning| meaning != ns::REGISTER) {
            return Err(StanzaError::bad_request().with_text("this form was not asked for"));
        }
        let field = |name| given(form.get(name).map(str::to_owned));
        Ok(Self::Keys { username: field("username"), password: field("password") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(children: &str) -> Option<Wish> {
        let xml = format!("<query xmlns='jabber:iq:register'>{children}</query>");
        Wish::read(&Element::parse(&xml, ns::CLIENT).expect("XML")).ok()
    }

    fn keys(username: &str, password: &str) -> Option<Wish> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Some(Wish::Keys { username: given(username), password: given(password) })
    }

    #[test]
    fn fields() {
        assert_eq!(read("<username>bill</username><password>Calliope</password>"), keys("bill", "Calliope"));
        assert_eq!(read("<password> a b </password><email/>"), keys("", " a b "));
        assert_eq!(read("<username/><password></password>"), keys("", ""));
        assert_eq!(read("<username xmlns='urn:x'>bill</username>"), keys("", ""));
        assert_eq!(read(""), keys("", ""));
    }

    #[test]
    fn removal_stands_alone() {
        assert_eq!(read("<remove/>"), Some(Wish::Remove));
        assert_eq!(read("<remove/><username>bill</username>"), None);
        assert_eq!(read("<remove/><remove/>"), None);
    }

    #[test]
    fn forms() {
        let form = |kind: &str, meaning: &str| {
            format!(
                "<x xmlns='jabber:x:data' type='{kind}'>{meaning}<field var='username'><value>bill</value></field>\
                 <field var='password'><value>Calliope</value></field></x>"
            )
        };
        let meaning = |value: &str| format!("<field var='FORM_TYPE' type='hidden'><value>{value}</value></field>");
        let ours = meaning("jabber:iq:register");
        assert_eq!(read(&form("submit", &ours)), keys("bill", "Calliope"));
        assert_eq!(read(&form("submit", "")), keys("bill", "Calliope"));
        // §6: the form takes precedence.
        assert_eq!(read(&format!("<username>will</username>{}", form("submit", &ours))), keys("bill", "Calliope"));
        assert_eq!(read(&form("submit", &meaning("jabber:iq:register:cancel"))), None);
        assert_eq!(read(&form("cancel", &ours)), None);
        assert_eq!(read(&form("", &ours)), None);
    }

    #[test]
    fn the_empty_form_has_both_kinds_of_fields() {
        let query = empty();
        let form = DataForm::from_element(query.find("x", ns::DATA_FORM).expect("a form")).expect("a good form");
        for name in ["username", "password"] {
            assert!(query.find(name, ns::REGISTER).is_some(), "{name}");
            assert!(form.find(name).is_some_and(|field| field.required), "{name}");
        }
    }
}
