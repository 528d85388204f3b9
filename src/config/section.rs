//! The `section!` macro: a settings struct whose field documentation is also the operator's manual, and which says of
//! each setting what it accepts and whether a running server can take a change of it.

use toml::Value as Toml;

/// The smallest and largest number a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Smallest number; for times, anything above nothing at all when this is 1.
    pub least: u64,
    /// Largest number.
    pub most: u64,
}

impl Bounds {
    /// What holds when a setting names nothing else: one or more. (TOML's integers end where `i64` does.)
    pub(crate) const DEFAULT: Self = Self { least: 1, most: i64::MAX as u64 };
}

/// One setting, with everything there is to say about it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Its key within the section.
    pub name: &'static str,
    /// The doc comment, line by line.
    pub doc: Vec<&'static str>,
    /// A running server takes a change of it at `reload`.
    pub live: bool,
    /// Its present value.
    pub value: Toml,
}

/// One section with its settings, for everything that lists them: printing, comparing, finding unknown keys.
#[derive(Clone, Debug)]
pub(crate) struct SectionView {
    /// `c2s`; empty for the settings above the first section.
    pub name: &'static str,
    /// The doc comment, line by line.
    pub about: Vec<&'static str>,
    /// Settings in the order of the source.
    pub settings: Vec<Setting>,
}

impl SectionView {
    /// The full key of a setting: `c2s.listen`, or `domains` above the first section.
    pub(crate) fn key(&self, setting: &Setting) -> String {
        full_key(self.name, setting.name)
    }
}

/// `section.name`, or only the name above the first section.
pub(crate) fn full_key(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// What `section!` implements.
pub(crate) trait Section {
    /// Takes every setting the sources have; what they lack stays as it is.
    fn read(&mut self, reader: &mut super::reader::Reader<'_>);
    /// Lists this section and those inside it.
    fn view(&self, views: &mut Vec<SectionView>);
    /// Goes back to the running server's values where it cannot take a change.
    fn keep_unchangeable(&mut self, running: &Self);
}

/// Declares a settings struct:
///
/// ```text
/// section! {
///     /// What the section is about.
///     pub struct C2s in "c2s" {
///         /// Manual entry.
///         live (0, 10) retries: usize = 3,     // `live` or `restart`; bounds when not "one or more"
///     }
/// }
/// ```
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident in $section:literal {
            $( $(#[doc = $doc:literal])+ $reload:ident $(($least:expr, $most:expr))? $field:ident: $type:ty = $default:expr, )+
        }
        $( with { $( $(#[doc = $inner_doc:literal])+ $inner:ident: $inner_type:ty, )+ } )?
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )+
            $( $( $(#[doc = $inner_doc])+ pub $inner: $inner_type, )+ )?
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )+ $( $( $inner: <$inner_type>::default(), )+ )? }
            }
        }

        impl $crate::config::section::Section for $name {
            fn read(&mut self, reader: &mut $crate::config::reader::Reader<'_>) {
                $(
                    let bounds = $crate::config::section::section!(@bounds $($least, $most)?);
                    if let Some(value) = reader.value::<$type>($section, stringify!($field), bounds) {
                        self.$field = value;
                    }
                )+
                $( $( self.$inner.read(reader); )+ )?
            }

            fn view(&self, views: &mut Vec<$crate::config::section::SectionView>) {
                use $crate::config::section::{SectionView, Setting, section};
                views.push(SectionView {
                    name: $section,
                    about: vec![$($about),+],
                    settings: vec![ $( Setting {
                        name: stringify!($field),
                        doc: vec![$($doc),+],
                        live: section!(@live $reload),
                        value: $crate::config::value::Value::show(&self.$field),
                    }, )+ ],
                });
                $( $( self.$inner.view(views); )+ )?
            }

            fn keep_unchangeable(&mut self, running: &Self) {
                $( if !$crate::config::section::section!(@live $reload) {
                    self.$field = running.$field.clone();
                } )+
                $( $( self.$inner.keep_unchangeable(&running.$inner); )+ )?
            }
        }
    };
    (@live live) => { true };
    (@live restart) => { false };
    (@bounds) => { $crate::config::section::Bounds::DEFAULT };
    (@bounds $least:expr, $most:expr) => { $crate::config::section::Bounds { least: $least, most: $most } };
}
pub(crate) use section;
