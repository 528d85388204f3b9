//! Data forms (XEP-0004), with the field `FORM_TYPE` that says what the others mean (XEP-0068).
//!
//! Not for lists of items (`<reported/>`, `<item/>`), and of validation (XEP-0122) only the ranges of numbers.

use crate::ns;
use crate::xml::Element;

/// The field that names what the others mean (XEP-0068).
const FORM_TYPE: &str = "FORM_TYPE";

/// What a form is for (XEP-0004 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormType {
    /// The one who asks wants it filled in.
    Form,
    /// It is filled in.
    Submit,
    /// It will not be filled in.
    Cancel,
    /// It gives information.
    Result,
}

impl FormType {
    /// The value of the attribute `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Submit => "submit",
            Self::Cancel => "cancel",
            Self::Result => "result",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Form, Self::Submit, Self::Cancel, Self::Result].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a field holds (XEP-0004 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Yes or no.
    Boolean,
    /// Text to be shown, not changed.
    Fixed,
    /// Not to be shown, but sent back.
    Hidden,
    /// JIDs.
    JidMulti,
    /// One JID.
    JidSingle,
    /// Some of the options.
    ListMulti,
    /// One of the options.
    ListSingle,
    /// Lines of text.
    TextMulti,
    /// A line of text that must not be seen.
    TextPrivate,
    /// A line of text.
    TextSingle,
}

impl FieldType {
    const ALL: [Self; 10] = [
        Self::Boolean,
        Self::Fixed,
        Self::Hidden,
        Self::JidMulti,
        Self::JidSingle,
        Self::ListMulti,
        Self::ListSingle,
        Self::TextMulti,
        Self::TextPrivate,
        Self::TextSingle,
    ];

    /// The value of the attribute `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Fixed => "fixed",
            Self::Hidden => "hidden",
            Self::JidMulti => "jid-multi",
            Self::JidSingle => "jid-single",
            Self::ListMulti => "list-multi",
            Self::ListSingle => "list-single",
            Self::TextMulti => "text-multi",
            Self::TextPrivate => "text-private",
            Self::TextSingle => "text-single",
        }
    }

    /// A type nobody knows is `text-single` (XEP-0004 §3.3).
    fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or(Self::TextSingle)
    }
}

/// One of the values a list field offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldOption {
    /// For people.
    pub label: Option<String>,
    /// For the form.
    pub value: String,
}

/// A field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Its name; only a `fixed` field may have none.
    pub var: Option<String>,
    /// What it holds; usually left out when a form is submitted.
    pub kind: Option<FieldType>,
    /// Its name for people.
    pub label: Option<String>,
    /// An explanation for people.
    pub desc: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
    /// Its values: one, unless its type is one of several.
    pub values: Vec<String>,
    /// What a list field offers.
    pub options: Vec<FieldOption>,
    /// It holds a whole number from this to that (XEP-0122). Not read from a form.
    pub range: Option<(u64, u64)>,
}

impl Field {
    /// A field of this name and type, without value.
    pub fn new(var: impl Into<String>, kind: FieldType) -> Self {
        Self { var: Some(var.into()), kind: Some(kind), ..Self::default() }
    }

    /// Gives it a name for people.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says that it must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Adds a value.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds values.
    #[must_use]
    pub fn values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// Adds something a list field offers.
    #[must_use]
    pub fn option(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push(FieldOption { label: Some(label.into()), value: value.into() });
        self
    }

    /// Says that it holds a whole number from `least` to `most`.
    #[must_use]
    pub fn range(mut self, least: u64, most: u64) -> Self {
        self.range = Some((least, most));
        self
    }

    fn to_element(&self) -> Element {
        let range = |(least, most): (u64, u64)| {
            let range = Element::new("range", ns::DATA_VALIDATE).attr("min", least.to_string());
            Element::new("validate", ns::DATA_VALIDATE)
                .attr("datatype", "xs:integer")
                .child(range.attr("max", most.to_string()))
        };
        let option = |option: &FieldOption| {
            let value = Element::new("value", ns::DATA_FORM).text(option.value.as_str());
            Element::new("option", ns::DATA_FORM).attr_opt("label", option.label.as_deref()).child(value)
        };
        Element::new("field", ns::DATA_FORM)
            .attr_opt("var", self.var.as_deref())
            .attr_opt("type", self.kind.map(FieldType::as_str))
            .attr_opt("label", self.label.as_deref())
            .child_opt(self.desc.as_deref().map(|desc| Element::new("desc", ns::DATA_FORM).text(desc)))
            .child_opt(self.range.map(range))
            .child_opt(self.required.then(|| Element::new("required", ns::DATA_FORM)))
            .children(self.values.iter().map(|value| Element::new("value", ns::DATA_FORM).text(value.as_str())))
            .children(self.options.iter().map(option))
    }

