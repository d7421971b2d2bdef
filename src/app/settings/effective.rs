use std::fmt::{self, Write};

use toml::Value;

use super::{
    AnySetting, SETTINGS, TABLES,
    given::{Given, Layer, Raw},
    setting_type::TomlType,
    values::Resolved,
};

/// The settings in effect, as a configuration file that gives the same settings. A comment
/// behind each value says where it comes from. Secrets are left out.
pub(crate) struct Effective<'a>(pub(crate) &'a Resolved);

impl fmt::Display for Effective<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for setting in SETTINGS {
            let (its_section, name) = setting.path();
            if its_section != section {
                section = its_section;
                writeln!(f, "\n[{section}]")?;
            }
            Line(*setting, name, &self.0.values).fmt(f)?;
        }
        for table in TABLES {
            for row in self.0.rows.get(table.key).into_iter().flatten() {
                writeln!(f, "\n[[{}]]", table.key)?;
                for setting in table.settings {
                    Line(*setting, setting.path().1, &row.values).fmt(f)?;
                }
            }
        }
        Ok(())
    }
}

/// The line of a setting: its name within its section, and the values to take its own from.
struct Line<'a>(&'a dyn AnySetting, &'a str, &'a Layer);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(setting, name, values) = self;
        match values.get(setting.key()) {
            None => writeln!(f, "# {name} is not set"),
            Some(given) => writeln!(
                f,
                "{name} = {}  # {}",
                TomlValue(setting.toml(), &given.raw),
                Comment(given)
            ),
        }
    }
}

/// A value in TOML.
struct TomlValue<'a>(TomlType, &'a Raw);

impl fmt::Display for TomlValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &String| Value::String(text.clone());
        match self {
            Self(TomlType::Strings, Raw::One(text)) => Value::Array(vec![quoted(text)]).fmt(f),
            Self(_, Raw::Many(items)) => Value::Array(
                items
                    .iter()
                    .filter_map(|(_, text)| text.as_ref().map(quoted))
                    .collect(),
            )
            .fmt(f),
            Self(TomlType::String, Raw::One(text)) => quoted(text).fmt(f),
            // Rust parses numbers that TOML does not allow, such as 007.
            Self(TomlType::Integer, Raw::One(text)) => match text.parse::<i128>() {
                Ok(number) => number.fmt(f),
                Err(_) => f.write_str(text),
            },
            // An invalid value is a fault, and with a fault no document is shown.
            Self(TomlType::Boolean, Raw::One(text)) | Self(_, Raw::Wrong(text)) => f.write_str(text),
        }
    }
}

/// Where a value comes from, without the control characters that a path may contain.
struct Comment<'a>(&'a Given);

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.0.origin.to_string();
        origin
            .chars()
            .try_for_each(|c| f.write_char(if c.is_control() { '\u{fffd}' } else { c }))
    }
}
