use std::{io::Read, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    AnySetting, Faults, Origin, SETTINGS, TABLES, Table,
    fault::did_you_mean,
    given::{Given, Layer, Raw, Row, Rows},
    setting_type::TomlType,
};
use crate::{domain::Invalid, files};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// How many syntax errors are reported: a file with more is most likely not TOML at all.
const MAX_SYNTAX_ERRORS: usize = 20;

/// What a file contains.
#[derive(Default)]
pub(super) struct Content {
    pub(super) layer: Layer,
    pub(super) rows: Rows,
}

/// What the file at `path` contains; `None` if it cannot be read.
pub(super) fn read(path: &Path, faults: &mut Faults) -> Option<Content> {
    let name = path.display().to_string();
    let bytes = match load(path) {
        Ok(bytes) => bytes,
        Err(message) => {
            faults.push(Origin::File { path: name }, message);
            return None;
        }
    };
    match str::from_utf8(&bytes) {
        Ok(text) => parse(&name, text, faults),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            faults.push(
                Origin::position(&name, &valid, valid.len()),
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
    let unreadable = |error| format!("cannot be read: {error}; give the path of a TOML file");
    let mut bytes = Vec::new();
    files::open(path)
        .map_err(unreadable)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!(
            "is larger than {MAX_BYTES} bytes, the limit for a configuration file"
        ));
    }
    Ok(bytes)
}

/// What `text`, the content of the file `path`, contains; `None` if it is not TOML.
fn parse(path: &str, text: &str, faults: &mut Faults) -> Option<Content> {
    if text.starts_with('\u{feff}') {
        let message = "starts with a byte order mark; save the file as UTF-8 without one";
        faults.push(Origin::position(path, text, 0), message);
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // The parts of an invalid document that can be read would only add misleading faults.
        for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
            let at = error.span().map_or(text.len(), |span| span.start);
            faults.push(
                Origin::position(path, text, at),
                format!("invalid TOML: {}", error.message().trim_end()),
            );
        }
        if let Some(more @ 1..) = errors.len().checked_sub(MAX_SYNTAX_ERRORS) {
            let path = path.to_owned();
            faults.push(Origin::File { path }, format!("has {more} more TOML errors"));
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
    fn origin(&self, span: Range<usize>) -> Origin {
        Origin::position(self.path, self.text, span.start)
    }

    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            let origin = self.origin(value.span());
            if let Some(setting) = find(SETTINGS, section, name.get_ref()) {
                let given = self.given(setting, value);
                self.content.layer.insert(setting.key(), given);
            } else if let Some(table) = TABLES.iter().find(|table| table.key == key) {
                self.rows(table, value);
            } else if !is_section(&key) {
                let is_table = matches!(value.get_ref(), DeValue::Table(_));
                self.unknown(&key, self.origin(name.span()), is_table);
            } else if let DeValue::Table(table) = value.get_ref() {
                self.table(&key, table);
            } else {
                let message = format!("{key} is a section; write [{key}] on a line above its settings");
                self.faults.push(origin, message);
            }
        }
    }

    /// The rows of a table.
    fn rows(&mut self, table: &'static Table, value: &Spanned<DeValue<'_>>) {
        let key = table.key;
        let wrong =
            || format!("{key} is an array of tables; write [[{key}]] on a line above the settings of each");
        let DeValue::Array(items) = value.get_ref() else {
            self.faults.push(self.origin(value.span()), wrong());
            return;
        };
        for item in items {
            let origin = self.origin(item.span());
            let DeValue::Table(row) = item.get_ref() else {
                self.faults.push(origin, wrong());
                continue;
            };
            let mut values = Layer::new();
            for (name, value) in row {
                match find(table.settings, key, name.get_ref()) {
                    Some(setting) => drop(values.insert(setting.key(), self.given(setting, value))),
                    None => {
                        let known = table.settings.iter().map(|setting| setting.path().1);
                        let hint = did_you_mean(name.get_ref(), known);
                        let shown = Invalid::quote(name.get_ref());
                        let message = format!("unknown setting {shown} in [[{key}]]{hint}");
                        self.faults.push(self.origin(name.span()), message);
                    }
                }
            }
            self.content
                .rows
                .entry(key)
                .or_default()
                .push(Row { origin, values });
        }
    }

    fn unknown(&mut self, key: &str, origin: Origin, is_table: bool) {
        let shown = Invalid::quote(key);
        let message = if is_table {
            let sections = sections().filter(|name| !name.is_empty());
            let hint = match key {
                "emulator" => "; move its settings to a file for --emulator-config".to_owned(),
                _ => did_you_mean(key, sections),
            };
            format!("unknown section {shown}{hint}")
        } else {
            let keys = SETTINGS.iter().map(|setting| setting.key());
            format!("unknown setting {shown}{}", did_you_mean(key, keys))
        };
        self.faults.push(origin, message);
    }

    fn given(&self, setting: &dyn AnySetting, value: &Spanned<DeValue<'_>>) -> Given {
        let origin = self.origin(value.span());
        let raw = match (setting.toml(), value.get_ref()) {
            (TomlType::Strings, DeValue::Array(items)) => {
                let item =
                    |item: &Spanned<_>| (self.origin(item.span()), text(TomlType::String, item.get_ref()));
                Raw::Many(items.iter().map(item).collect())
            }
            (form, value) => match text(form, value) {
                Some(text) => Raw::One(text),
                None => {
                    let (found, expected) = (value.type_str(), setting.expected());
                    Raw::Wrong(format!("is of type {found}, not {form}; expected {expected}"))
                }
            },
        };
        Given { origin, raw }
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

/// The section of every setting, and every table.
fn sections() -> impl Iterator<Item = &'static str> {
    let of_settings = SETTINGS.iter().map(|setting| setting.path().0);
    of_settings.chain(TABLES.iter().map(|table| table.key))
}

/// Whether this is a section, or contains one.
fn is_section(key: &str) -> bool {
    sections().any(|section| {
        section
            .strip_prefix(key)
            .is_some_and(|rest| !key.is_empty() && (rest.is_empty() || rest.starts_with('.')))
    })
}

/// `value` spelled as in a flag, if it is of this type.
fn text(form: TomlType, value: &DeValue<'_>) -> Option<String> {
    match (form, value) {
        (TomlType::String, DeValue::String(text)) => Some(text.to_string()),
        (TomlType::Boolean, DeValue::Boolean(value)) => Some(value.to_string()),
        (TomlType::Integer, DeValue::Integer(number)) => {
            let decimal = i128::from_str_radix(number.as_str(), number.radix());
            Some(decimal.map_or_else(|_| number.to_string(), |decimal| decimal.to_string()))
        }
        _ => None,
    }
}
