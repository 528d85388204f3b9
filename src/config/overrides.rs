//! What the command line and the environment say; both come before the file, the command line first.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeArray, DeValue},
};

use super::problem::{Place, Problem, nearest};

/// A setting that can also be given by flag and by environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Key in the file.
    pub key: &'static str,
    /// `MAGPIE_…`
    pub env: &'static str,
    /// `--…`
    pub flag: &'static str,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Comma-separated; empty text: leave the setting alone.
    List,
    /// Comma-separated; empty text: an empty list, which turns the thing off.
    ListOrOff,
    Text,
    Switch,
}

const fn variable(key: &'static str, env: &'static str, flag: &'static str, form: Form) -> Variable {
    Variable { key, env, flag, form }
}

/// All of them. A variable that is set but empty counts as not set, but for the listeners, which it turns off.
pub const VARIABLES: &[Variable] = &[
    variable("domains", "MAGPIE_DOMAIN", "--domain", Form::List),
    variable("data_dir", "MAGPIE_DATA_DIR", "--data-dir", Form::Text),
    variable("admins", "MAGPIE_ADMINS", "--admins", Form::List),
    variable("c2s.listen", "MAGPIE_C2S_LISTEN", "--c2s-listen", Form::ListOrOff),
    variable("c2s.tls_listen", "MAGPIE_C2S_TLS_LISTEN", "--c2s-tls-listen", Form::ListOrOff),
    variable("c2s.allow_plaintext_auth", "MAGPIE_ALLOW_PLAINTEXT_AUTH", "--allow-plaintext-auth", Form::Switch),
    variable("http.listen", "MAGPIE_HTTP_LISTEN", "--http-listen", Form::ListOrOff),
    variable("http.tls_listen", "MAGPIE_HTTP_TLS_LISTEN", "--http-tls-listen", Form::ListOrOff),
    variable("http.public_url", "MAGPIE_PUBLIC_URL", "--public-url", Form::Text),
    variable("metrics.listen", "MAGPIE_METRICS_LISTEN", "--metrics-listen", Form::List),
    variable("registration.mode", "MAGPIE_REGISTRATION", "--registration", Form::Text),
    variable("log.level", "MAGPIE_LOG", "--log", Form::Text),
    variable("log.format", "MAGPIE_LOG_FORMAT", "--log-format", Form::Text),
];

/// The variable and the flag that name the file itself.
pub const CONFIG_ENV: &str = "MAGPIE_CONFIG";
/// See [`CONFIG_ENV`].
pub const CONFIG_FLAG: &str = "--config";
/// The file that is read when nobody names one, if it exists.
pub const CONFIG_FILE: &str = "magpie.toml";

/// Everything besides the file that decides a setting.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Where `magpie.toml` is looked for; empty: the current directory.
    pub directory: PathBuf,
    /// Flags as given, such as `("--domain", "example.org")`.
    pub flags: Vec<(&'static str, String)>,
    /// The environment.
    pub env: BTreeMap<String, String>,
}

/// One setting that does not come from the file.
#[derive(Debug)]
pub(super) struct Override {
    pub(super) key: &'static str,
    pub(super) place: Place,
    pub(super) value: Spanned<DeValue<'static>>,
}

impl Overrides {
    /// These flags, and the environment of this process.
    pub fn from_process(flags: Vec<(&'static str, String)>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("MAGPIE_"))
            .collect();
        Self { directory: PathBuf::new(), flags, env }
    }

    fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(flag, _)| *flag == name).map(|(_, value)| value.as_str())
    }

    /// The file that was asked for, and by what.
    pub(super) fn named_file(&self) -> Option<(&Path, Place)> {
        let by_flag = self.flag(CONFIG_FLAG).map(|path| (path, Place::Flag(CONFIG_FLAG.into())));
        let by_env = || self.env.get(CONFIG_ENV).map(|path| (path.as_str(), Place::Environment(CONFIG_ENV.into())));
        let (path, place) = by_flag.or_else(by_env).filter(|(path, _)| !path.is_empty())?;
        Some((Path::new(path), place))
    }

    pub(super) fn settings(&self) -> Vec<Override> {
        let one = |variable: &Variable| {
            let flag = self.flag(variable.flag).map(|text| (text, Place::Flag(variable.flag.into())));
            let env =
                || self.env.get(variable.env).map(|text| (text.as_str(), Place::Environment(variable.env.into())));
            let usable = |(text, _): &(&str, Place)| !text.trim().is_empty() || variable.form == Form::ListOrOff;
            let (text, place) = flag.filter(usable).or_else(|| env().filter(usable))?;
            Some(Override { key: variable.key, place, value: variable.form.value(text) })
        };
        VARIABLES.iter().filter_map(one).collect()
    }

    /// Variables that look like ours and are not. (Kubernetes makes `MAGPIE_PORT…` and `MAGPIE_SERVICE_…` for a
    /// service of that name; they mean nothing.)
    pub(super) fn unknown_variables(&self) -> Vec<Problem> {
        let known = || VARIABLES.iter().map(|variable| variable.env).chain([CONFIG_ENV]);
        let ours = |name: &&String| {
            name.starts_with("MAGPIE_") && !name.starts_with("MAGPIE_PORT") && !name.starts_with("MAGPIE_SERVICE_")
        };
        let unknown = self.env.keys().filter(ours).filter(|name| known().all(|one| one != name.as_str()));
        unknown
            .map(|name| Problem {
                place: Place::Environment(name.clone()),
                message: "this variable is not known and has no effect".into(),
                help: nearest(name, known()).map(|near| format!("did you mean `{near}`?")),
            })
            .collect()
    }
}

impl Form {
    fn value(self, text: &str) -> Spanned<DeValue<'static>> {
        let string = |text: &str| DeValue::String(Cow::Owned(text.trim().to_owned()));
        let value = match (self, text.trim()) {
            (Self::List | Self::ListOrOff, text) => {
                let mut items = DeArray::new();
                for item in text.split(',').filter(|item| !item.trim().is_empty()) {
                    items.push(Spanned::new(0..0, string(item)));
                }
                DeValue::Array(items)
            }
            (Self::Switch, "true" | "yes" | "on" | "1") => DeValue::Boolean(true),
            (Self::Switch, "false" | "no" | "off" | "0") => DeValue::Boolean(false),
            (Self::Switch | Self::Text, text) => string(text),
        };
        Spanned::new(0..0, value)
    }
}
