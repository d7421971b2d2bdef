use std::{collections::BTreeMap, ffi::OsStr, fmt, mem, time::Duration};

use super::{
    AnySetting, Faults, Place, SETTINGS, Setting, Table,
    kind::Kind,
    table::{Row, Rows},
    word::{Address, Span},
};

/// A value as it was given, and where. Has no `Debug`, as it may be a secret.
pub struct Given {
    /// Where it was given.
    pub place: Place,
    /// What was given.
    pub raw: Raw,
}

/// What was given, not yet judged.
pub enum Raw {
    /// A single value, as a flag would spell it.
    One(String),
    /// A list, each item with its own place; `None` is an item that no flag could spell.
    Many(Vec<(Place, Option<String>)>),
    /// What cannot be a value of the setting, and why.
    Wrong(String),
}

impl Given {
    /// A single value.
    pub(crate) fn one(place: Place, text: impl Into<String>) -> Self {
        Self {
            place,
            raw: Raw::One(text.into()),
        }
    }

    /// A single value from outside, which may be any bytes.
    pub(crate) fn external(place: Place, value: &OsStr) -> Self {
        let raw = value.to_str().map_or_else(
            || Raw::Wrong("is not UTF-8".to_owned()),
            |text| Raw::One(text.to_owned()),
        );
        Self { place, raw }
    }
}

/// What one source gives, by key.
pub(crate) type Layer = BTreeMap<&'static str, Given>;

/// What all sources give together: per setting the value that wins.
///
/// Form is judged once, here, for every value of every source: a wrong value in the
/// file is reported even where a flag wins over it. What reads the values then adds
/// only what is wrong between them.
pub(crate) struct Values {
    winning: Layer,
    rows: Rows,
    /// Where the row begins whose values these are, if they are a row's.
    row: Option<Place>,
    faults: Faults,
    /// Whether what the file says is unknown, so that nothing can be said of settings
    /// beside each other.
    partial: bool,
}

impl Values {
    /// Lays `layers` over each other, the first above the rest.
    pub(crate) fn new(
        layers: impl IntoIterator<Item = Layer>,
        rows: Rows,
        mut faults: Faults,
        partial: bool,
    ) -> Self {
        Self {
            winning: lay(SETTINGS, layers, &mut faults),
            rows,
            row: None,
            faults,
            partial,
        }
    }

    /// What `read` makes of each row of a table, in the order of the file; `None` if one of
    /// them is wrong.
    pub(crate) fn each<T>(&mut self, table: &Table, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let rows = self.rows.remove(table.key).unwrap_or_default();
        let (mut all, mut winning) = (Some(Vec::new()), Vec::new());
        for Row { place, layer } in rows {
            let layers = [layer, defaults(table.settings)];
            let mut row = Self {
                winning: lay(table.settings, layers, &mut self.faults),
                rows: Rows::new(),
                row: Some(place.clone()),
                faults: mem::take(&mut self.faults),
                partial: self.partial,
            };
            let value = read(&mut row);
            all = all.zip(value).map(|(mut all, value)| {
                all.push(value);
                all
            });
            self.faults = row.faults;
            winning.push(Row {
                place,
                layer: row.winning,
            });
        }
        self.rows.insert(table.key, winning);
        all
    }

    /// Whether the file has a row of this table.
    pub(crate) fn has_rows(&self, table: &Table) -> bool {
        self.rows.get(table.key).is_some_and(|rows| !rows.is_empty())
    }

    /// The value of a setting that a row must have; `None` if it is wrong, or not there, which
    /// is a fault.
    pub(crate) fn required<K: Kind>(&mut self, setting: &Setting<K>) -> Option<K::Value> {
        let value = self.optional(setting)?;
        if value.is_none() {
            let takes = setting.kind.takes();
            self.fault(setting, format!("is not set; it takes {takes}"));
        }
        value
    }

    /// The value of a setting that has a default; `None` if it is wrong.
    pub(crate) fn get<K: Kind>(&self, setting: &Setting<K>) -> Option<K::Value> {
        setting.kind.read(self.winning.get(setting.key)?).ok()
    }

    /// The value of a setting that may be left out, `Some(None)`; `None` if it is wrong.
    pub(crate) fn optional<K: Kind>(&self, setting: &Setting<K>) -> Option<Option<K::Value>> {
        match self.winning.get(setting.key) {
            None => Some(None),
            Some(given) => setting.kind.read(given).ok().map(Some),
        }
    }

    /// Whether somebody gave this setting, so that it is not a default.
    pub(crate) fn is_given<K>(&self, setting: &Setting<K>) -> bool {
        let given = self.winning.get(setting.key);
        given.is_some_and(|given| !matches!(given.place, Place::Default | Place::Preset(_)))
    }

