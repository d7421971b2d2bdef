use std::{collections::BTreeSet, fmt, mem, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    AnySetting, Environment, Faults, Origin, SETTINGS, Setting, TABLES, Table,
    given::{Given, Layer, Raw, Row, Rows},
    parsers::{DurationIn, Parsed},
    setting_type::{List, SettingType, ValueParser},
};

/// The values that take precedence.
pub(crate) struct Resolved {
    /// By the setting's key.
    pub values: Layer,
    /// Of the tables.
    pub rows: Rows,
}

/// Reads typed values from the resolved ones, and collects what is wrong with them.
///
/// The form of every value of every source is checked here once: an invalid value in the file is
/// reported even where a flag takes precedence over it. Code that reads the values adds only
/// faults of combinations.
pub(crate) struct Values {
    resolved: Resolved,
    /// Where the row begins, while the values of a row are read.
    row: Option<Origin>,
    faults: Faults,
    /// Whether the file could not be read. Combinations cannot be judged then.
    is_partial: bool,
    environment: Arc<Environment>,
}

impl Values {
    /// The values of `layers`, of which the first takes precedence, and the `rows` of the file.
    pub(crate) fn new(
        layers: impl IntoIterator<Item = Layer>,
        rows: Rows,
        mut faults: Faults,
        is_partial: bool,
        environment: Environment,
    ) -> Self {
        let values = merge(SETTINGS, layers, &mut faults);
        Self {
            resolved: Resolved { values, rows },
            row: None,
            faults,
            is_partial,
            environment: Arc::new(environment),
        }
    }

    /// What the variables say that libraries read.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Merges the rows of every table with the defaults of their settings. Commands without
    /// tables leave them unchecked.
    pub(crate) fn merge_rows(&mut self) {
        for table in TABLES {
            for row in self.resolved.rows.get_mut(table.key).into_iter().flatten() {
                let layers = [mem::take(&mut row.values), defaults(table.settings)];
                row.values = merge(table.settings, layers, &mut self.faults);
            }
        }
    }

