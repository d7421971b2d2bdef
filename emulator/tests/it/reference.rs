//! docs/emulator.md and the settings say the same.

use std::{fmt::Write, fs, path::Path};

use tapegate_emulator::{Flags, Setting, TokenScope};

use super::config::Call;

const BEGIN: &str = "<!-- The rest follows from emulator/src/settings: UPDATE_DOCS=1 cargo test -p tapegate-emulator reference -->\n";
const END: &str = "<!-- end of the reference -->";

/// The reference in docs/emulator.md follows from the settings; `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_reference_of_settings_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/emulator.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the reference begins");
    let (found, after) = rest.split_once(END).expect("the reference ends");
    let wanted = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert!(
        found == wanted,
        "docs/emulator.md does not match the settings in emulator/src/settings; write it anew with\n\
         UPDATE_DOCS=1 cargo test -p tapegate-emulator reference"
    );
}

#[test]
fn the_examples_of_files_are_valid() {
    let page = include_str!("../../../docs/emulator.md");
    let blocks = page.split("```toml\n").skip(1);
    let settings = |block: &str| {
        let (example, _) = block.split_once("```").unwrap();
        Call::default().file(example).config().settings
    };
    let [tables, keys] = &blocks.map(settings).collect::<Vec<_>>()[..] else {
        panic!("two examples");
    };
    assert_eq!((tables.accounts.len(), tables.roles.len()), (2, 1));
    assert_eq!(keys.seed_tapes, 1_000);
    assert_eq!(keys.undocumented.token_scope, TokenScope::Gateway);
}

fn reference() -> String {
    let flags = Flags::ALONE.arguments();
    let mut page = String::new();
    let mut group = "";
    for setting in Setting::all() {
        if setting.group != group {
            group = setting.group;
            write!(
                page,
                "\n### {group}\n\n| key | takes | default | what it sets |\n|---|---|---|---|\n"
            )
            .unwrap();
        }
        let flag = setting.key.replace('_', "-");
        let has_flag = flags.iter().any(|known| known.get_long() == Some(&flag));
        let key = match has_flag {
            true => format!("`{}`, `--{flag}`", setting.key),
            false => format!("`{}`", setting.key),
        };
        let default = setting.default.map(|value| format!("`{value}`"));
        let (takes, default, help) = (setting.takes, default.unwrap_or_default(), setting.help);
        writeln!(page, "| {key} | {takes} | {default} | {help} |").unwrap();
    }
    page.push('\n');
    page
}
