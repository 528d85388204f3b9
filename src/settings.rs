//! Settings as fields of a form (XEP-0004): a table says what there is, and forms are printed and read by it. With enums
//! whose values are words of the protocol.

use xep_support::formats::form::{Field, FieldType};

/// A setting of a `T`.
pub struct Setting<T> {
    /// The name of its field.
    pub var: &'static str,
    /// What the field holds.
    pub kind: FieldType,
    /// For people.
    pub label: &'static str,
    /// What there is to choose from: values, each with what it is for people.
    pub options: &'static [(&'static str, &'static str)],
    /// The values of the field.
    pub get: fn(&T) -> Vec<String>,
    /// `None`: not values it can have.
    pub set: fn(&mut T, &[String]) -> Option<()>,
}

impl<T> Setting<T> {
    /// The field, with its label and what it is now.
    pub fn shown(&self, of: &T) -> Field {
        Field::new(self.var, self.kind).label(self.label).values((self.get)(of))
    }

    /// The same to be filled in. A value that is none of those on offer is one all the same.
    pub fn field(&self, of: &T) -> Field {
        let shown = self.shown(of);
        let others = shown.values.clone();
        let others = others.iter().filter(|value| !self.options.iter().any(|option| option.0 == value.as_str()));
        let field = self.options.iter().fold(shown, |field, (value, label)| field.option(label.trim(), *value));
        others.filter(|_| !self.options.is_empty()).fold(field, |field, value| field.option(value, value))
    }

    /// The one of this name in a table.
    pub fn of<'a>(table: &'a [Self], var: &str) -> Option<&'a Self> {
        table.iter().find(|setting| setting.var == var)
    }
}

/// What a setting can be: how that is shown in a field, and read.
pub struct Kind<V> {
    /// What the field holds.
    pub field: FieldType,
    /// What there is to choose from.
    pub options: &'static [(&'static str, &'static str)],
    /// As values of the field.
    pub show: fn(&V) -> Vec<String>,
    /// `None`: not values it can have.
    pub read: fn(&[String]) -> Option<V>,
}

/// Yes or no.
pub const FLAG: Kind<bool> = Kind {
    field: FieldType::Boolean,
    options: &[],
    show: |on| vec![if *on { "1" } else { "0" }.to_owned()],
    read: |values| match single(values)? {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    },
};

/// A text, or none.
pub const LINE: Kind<String> = Kind {
    field: FieldType::TextSingle,
    options: &[],
    show: |text| Some(text.clone()).filter(|text| !text.is_empty()).into_iter().collect(),
    read: |values| (values.len() <= 1).then(|| values.first().map_or("", |text| text.trim()).to_owned()),
};

/// A number.
pub const NUMBER: Kind<u32> = Kind {
    field: FieldType::TextSingle,
    options: &[],
    show: |number| vec![number.to_string()],
    read: |values| single(values)?.parse().ok(),
};

/// The value of a field that has one.
pub fn single(values: &[String]) -> Option<&str> {
    match values {
        [value] => Some(value.trim()),
        _ => None,
    }
}

/// What is called so, or "none" of it.
pub fn or_none<T>(name: &str, named: fn(&str) -> Option<T>) -> Option<Option<T>> {
    if name == "none" { Some(None) } else { named(name).map(Some) }
}

/// A row of a table: the name of the field, of what it sets, its kind, and its label.
macro_rules! setting {
    ($var:expr, $($field:ident).+, $kind:expr, $label:literal) => {
        $crate::settings::Setting {
            var: $var,
            kind: $kind.field,
            label: $label,
            options: $kind.options,
            get: |of| ($kind.show)(&of.$($field).+),
            set: |of, values| {
                of.$($field).+ = ($kind.read)(values)?;
                Some(())
            },
        }
    };
}
pub(crate) use setting;

