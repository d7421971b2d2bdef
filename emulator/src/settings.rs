//! The settings of an emulator. Each is declared once: key, help, form and default.
//!
//! A group of settings is a struct. Its fields are keys of the configuration file; their doc
//! comments are the help on the command line and the reference in docs/emulator.md.

mod account;
mod arn;
pub(crate) mod form;
mod identity;
mod life;
mod process;
mod undocumented;

use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

pub use account::Settings;
pub(crate) use arn::{RoleArn, partition};
pub use identity::{Account, Credentials, Role};
pub use life::Life;
pub(crate) use process::Process;
pub use undocumented::{
    BarcodeScope, DefaultPool, InTransitSpelling, InternalServerErrorStatus, RetrievedListed,
    TapeArnsWithMarker, TokenMismatch, TokenScope, Undocumented, UnknownTapeArns,
};

/// Declares a group of settings. What stands under `skip` is a field of the struct and no key.
macro_rules! group {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident: $title:literal {
            $(
                $(#[doc = $help:literal])+
                $key:ident: $type:ty $(as $form:literal)? = $default:expr,
            )+
            $(skip {
                $(
                    $(#[doc = $text:literal])+
                    $field:ident: $field_type:ty,
                )+
            })?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields)]
        $vis struct $name {
            $(
                $(#[doc = $help])+
                $(#[serde(with = $form)])?
                $vis $key: $type,
            )+
            $($(
                $(#[doc = $text])+
                #[serde(skip)]
                $vis $field: $field_type,
            )+)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $default,)+
                    $($($field: Default::default(),)+)?
                }
            }
        }

        impl $crate::settings::Group for $name {
            const TITLE: &str = $title;
            const KEYS: &[(&str, &str)] = &[$((stringify!($key), concat!($($help),+)),)+];
        }
    };
}
pub(crate) use group;

/// A group of settings.
pub(crate) trait Group: Default + Serialize + DeserializeOwned {
    /// The heading of the group in the reference.
    const TITLE: &str;
    /// Each key with its help.
    const KEYS: &[(&str, &str)];
}

/// One setting, as the help and the reference show it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The heading of its group.
    pub group: &'static str,
    /// Its key in the file.
    pub key: &'static str,
    /// What it sets.
    pub help: &'static str,
    /// Which values are valid.
    pub takes: String,
    /// The default value, if it has one.
    pub default: Option<String>,
    accepts: fn(&Table) -> bool,
}

impl Setting {
    /// Every setting, in the order of the reference.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        all.extend(of_group::<Process>());
        all.extend(of_group::<Settings>());
        all.extend(of_group::<Life>());
        all.extend(of_group::<Undocumented>());
        all
    }

    /// Whether a value is valid.
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        (self.accepts)(&one(self.key, value.clone()))
    }
}

fn of_group<G: Group>() -> impl Iterator<Item = Setting> {
    let defaults = Table::try_from(G::default()).expect("every setting has a form in TOML");
    G::KEYS.iter().map(move |(key, help)| Setting {
        group: G::TITLE,
        key,
        help: help.trim(),
        takes: takes::<G>(key),
        default: defaults.get(*key).map(text),
        accepts: |table| table.clone().try_into::<G>().is_ok(),
    })
}

/// What the reader of a key expects. No key accepts an empty string, so the error for one names it.
fn takes<G: Group>(key: &str) -> String {
    let error = one(key, Value::String(String::new())).try_into::<G>().err();
    let message = error.map(|error| error.message().to_owned()).unwrap_or_default();
    let expected = message.rsplit_once("expected ").map(|(_, expected)| expected);
    expected.unwrap_or_default().replace('`', "").trim().to_owned()
}

fn one(key: &str, value: Value) -> Table {
    Table::from_iter([(key.to_owned(), value)])
}

/// A value as a flag or a variable spells it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
