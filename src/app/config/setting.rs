use super::{
    Faults,
    kind::{Kind, Toml},
    values::Given,
};

/// One setting, and all there is to say about it. The file's key, the flag, the
/// variable, the help, the checks and the reference page all come from here.
pub(crate) struct Setting<K> {
    /// The key in the file, with its section: `upstream.endpoint`.
    pub key: &'static str,
    /// How its values are read, and which are right.
    pub kind: K,
    /// The value, as a flag would spell it, where nobody gives one.
    pub default: Option<&'static str>,
    /// What it is for, in a sentence or two.
    pub help: &'static str,
}

/// One setting, whatever the kind of its values, as [`SETTINGS`](super::SETTINGS) holds it.
pub trait AnySetting: Sync {
    /// The key in the file, with its section: `upstream.endpoint`.
    fn key(&self) -> &'static str;
    /// What it is for.
    fn help(&self) -> &'static str;
    /// The value where nobody gives one.
    fn default(&self) -> Option<&'static str>;
    /// What stands for a value in a usage line.
    fn value_name(&self) -> String;
    /// Which values are right, with unit and range.
    fn takes(&self) -> String;
    /// What the file spells it as.
    fn toml(&self) -> Toml;
    /// Whether its value is never shown.
    fn is_secret(&self) -> bool;
    /// Notes what is wrong with a value that was given.
    fn check(&self, given: &Given, faults: &mut Faults);

    /// The section and the name in it: `("auth.tokens", "file")`; `""` is the top.
    fn path(&self) -> (&'static str, &'static str) {
        self.key().rsplit_once('.').unwrap_or(("", self.key()))
    }

    /// The flag without its hyphens, `upstream-endpoint`; lists have none.
    fn flag(&self) -> Option<String> {
        (self.toml() != Toml::Strings).then(|| self.key().replace(['.', '_'], "-"))
    }

    /// The variable, `TAPEGATE_UPSTREAM_ENDPOINT`; lists have none.
    fn variable(&self) -> Option<String> {
        (self.toml() != Toml::Strings)
            .then(|| format!("{}{}", super::PREFIX, self.key().replace('.', "_").to_uppercase()))
    }
}

impl<K: Kind + Sync> AnySetting for Setting<K> {
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

    fn takes(&self) -> String {
        self.kind.takes()
    }

    fn toml(&self) -> Toml {
        K::TOML
    }

    fn is_secret(&self) -> bool {
        K::SECRET
    }

    fn check(&self, given: &Given, faults: &mut Faults) {
        for (place, message) in self.kind.read(given).err().into_iter().flatten() {
            faults.push_about(self.key, place.clone(), message);
        }
    }
}
