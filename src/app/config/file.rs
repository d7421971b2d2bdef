use std::{fs::File, io::Read, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    AnySetting, Faults, Place, SETTINGS, TABLES, Table,
    kind::Toml,
    suggest::did_you_mean,
    table::{Row, Rows},
    values::{Given, Layer, Raw},
};
use crate::domain::Invalid;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// How many syntax errors are reported: past these, it was meant to be no TOML.
const MAX_SYNTAX_ERRORS: usize = 20;

/// What a file gives.
#[derive(Default)]
pub(super) struct Content {
    pub(super) layer: Layer,
    pub(super) rows: Rows,
}

/// What the file at `path` gives; `None` if that cannot be known.
pub(super) fn read(path: &Path, faults: &mut Faults) -> Option<Content> {
    let name = path.display().to_string();
    let bytes = match load(path) {
        Ok(bytes) => bytes,
        Err(message) => {
            faults.push(Place::File { path: name }, message);
            return None;
        }
    };
    match str::from_utf8(&bytes) {
        Ok(text) => parse(&name, text, faults),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            faults.push(
                Place::spot(&name, &valid, valid.len()),
                format!(
                    "is not UTF-8: byte 0x{:02x}; save the file as UTF-8",
                    bytes[error.valid_up_to()]
                ),
            );
            None
        }
    }
}

fn load(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if about.is_dir() {
        return Err("is a directory; give the path of a TOML file".to_owned());
    }
    // A pipe has no length to judge by: of it no more is read than what shows that it is too long.
    let mut bytes = Vec::new();
    if about.len() <= MAX_BYTES {
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    }
    if about.len().max(bytes.len() as u64) > MAX_BYTES {
        return Err(format!(
            "is larger than {MAX_BYTES} bytes, so it is no configuration file"
        ));
    }
    Ok(bytes)
}

/// What `text`, the content of the file `path`, gives; `None` if it cannot be understood.
fn parse(path: &str, text: &str, faults: &mut Faults) -> Option<Content> {
    if text.starts_with('\u{feff}') {
        let message = "starts with a byte order mark; save the file as UTF-8 without one";
        faults.push(Place::spot(path, text, 0), message);
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What a broken document seems to say would only add faults that nobody made.
        for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
            let at = error.span().map_or(text.len(), |span| span.start);
            faults.push(
                Place::spot(path, text, at),
                format!("is not TOML: {}", error.message().trim_end()),
            );
        }
        if let Some(more @ 1..) = errors.len().checked_sub(MAX_SYNTAX_ERRORS) {
            let path = path.to_owned();
            faults.push(
                Place::File { path },
                format!("has {more} more errors of this kind"),
            );
        }
        return None;
    }
    let mut reading = Reading {
        path,
        text,
        faults,
        content: Content::default(),
    };
    reading.table("", document.get_ref());
    Some(reading.content)
}

struct Reading<'a> {
    path: &'a str,
    text: &'a str,
    faults: &'a mut Faults,
    content: Content,
}

impl Reading<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::spot(self.path, self.text, span.start)
    }

    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            let place = self.place(value.span());
            if let Some(setting) = find(SETTINGS, section, name.get_ref()) {
                let given = self.given(setting, value);
                self.content.layer.insert(setting.key(), given);
            } else if let Some(table) = TABLES.iter().find(|table| table.key == key) {
                self.rows(table, value);
            } else if !is_section(&key) {
                let is_table = matches!(value.get_ref(), DeValue::Table(_));
                self.unknown(&key, self.place(name.span()), is_table);
            } else if let DeValue::Table(table) = value.get_ref() {
                self.table(&key, table);
            } else {
                let message = format!("{key} is a section; write [{key}] on a line above its settings");
                self.faults.push(place, message);
            }
        }
    }

    /// The rows of a table.
    fn rows(&mut self, table: &'static Table, value: &Spanned<DeValue<'_>>) {
        let key = table.key;
        let wrong =
            || format!("{key} is a list of tables; write [[{key}]] on a line above the settings of each");
        let DeValue::Array(items) = value.get_ref() else {
            self.faults.push(self.place(value.span()), wrong());
            return;
        };
        for item in items {
            let place = self.place(item.span());
            let DeValue::Table(row) = item.get_ref() else {
                self.faults.push(place, wrong());
                continue;
            };
            let mut layer = Layer::new();
            for (name, value) in row {
                match find(table.settings, key, name.get_ref()) {
                    Some(setting) => drop(layer.insert(setting.key(), self.given(setting, value))),
                    None => {
                        let known = table.settings.iter().map(|setting| setting.path().1);
                        let hint = did_you_mean(name.get_ref(), known);
                        let shown = Invalid::quote(name.get_ref());
                        let message = format!("[[{key}]] has no setting {shown}{hint}");
                        self.faults.push(self.place(name.span()), message);
                    }
                }
            }
            self.content
                .rows
                .entry(key)
                .or_default()
                .push(Row { place, layer });
        }
    }

    fn unknown(&mut self, key: &str, place: Place, is_table: bool) {
        let shown = Invalid::quote(key);
        let message = if is_table {
            let sections = sections().filter(|name| !name.is_empty());
            format!("there is no section {shown}{}", did_you_mean(key, sections))
        } else {
            let keys = SETTINGS.iter().map(|setting| setting.key());
            format!("there is no setting {shown}{}", did_you_mean(key, keys))
        };
        self.faults.push(place, message);
    }

    fn given(&self, setting: &dyn AnySetting, value: &Spanned<DeValue<'_>>) -> Given {
        let place = self.place(value.span());
        let raw = match (setting.toml(), value.get_ref()) {
            (Toml::Strings, DeValue::Array(items)) => {
                let word = |item: &Spanned<_>| (self.place(item.span()), word(Toml::String, item.get_ref()));
                Raw::Many(items.iter().map(word).collect())
            }
            (form, value) => match word(form, value) {
                Some(text) => Raw::One(text),
                None => {
                    let (found, takes) = (value.type_str(), setting.takes());
                    Raw::Wrong(format!("is of type {found}, not {form}; it takes {takes}"))
                }
            },
        };
        Given { place, raw }
    }
}

fn find(
    settings: &'static [&'static dyn AnySetting],
    section: &str,
    name: &str,
) -> Option<&'static dyn AnySetting> {
    let found = settings.iter().find(|setting| setting.path() == (section, name));
    found.copied()
}

/// Every section that settings and tables are in.
fn sections() -> impl Iterator<Item = &'static str> {
    let of_settings = SETTINGS.iter().map(|setting| setting.path().0);
    of_settings.chain(TABLES.iter().map(|table| table.key))
}

/// Whether there is a section of this name, or one inside it.
fn is_section(key: &str) -> bool {
    sections().any(|section| {
        section
            .strip_prefix(key)
            .is_some_and(|rest| !key.is_empty() && (rest.is_empty() || rest.starts_with('.')))
    })
}

/// `value` as a flag would spell it, if it is of that `form`.
fn word(form: Toml, value: &DeValue<'_>) -> Option<String> {
    match (form, value) {
        (Toml::String, DeValue::String(text)) => Some(text.to_string()),
        (Toml::Boolean, DeValue::Boolean(value)) => Some(value.to_string()),
        (Toml::Integer, DeValue::Integer(number)) => {
            let decimal = i128::from_str_radix(number.as_str(), number.radix());
            Some(decimal.map_or_else(|_| number.to_string(), |decimal| decimal.to_string()))
        }
        _ => None,
    }
}