    fn from_element(element: &Element) -> Self {
        let option = |option: &Element| FieldOption {
            label: option.get_attr("label").map(str::to_owned),
            value: option.find("value", ns::DATA_FORM).map(Element::text_content).unwrap_or_default(),
        };
        Self {
            var: element.get_attr("var").map(str::to_owned),
            kind: element.get_attr("type").map(FieldType::from_name),
            label: element.get_attr("label").map(str::to_owned),
            desc: element.find("desc", ns::DATA_FORM).map(Element::text_content),
            required: element.find("required", ns::DATA_FORM).is_some(),
            values: named(element, "value").map(Element::text_content).collect(),
            options: named(element, "option").map(option).collect(),
            range: None,
        }
    }
}

/// The text is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The element is not `<x xmlns='jabber:x:data'/>`.
    #[error("not a data form")]
    NotAForm,
    /// The type is missing or none of the four.
    #[error("a data form without a known type")]
    UnknownType,
}

/// A data form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataForm {
    /// What it is for.
    pub kind: FormType,
    /// For people.
    pub title: Option<String>,
    /// For people, line by line.
    pub instructions: Vec<String>,
    /// In their order.
    pub fields: Vec<Field>,
}

impl DataForm {
    /// An empty form.
    pub const fn new(kind: FormType) -> Self {
        Self { kind, title: None, instructions: Vec::new(), fields: Vec::new() }
    }

    /// Gives it a title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Adds a line of instructions.
    #[must_use]
    pub fn instructions(mut self, line: impl Into<String>) -> Self {
        self.instructions.push(line.into());
        self
    }

    /// Adds the field `FORM_TYPE`: what the other fields mean.
    #[must_use]
    pub fn with_form_type(self, form_type: &str) -> Self {
        self.field(Field::new(FORM_TYPE, FieldType::Hidden).value(form_type))
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// What the fields mean. One that is shown to people does not count (XEP-0068 §3.1).
    pub fn form_type(&self) -> Option<&str> {
        let field = self.find(FORM_TYPE)?;
        matches!(field.kind, None | Some(FieldType::Hidden)).then(|| field.values.first()).flatten().map(String::as_str)
    }

    /// The first field of this name.
    pub fn find(&self, var: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.var.as_deref() == Some(var))
    }

    /// The first value of a field.
    pub fn get(&self, var: &str) -> Option<&str> {
        self.values(var).first().map(String::as_str)
    }

    /// All values of a field; none if there is no such field.
    pub fn values(&self, var: &str) -> &[String] {
        self.find(var).map_or(&[], |field| &field.values)
    }

    /// The value of a boolean field; `None` if it has none or something else (XML Schema part 2 §3.2.2).
    pub fn get_bool(&self, var: &str) -> Option<bool> {
        match self.get(var)? {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        }
    }

    /// The form as an element.
    pub fn to_element(&self) -> Element {
        let text = |name: &'static str, text: &str| Element::new(name, ns::DATA_FORM).text(text);
        Element::new("x", ns::DATA_FORM)
            .attr("type", self.kind.as_str())
            .child_opt(self.title.as_deref().map(|title| text("title", title)))
            .children(self.instructions.iter().map(|line| text("instructions", line)))
            .children(self.fields.iter().map(Field::to_element))
    }

    /// Appends the form as text.
    pub fn write(&self, out: &mut String) {
        self.to_element().write(out, "");
    }

    /// Reads a form. Elements it does not know are left out.
    pub fn from_element(element: &Element) -> Result<Self, FormError> {
        if !element.is("x", ns::DATA_FORM) {
            return Err(FormError::NotAForm);
        }
        let kind = element.get_attr("type").and_then(FormType::from_name).ok_or(FormError::UnknownType)?;
        Ok(Self {
            kind,
            title: element.find("title", ns::DATA_FORM).map(Element::text_content),
            instructions: named(element, "instructions").map(Element::text_content).collect(),
            fields: named(element, "field").map(Field::from_element).collect(),
        })
    }
}

