use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::{Faults, Given, Layer, Place, fault::did_you_mean, tables};
use crate::{files, settings::Setting};

/// The maximum number of syntax errors that are reported.
const MAX_SYNTAX_ERRORS: usize = 20;

/// What a file has.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) layer: Layer,
    pub(super) tables: Vec<tables::Table>,
}

/// The contents of the file at `path`; `None` if they cannot be known.
pub(super) fn read(path: &str, settings: &[Setting], faults: &mut Faults) -> Option<Contents> {
    let text = match files::read_to_string(path.as_ref()) {
        Ok(text) => text,
        Err(error) => {
            faults.push(
                Place::File(path.to_owned()),
                format!("cannot be read: {error}; give the path of a TOML file"),
            );
            return None;
        }
    };
    let (document, errors) = DeTable::parse_recoverable(&text);
    for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
        let at = error.span().map_or(text.len(), |span| span.start);
        let message = format!("is not TOML: {}", error.message().trim_end());
        faults.push(Place::spot(path, &text, at), message);
    }
    if !errors.is_empty() {
        return None;
    }
    let mut contents = Contents::default();
    for (name, value) in document.get_ref() {
        let key = name.get_ref();
        if let Some(setting) = settings.iter().find(|setting| setting.key == &**key) {
            let place = Place::spot(path, &text, value.span().start);
            let value = plain(value, &text);
            contents.layer.insert(setting.key, Given { place, value });
        } else if let Some(name) = tables::NAMES.into_iter().find(|name| *name == &**key) {
            for (at, value) in items(value) {
                let place = Place::spot(path, &text, at);
                match value {
                    Some(value) => contents.tables.push(tables::Table {
                        name,
                        place,
                        value: json(value, &text),
                    }),
                    None => faults.push(
                        place,
                        format!("{name}: write each one as a table that begins with [[{name}]]"),
                    ),
                }
            }
        } else {
            let place = Place::spot(path, &text, name.span().start);
            faults.push(place, unknown(key, value, settings));
        }
    }
    Some(contents)
}

fn unknown(key: &str, value: &Spanned<DeValue<'_>>, settings: &[Setting]) -> String {
    if matches!(value.get_ref(), DeValue::Table(_)) {
        return format!(
            "there is no section {key:?}; write every setting of the emulator at the top of the file, without a \
             section"
        );
    }
    let known = settings.iter().map(|setting| setting.key).chain(tables::NAMES);
    let hint = did_you_mean(key, known);
    format!("there is no setting {key:?}{hint}")
}

/// The tables in an array of tables, each with its offset in the file; `None` for anything else.
fn items<'d, 't>(value: &'d Spanned<DeValue<'t>>) -> Vec<(usize, Option<&'d DeTable<'t>>)> {
    let table = |item: &'d Spanned<DeValue<'t>>| match item.get_ref() {
        DeValue::Table(table) => (item.span().start, Some(table)),
        _ => (item.span().start, None),
    };
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(table).collect(),
        _ => vec![(value.span().start, None)],
    }
}

/// A table as JSON.
fn json(table: &DeTable<'_>, text: &str) -> serde_json::Value {
    let members = table.iter().map(|(name, value)| {
        let value = match value.get_ref() {
            DeValue::Table(table) => json(table, text),
            _ => serde_json::to_value(plain(value, text)).unwrap_or_default(),
        };
        (name.get_ref().to_string(), value)
    });
    members.collect::<serde_json::Map<_, _>>().into()
}

/// A value of the document. One that TOML has no type for, such as a number past 64 bits, is the
/// text of it, which no number is read from.
fn plain(value: &Spanned<DeValue<'_>>, text: &str) -> Value {
    let spelled = &text[value.span()];
    let table = toml::from_str::<Table>(&format!("value = {spelled}"));
    let value = table.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(spelled.to_owned()))
}
