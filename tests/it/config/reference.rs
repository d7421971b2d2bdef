//! docs/configuration.md is generated from the declarations of the settings.

use std::fmt::Write;

use tapegate::observability::telemetry::LogFormat;

use super::*;

/// `UPDATE_DOCS=1` writes docs/configuration.md.
#[test]
fn the_reference_of_settings_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let wanted = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/configuration.md does not match the settings in src/app/settings; update it with\n\
         UPDATE_DOCS=1 cargo test --test it the_reference_of_settings"
    );
}

#[test]
fn the_example_in_the_reference_is_valid() {
    let page = include_str!("reference.md");
    let example = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let config = Call::new("serve").file(example).config();
    assert_eq!(config.rules.regions.len(), 2);
    assert_eq!(config.log.format, LogFormat::Json);
}

fn reference() -> String {
    let mut page = include_str!("reference.md").to_owned();
    let mut section = None;
    for setting in SETTINGS {
        let (its_section, name) = setting.path();
        if section != Some(its_section) {
            section = Some(its_section);
            match its_section {
                "" => page.push_str("\n## Top of the file\n"),
                _ => write!(page, "\n## `[{its_section}]`\n").unwrap(),
            }
        }
        write!(page, "\n### `{name}`\n\n{}\n\n", setting.help()).unwrap();
        writeln!(page, "- Value: {}.", setting.expected()).unwrap();
        if let Some(default) = setting.default() {
            writeln!(page, "- Default: `{default}`.").unwrap();
        }
        match (setting.flag(), setting.variable()) {
            (Some(flag), Some(variable)) => {
                writeln!(page, "- Flag `--{flag}`, variable `{variable}`.").unwrap();
            }
            _ => page.push_str("- In the file only.\n"),
        }
    }
    for table in TABLES {
        write!(page, "\n## `[[{}]]`\n\n{}\n", table.key, table.help).unwrap();
        for setting in table.settings {
            let (_, name) = setting.path();
            write!(page, "\n### `{name}`\n\n{}\n\n", setting.help()).unwrap();
            writeln!(page, "- Value: {}.", setting.expected()).unwrap();
            if let Some(default) = setting.default() {
                writeln!(page, "- Default: `{default}`.").unwrap();
            }
        }
    }
    page
}