fn named<'a>(element: &'a Element, name: &'a str) -> impl Iterator<Item = &'a Element> {
    element.child_elements().filter(move |child| child.is(name, ns::DATA_FORM))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(xml: &str) -> Result<DataForm, FormError> {
        DataForm::from_element(&Element::parse(xml, ns::CLIENT).expect("XML"))
    }

    fn printed(form: &DataForm) -> String {
        let mut out = String::new();
        form.write(&mut out);
        out
    }

    #[test]
    fn contact_addresses() {
        let form = DataForm::new(FormType::Result).with_form_type(ns::SERVER_INFO).field(
            Field::new("abuse-addresses", FieldType::ListMulti).values(["mailto:abuse@example.com", "xmpp:a@b?x&y"]),
        );
        let expected = "<x xmlns='jabber:x:data' type='result'>\
            <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>\
            <field var='abuse-addresses' type='list-multi'><value>mailto:abuse@example.com</value>\
            <value>xmpp:a@b?x&amp;y</value></field></x>";
        assert_eq!(printed(&form), expected);
        assert_eq!(read(expected), Ok(form));
    }

    #[test]
    fn everything_survives() {
        let form = DataForm::new(FormType::Form)
            .title("A <title>")
            .instructions("one")
            .instructions("two")
            .with_form_type("urn:x")
            .field(Field { values: vec!["read this".into()], kind: Some(FieldType::Fixed), ..Field::default() })
            .field(Field { desc: Some("why".into()), ..Field::new("a", FieldType::TextPrivate).label("A").required() })
            .field(Field::new("l", FieldType::ListSingle).value("2").option("One", "1").option("Two", "2"));
        assert_eq!(read(&printed(&form)), Ok(form));
    }

    #[test]
    fn a_number_has_a_range() {
        let form = DataForm::new(FormType::Form).field(Field::new("n", FieldType::TextSingle).range(0, 9).value("3"));
        let expected = "<x xmlns='jabber:x:data' type='form'><field var='n' type='text-single'>\
            <validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:integer'><range min='0' max='9'/>\
            </validate><value>3</value></field></x>";
        assert_eq!(printed(&form), expected);
    }

    #[test]
    fn a_submitted_form() {
        let form = read(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:x</value></field>\
             <field var='yes'><value>true</value></field><field var='no'><value>0</value></field>\
             <field var='odd' type='strange'><value>maybe</value><value>b</value></field><field var='empty'/>\
             <other/><field xmlns='urn:y' var='yes'><value>false</value></field></x>",
        )
        .expect("a form");
        assert_eq!(form.form_type(), Some("urn:x"));
        let rows = [("yes", Some(true)), ("no", Some(false)), ("odd", None), ("empty", None), ("missing", None)];
        for (var, expected) in rows {
            assert_eq!(form.get_bool(var), expected, "{var}");
        }
        assert_eq!(form.values("odd"), ["maybe", "b"]);
        assert_eq!(form.find("odd").and_then(|field| field.kind), Some(FieldType::TextSingle));
        assert_eq!(form.fields.len(), 5);
    }

    #[test]
    fn a_form_type_must_be_hidden() {
        let shown = DataForm::new(FormType::Result).field(Field::new(FORM_TYPE, FieldType::TextSingle).value("urn:x"));
        assert_eq!(shown.form_type(), None);
        assert_eq!(DataForm::new(FormType::Cancel).form_type(), None);
    }

    #[test]
    fn what_is_no_form() {
        assert_eq!(read("<x xmlns='urn:x' type='form'/>"), Err(FormError::NotAForm));
        assert_eq!(read("<y xmlns='jabber:x:data' type='form'/>"), Err(FormError::NotAForm));
        assert_eq!(read("<x xmlns='jabber:x:data'/>"), Err(FormError::UnknownType));
        assert_eq!(read("<x xmlns='jabber:x:data' type='Form'/>"), Err(FormError::UnknownType));
    }

    proptest! {
        #[test]
        fn texts_survive(title in "\\PC{1,12}", var in "\\PC{1,12}", value in "\\PC{1,12}", label in "\\PC{0,12}") {
            let field = Field::new(var, FieldType::ListMulti).value(value.clone()).option(label, value);
            let form = DataForm::new(FormType::Submit).title(title).field(field);
            prop_assert_eq!(read(&printed(&form)), Ok(form));
        }
    }
}
