use std::fs;

use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

use super::{Faults, Given, Layer, Place, fault::did_you_mean};
use crate::settings::Setting;

/// The maximum number of syntax errors that are reported.
const MAX_SYNTAX_ERRORS: usize = 20;

/// The values in the file at `path`; `None` if they cannot be known.
pub(super) fn read(path: &str, settings: &[Setting], faults: &mut Faults) -> Option<Layer> {
    let text = match fs::read_to_string(path) {
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
    let mut layer = Layer::new();
    for (name, value) in document.get_ref() {
        let key = name.get_ref();
        if let Some(setting) = settings.iter().find(|setting| setting.key == &**key) {
            let place = Place::spot(path, &text, value.span().start);
            let value = plain(value, &text);
            layer.insert(setting.key, Given { place, value });
        } else {
            let place = Place::spot(path, &text, name.span().start);
            faults.push(place, unknown(key, value, settings));
        }
    }
    Some(layer)
}

fn unknown(key: &str, value: &Spanned<DeValue<'_>>, settings: &[Setting]) -> String {
    if matches!(value.get_ref(), DeValue::Table(_)) {
        return format!(
            "there is no section {key:?}; write every setting of the emulator at the top of the file, without a \
             section"
        );
    }
    let hint = did_you_mean(key, settings.iter().map(|setting| setting.key));
    format!("there is no setting {key:?}{hint}")
}

/// A value of the document. One that TOML has no type for, such as a number past 64 bits, is the
/// text of it, which no number is read from.
fn plain(value: &Spanned<DeValue<'_>>, text: &str) -> Value {
    let spelled = &text[value.span()];
    let table = toml::from_str::<Table>(&format!("value = {spelled}"));
    let value = table.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(spelled.to_owned()))
}