    /// The results of `read` for each row of a table, in the order of the file; `None` if one of
    /// them is `None`. The rows have to be merged.
    pub(crate) fn rows<T>(
        &mut self,
        table: &Table,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let rows = self.resolved.rows.remove(table.key).unwrap_or_default();
        let (results, rows): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| self.row(row, &mut read)).unzip();
        self.resolved.rows.insert(table.key, rows);
        results.into_iter().collect()
    }

    fn row<T>(&mut self, row: Row, read: impl FnOnce(&mut Self) -> Option<T>) -> (Option<T>, Row) {
        let Row { origin, values } = row;
        let mut row = Self {
            resolved: Resolved {
                values,
                rows: Rows::new(),
            },
            row: Some(origin.clone()),
            faults: mem::take(&mut self.faults),
            is_partial: self.is_partial,
            environment: self.environment.clone(),
        };
        let result = read(&mut row);
        self.faults = row.faults;
        let values = row.resolved.values;
        (result, Row { origin, values })
    }

    /// Whether the file has a row of this table.
    pub(crate) fn has_rows(&self, table: &Table) -> bool {
        self.resolved
            .rows
            .get(table.key)
            .is_some_and(|rows| !rows.is_empty())
    }

    /// The value of a setting that a row must have; `None` if it is invalid, or if it is not set,
    /// which is a fault.
    pub(crate) fn required<T: SettingType>(&mut self, setting: &Setting<T>) -> Option<T::Value> {
        let value = self.optional(setting)?;
        if value.is_none() {
            let expected = setting.kind.expected();
            self.fault(setting, format!("is not set; expected {expected}"));
        }
        value
    }

    /// The value of a setting that has a default; `None` if it is invalid.
    pub(crate) fn get<T: SettingType>(&self, setting: &Setting<T>) -> Option<T::Value> {
        setting.kind.read(self.resolved.values.get(setting.key)?).ok()
    }

    /// The value of an optional setting: `Some(None)` if it is not set, `None` if it is invalid.
    pub(crate) fn optional<T: SettingType>(&self, setting: &Setting<T>) -> Option<Option<T::Value>> {
        match self.resolved.values.get(setting.key) {
            None => Some(None),
            Some(given) => setting.kind.read(given).ok().map(Some),
        }
    }

    /// The items of a list that are valid, whatever is wrong with others.
    pub(crate) fn valid_items<P>(&self, setting: &Setting<List<P>>) -> BTreeSet<P::Value>
    where
        P: ValueParser<Value: Ord>,
    {
        let given = self.resolved.values.get(setting.key);
        given.map_or_else(BTreeSet::new, |given| setting.kind.items(given).0)
    }

    /// Whether the value of a setting was given and is not a default.
    pub(crate) fn is_given<T>(&self, setting: &Setting<T>) -> bool {
        let given = self.resolved.values.get(setting.key);
        given.is_some_and(|given| !matches!(given.origin, Origin::Default | Origin::CommandDefault(_)))
    }

    /// Rejects `second` if it is the address of `first`. Two addresses with port 0 never collide.
    pub(crate) fn distinct(
        &mut self,
        first: &Setting<Parsed<SocketAddr>>,
        second: &Setting<Parsed<SocketAddr>>,
    ) {
        if let (Some(taken), Some(address)) = (self.get(first), self.get(second))
            && taken == address
            && address.port() != 0
        {
            let (wrong, other) = if self.is_given(second) {
                (second, first)
            } else {
                (first, second)
            };
            self.fault(
                wrong,
                format!(
                    "{address} is also the address of {}; choose another port",
                    other.key
                ),
            );
        }
    }

    /// Two durations of which the second must not be shorter; each is `None` if it is invalid.
    pub(crate) fn in_order(&mut self, [part, whole]: [&Setting<DurationIn>; 2]) -> [Option<Duration>; 2] {
        let durations = [self.get(part), self.get(whole)];
        let [shorter, longer] = durations.map(|duration| duration.map(humantime::Duration::from));
        let words = [("longer than", "shorten"), ("shorter than", "lengthen")];
        self.not_above((part, shorter), (whole, longer), words);
        durations
    }

    /// Rejects a minimum that is above its maximum.
    pub(crate) fn ordered<T, V: PartialOrd + fmt::Display>(
        &mut self,
        min: (&Setting<T>, Option<V>),
        max: (&Setting<T>, Option<V>),
    ) {
        self.not_above(min, max, [("above", "lower"), ("below", "raise")]);
    }

    /// Rejects a first value that is above the second. `words` say how the first is wrong and
    /// what corrects it, then the same of the second.
    fn not_above<T, V: PartialOrd + fmt::Display>(
        &mut self,
        (first, low): (&Setting<T>, Option<V>),
        (second, high): (&Setting<T>, Option<V>),
        words: [(&str, &str); 2],
    ) {
        if let (Some(low), Some(high)) = (low, high)
            && low > high
        {
            // The fault is reported for the one that was given.
            let (wrong, value, (is, correct), other, limit) = if self.is_given(first) {
                (first, low, words[0], second, high)
            } else {
                (second, high, words[1], first, low)
            };
            self.fault(
                wrong,
                format!("{value} is {is} {} ({limit}); {correct} it", other.key),
            );
        }
    }

    /// Sets the default of a setting that depends on other settings.
    pub(crate) fn set_default<T>(&mut self, setting: &Setting<T>, raw: Raw) {
        self.resolved.values.entry(setting.key).or_insert(Given {
            origin: Origin::Default,
            raw,
        });
    }

    /// Sets the default of a list.
    pub(crate) fn set_default_list<T>(
        &mut self,
        setting: &Setting<T>,
        items: impl IntoIterator<Item = impl Into<String>>,
    ) {
        let items = items.into_iter().map(|item| (Origin::Default, Some(item.into())));
        self.set_default(setting, Raw::Many(items.collect()));
    }

    /// Sets the value that a setting has for one command if it is not given.
    pub(crate) fn set_command_default<T>(&mut self, setting: &Setting<T>, command: &'static str, text: &str) {
        if !self.is_given(setting) {
            let given = Given::one(Origin::CommandDefault(command), text);
            self.resolved.values.insert(setting.key, given);
        }
    }

    /// Records that something is missing that is not a single setting.
    pub(crate) fn missing(&mut self, key: &'static str, message: impl AsRef<str>) {
        if !self.is_partial {
            self.faults.push_about(key, Origin::Unset(key), message.as_ref());
        }
    }

    /// Records that the value of `setting` is wrong in combination with others.
    pub(crate) fn fault<T>(&mut self, setting: &Setting<T>, message: impl AsRef<str>) {
        if self.is_partial {
            return;
        }
        let origin = match (self.resolved.values.get(setting.key), &self.row) {
            (Some(given), _) if self.is_given(setting) => given.origin.clone(),
            (_, Some(row)) => row.clone(),
            (_, None) => Origin::Unset(setting.key),
        };
        self.faults.push_about(setting.key, origin, message.as_ref());
    }

    /// Rejects a setting that is given though others make it useless.
    pub(crate) fn reject_given<T>(&mut self, setting: &Setting<T>, message: &str) {
        if self.is_given(setting) {
            self.fault(setting, message);
        }
    }

    /// Rejects a setting that is given with another value than its default though others make it useless.
    /// `tapegate check` prints defaults, too.
    pub(crate) fn reject_changed<T>(&mut self, setting: &Setting<T>, message: &str)
    where
        T: SettingType<Value: PartialEq>,
    {
        let default = setting.default.map(|text| Given::one(Origin::Default, text));
        let default = default.and_then(|default| setting.kind.read(&default).ok());
        if self.get(setting) != default {
            self.reject_given(setting, message);
        }
    }

    /// `read` with the resolved values; or all faults.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<(T, Resolved), Faults> {
        let Self { resolved, faults, .. } = self;
        faults.or(read).map(|read| (read, resolved))
    }
}

/// The values that take precedence: those of the first of the `layers` that has one. Checks the
/// form of all of them.
fn merge(
    settings: &[&dyn AnySetting],
    layers: impl IntoIterator<Item = Layer>,
    faults: &mut Faults,
) -> Layer {
    let mut merged = Layer::new();
    for mut layer in layers {
        for setting in settings {
            if let Some(given) = layer.remove(setting.key()) {
                setting.check(&given, faults);
                merged.entry(setting.key()).or_insert(given);
            }
        }
    }
    merged
}

/// The defaults of these settings.
pub(crate) fn defaults(settings: &[&dyn AnySetting]) -> Layer {
    settings
        .iter()
        .filter_map(|setting| Some((setting.key(), Given::one(Origin::Default, setting.default()?))))
        .collect()
}