    /// Refuses `second` if it is the address of `first`. Port 0 is never the same twice.
    pub(crate) fn distinct(&mut self, first: &Setting<Address>, second: &Setting<Address>) {
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
                    "{address} is the address of {} too; choose another port",
                    other.key
                ),
            );
        }
    }

    /// Two spans of which the second must not be shorter; `None` for one that is wrong by itself.
    pub(crate) fn in_order(&mut self, [part, whole]: [&Setting<Span>; 2]) -> [Option<Duration>; 2] {
        let spans = [self.get(part), self.get(whole)];
        let [part_span, whole_span] = spans.map(|span| span.map(humantime::Duration::from));
        let words = [("longer than", "shorten"), ("shorter than", "lengthen")];
        self.not_above((part, part_span), (whole, whole_span), words);
        spans
    }

    /// Refuses a least that is above its most.
    pub(crate) fn ordered<K, T: PartialOrd + fmt::Display>(
        &mut self,
        least: (&Setting<K>, Option<T>),
        most: (&Setting<K>, Option<T>),
    ) {
        self.not_above(least, most, [("above", "lower"), ("below", "raise")]);
    }

    /// Refuses a first value that is above the second; `words` say how the first is wrong and
    /// what mends that, and then the same of the second.
    fn not_above<K, T: PartialOrd + fmt::Display>(
        &mut self,
        (first, low): (&Setting<K>, Option<T>),
        (second, high): (&Setting<K>, Option<T>),
        words: [(&str, &str); 2],
    ) {
        if let (Some(low), Some(high)) = (low, high)
            && low > high
        {
            // Of the two, the one that somebody gave is the one to put right.
            let (wrong, value, (is, mend), other, beside) = if self.is_given(first) {
                (first, low, words[0], second, high)
            } else {
                (second, high, words[1], first, low)
            };
            self.fault(
                wrong,
                format!("{value} is {is} {} ({beside}); {mend} it", other.key),
            );
        }
    }

    /// Sets what follows from other settings, where nobody gave it.
    pub(crate) fn derive<K>(&mut self, setting: &Setting<K>, raw: Raw) {
        self.winning.entry(setting.key).or_insert(Given {
            place: Place::Default,
            raw,
        });
    }

    /// Sets what a command sets where nobody says otherwise.
    pub(crate) fn preset<K>(&mut self, setting: &Setting<K>, command: &'static str, text: &str) {
        if !self.is_given(setting) {
            self.winning
                .insert(setting.key, Given::one(Place::Preset(command), text));
        }
    }

    /// Notes that something is missing that is no single setting.
    pub(crate) fn fault_of(&mut self, key: &'static str, message: impl AsRef<str>) {
        if !self.partial {
            self.faults.push_about(key, Place::Absent(key), message.as_ref());
        }
    }

    /// Notes that the value of `setting` is wrong beside the others.
    pub(crate) fn fault<K>(&mut self, setting: &Setting<K>, message: impl AsRef<str>) {
        if self.partial {
            return;
        }
        let place = match (self.winning.get(setting.key), &self.row) {
            (Some(given), _) if self.is_given(setting) => given.place.clone(),
            (_, Some(row)) => row.clone(),
            (_, None) => Place::Absent(setting.key),
        };
        self.faults.push_about(setting.key, place, message.as_ref());
    }

    /// Notes all that is wrong with the files that `setting` names.
    pub(crate) fn faults_of_file<K>(&mut self, setting: &Setting<K>, faults: Vec<String>) {
        for fault in faults {
            self.fault(setting, fault);
        }
    }

    /// What was read from these values, with the values; or all that is wrong with them.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<(T, Winning), Faults> {
        let Self {
            winning,
            rows,
            faults,
            ..
        } = self;
        let winning = Winning { layer: winning, rows };
        faults.or(read).map(|read| (read, winning))
    }
}

/// The values that won.
pub(crate) struct Winning {
    /// Of single settings, by key.
    pub layer: Layer,
    /// Of tables.
    pub rows: Rows,
}

/// Lays `layers` over each other, the first above the rest.
fn lay(settings: &[&dyn AnySetting], layers: impl IntoIterator<Item = Layer>, faults: &mut Faults) -> Layer {
    let mut winning = Layer::new();
    for mut layer in layers {
        for setting in settings {
            if let Some(given) = layer.remove(setting.key()) {
                setting.check(&given, faults);
                winning.entry(setting.key()).or_insert(given);
            }
        }
    }
    winning
}

/// The defaults of these settings.
pub(crate) fn defaults(settings: &[&dyn AnySetting]) -> Layer {
    settings
        .iter()
        .filter_map(|setting| Some((setting.key(), Given::one(Place::Default, setting.default()?))))
        .collect()
}