/// An enum of words of the protocol. What is said of each is what people read in a form; where they are stored as numbers,
/// their order is not to change.
macro_rules! words {
    ($(#[$about:meta])+ $name:ident { $($(#[doc = $doc:literal])+ $word_of:ident = $word:literal,)+ }) => {
        $(#[$about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $word_of,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: [Self; Self::OPTIONS.len()] = [$(Self::$word_of),+];
            /// The words for machines and for people.
            pub const OPTIONS: &'static [(&'static str, &'static str)] = &[$(($word, concat!($($doc),+))),+];
            /// As a setting.
            pub const KIND: $crate::settings::Kind<Self> = $crate::settings::Kind {
                field: xep_support::formats::form::FieldType::ListSingle,
                options: Self::OPTIONS,
                show: |word| vec![word.name().to_owned()],
                read: |values| Self::named($crate::settings::single(values)?),
            };

            /// As the protocol calls it.
            pub fn name(self) -> &'static str {
                Self::OPTIONS[self as usize].0
            }

            /// The one of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|word| word.name() == name)
            }

            /// As it is stored, if it is as a number: from 1.
            pub fn number(self) -> u8 {
                self as u8 + 1
            }

            /// From storage.
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.into_iter().find(|word| word.number() == number)
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
#[expect(unreachable_pub, reason = "enums of words are for others")]
mod tests {
    use super::*;

    words! {
        /// What is for dinner.
        Dinner {
            /// Eye of newt
            Newt = "newt",
            /// Toe of frog
            Frog = "frog",
        }
    }

    struct Evening {
        dinner: Dinner,
        guests: u32,
        witches: bool,
        toast: String,
    }

    const TABLE: [Setting<Evening>; 4] = [
        setting!("dinner", dinner, Dinner::KIND, "What is for dinner"),
        setting!("guests", guests, NUMBER, "How many come"),
        setting!("witches", witches, FLAG, "They are witches"),
        setting!("toast", toast, LINE, "What is said"),
    ];

    #[test]
    fn a_table_prints_and_reads() {
        let mut evening = Evening { dinner: Dinner::Newt, guests: 3, witches: true, toast: String::new() };
        let dinner = Setting::of(&TABLE, "dinner").expect("a setting");
        let field = dinner.field(&evening);
        assert_eq!(field.values, ["newt"]);
        let options: Vec<_> = field.options.iter().map(|o| (o.label.as_deref(), o.value.as_str())).collect();
        assert_eq!(options, [(Some("Eye of newt"), "newt"), (Some("Toe of frog"), "frog")]);
        assert!(Setting::of(&TABLE, "breakfast").is_none());
        type Row<'a> = (&'a str, &'a [&'a str], Option<&'a [&'a str]>);
        let rows: [Row<'_>; 9] = [
            ("dinner", &["frog"], Some(&["frog"])),
            ("dinner", &["toad"], None),
            ("guests", &["12"], Some(&["12"])),
            ("guests", &["-1"], None),
            ("witches", &["false"], Some(&["0"])),
            ("witches", &[], None),
            ("toast", &[" Hail! "], Some(&["Hail!"])),
            ("toast", &[], Some(&[])),
            ("toast", &["a", "b"], None),
        ];
        for (var, values, after) in rows {
            let setting = Setting::of(&TABLE, var).expect("a setting");
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            let set = (setting.set)(&mut evening, &values).map(|()| (setting.get)(&evening));
            assert_eq!(set, after.map(|after| after.iter().map(|value| (*value).to_owned()).collect()), "{var}");
        }
    }

    #[test]
    fn words_have_names_and_numbers() {
        for word in Dinner::ALL {
            assert_eq!(Dinner::named(word.name()), Some(word));
            assert_eq!(Dinner::from_number(word.number()), Some(word));
        }
        assert_eq!((Dinner::from_number(0), Dinner::from_number(3)), (None, None));
        assert_eq!(or_none("none", Dinner::named), Some(None));
        assert_eq!((or_none("newt", Dinner::named), or_none("toad", Dinner::named)), (Some(Some(Dinner::Newt)), None));
    }
}
