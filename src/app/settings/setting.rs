use super::{
    Faults,
    given::Given,
    setting_type::{SettingType, TomlType},
};

/// The declaration of one setting. The file's key, the flag, the variable, `--help`, the checks
/// and docs/configuration.md all follow from it.
pub(crate) struct Setting<T> {
    /// The key in the file, with its section: `upstream.endpoint`.
    pub key: &'static str,
    /// Which values are valid, and how they are parsed.
    pub kind: T,
    /// The value if none is given, spelled as in a flag.
    pub default: Option<&'static str>,
    /// What the setting does, in a sentence or two.
    pub help: &'static str,
}

/// A setting of any type, as [`SETTINGS`](super::SETTINGS) lists it.
pub trait AnySetting: Sync {
    /// The key in the file, with its section: `upstream.endpoint`.
    fn key(&self) -> &'static str;
    /// What the setting does.
    fn help(&self) -> &'static str;
    /// The value if none is given.
    fn default(&self) -> Option<&'static str>;
    /// The placeholder for a value in a usage line: `DURATION`.
    fn value_name(&self) -> String;
    /// Which values are valid, with unit and range.
    fn expected(&self) -> String;
    /// The TOML type of its values in the file.
    fn toml(&self) -> TomlType;
    /// Records what is wrong with a given value.
    fn check(&self, given: &Given, faults: &mut Faults);

    /// The section and the name within it: `("auth.tokens", "file")`; the section of top-level
    /// settings is `""`.
    fn path(&self) -> (&'static str, &'static str) {
        self.key().rsplit_once('.').unwrap_or(("", self.key()))
    }

    /// The flag without its hyphens, `upstream-endpoint`; lists have none.
    fn flag(&self) -> Option<String> {
        (self.toml() != TomlType::Strings).then(|| self.key().replace(['.', '_'], "-"))
    }

    /// The variable, `TAPEGATE_UPSTREAM_ENDPOINT`; lists have none.
    fn variable(&self) -> Option<String> {
        (self.toml() != TomlType::Strings)
            .then(|| format!("{}{}", super::PREFIX, self.key().replace('.', "_").to_uppercase()))
    }
}

impl<T: SettingType + Sync> AnySetting for Setting<T> {
    fn key(&self) -> &'static str {
        self.key
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn default(&self) -> Option<&'static str> {
        self.default
    }

    fn value_name(&self) -> String {
        self.kind.name()
    }

    fn expected(&self) -> String {
        self.kind.expected()
    }

    fn toml(&self) -> TomlType {
        T::TOML
    }

    fn check(&self, given: &Given, faults: &mut Faults) {
        for (origin, message) in self.kind.read(given).err().into_iter().flatten() {
            faults.push_about(self.key, origin.clone(), message);
        }
    }
}

/// An array of tables in the file, such as `[[auth.jwt]]`: one table for each thing that is
/// configured. Like lists, these settings are in the file only.
pub struct Table {
    /// Its name in the file, with its section: `auth.jwt`.
    pub key: &'static str,
    /// What one table configures.
    pub help: &'static str,
    /// The settings of one table.
    pub settings: &'static [&'static dyn AnySetting],
}
