//! XEP-0157: whom to write to about this server, as a form in its disco#info (XEP-0128).

use crate::config::Contact;
use crate::extension::{About, Declare, Extension};
use std::sync::Arc;
use xep_support::formats::form::{DataForm, Field, FieldType, FormType};
use xep_support::ns;

/// Contact addresses from the settings.
pub struct ContactAddresses;

impl Extension for ContactAddresses {
    fn about(&self) -> About {
        About::new("XEP-0157", "Contact Addresses for XMPP Services", "1.1.1")
    }

    fn declare(self: Arc<Self>, d: &mut Declare<'_>) {
        d.info_form(Box::new(|core, _| form(&core.config().contact)));
    }
}

/// §7.1; no form if there is no address.
fn form(contact: &Contact) -> Option<DataForm> {
    let all: [(&str, &[String]); 7] = [
        ("abuse-addresses", &contact.abuse),
        ("admin-addresses", &contact.admin),
        ("feedback-addresses", &contact.feedback),
        ("sales-addresses", &contact.sales),
        ("security-addresses", &contact.security),
        ("status-addresses", &contact.status),
        ("support-addresses", &contact.support),
    ];
    let mut form = DataForm::new(FormType::Result).with_form_type(ns::SERVER_INFO);
    let given = all.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    form.fields.extend(given.map(|(var, addresses)| Field::new(var, FieldType::ListMulti).values(addresses)));
    (form.fields.len() > 1).then_some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set() {
        assert_eq!(form(&Contact::default()), None);
        let contact = Contact {
            abuse: vec!["mailto:abuse@example.org".into(), "xmpp:abuse@example.org".into()],
            support: vec!["https://example.org/help".into()],
            ..Contact::default()
        };
        let form = form(&contact).expect("a form");
        assert_eq!(form.form_type(), Some("http://jabber.org/network/serverinfo"));
        assert_eq!(form.values("abuse-addresses"), contact.abuse);
        assert_eq!(form.values("support-addresses"), contact.support);
        assert_eq!(form.fields.len(), 3);
    }
}
