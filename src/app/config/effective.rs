use std::fmt::{self, Write};

use toml::Value;

use super::{
    AnySetting, Layer, SETTINGS, TABLES,
    kind::Toml,
    values::{Given, Raw, Winning},
};

/// The settings in effect, as a configuration file that would give the same ones;
/// where each value comes from stands behind it. Secrets are left out.
pub(crate) struct Effective<'a> {
    /// The values that won.
    pub(crate) winning: &'a Winning,
}

impl fmt::Display for Effective<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for setting in SETTINGS {
            let (its_section, name) = setting.path();
            if its_section != section {
                section = its_section;
                writeln!(f, "\n[{section}]")?;
            }
            Line(*setting, name, &self.winning.layer).fmt(f)?;
        }
        for table in TABLES {
            for row in self.winning.rows.get(table.key).into_iter().flatten() {
                writeln!(f, "\n[[{}]]", table.key)?;
                for setting in table.settings {
                    Line(*setting, setting.path().1, &row.layer).fmt(f)?;
                }
            }
        }
        Ok(())
    }
}

/// A setting, by its name where it stands, and its value among others.
struct Line<'a>(&'a dyn AnySetting, &'a str, &'a Layer);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(setting, name, layer) = self;
        match layer.get(setting.key()) {
            None => writeln!(f, "# {name} is not set"),
            Some(given) if setting.is_secret() => {
                writeln!(f, "# {name} is set, and not shown: {}", Comment(given))
            }
            Some(given) => writeln!(
                f,
                "{name} = {}  # {}",
                Spelled(setting.toml(), &given.raw),
                Comment(given)
            ),
        }
    }
}

/// A value as the file spells it.
struct Spelled<'a>(Toml, &'a Raw);

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &String| Value::String(text.clone());
        match self {
            Self(Toml::Strings, Raw::One(text)) => Value::Array(vec![quoted(text)]).fmt(f),
            Self(_, Raw::Many(items)) => Value::Array(
                items
                    .iter()
                    .filter_map(|(_, text)| text.as_ref().map(quoted))
                    .collect(),
            )
            .fmt(f),
            Self(Toml::String, Raw::One(text)) => quoted(text).fmt(f),
            // Rust reads numbers that TOML does not, such as 007.
            Self(Toml::Integer, Raw::One(text)) => match text.parse::<i128>() {
                Ok(number) => number.fmt(f),
                Err(_) => f.write_str(text),
            },
            // A wrong value is a fault, and with a fault nothing comes to be shown.
            Self(Toml::Boolean, Raw::One(text)) | Self(_, Raw::Wrong(text)) => f.write_str(text),
        }
    }
}

/// Where a value comes from, fit for a comment: a path may hold anything.
struct Comment<'a>(&'a Given);

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.place.to_string();
        place
            .chars()
            .try_for_each(|c| f.write_char(if c.is_control() { '\u{fffd}' } else { c }))
    }
}
