//! What goes wrong from the start.

use std::{fs, path::PathBuf};

use super::parsers::Seed;
use crate::{
    app::settings::{
        Setting,
        parsers::{FILE, Parsed},
        values::Values,
    },
    emulator::FaultRule,
};

pub(crate) static FAULTS: Setting<Parsed<PathBuf>> = Setting {
    key: "emulator.faults",
    kind: FILE,
    default: None,
    help: "A JSON file with the fault rules that the emulator starts with; docs/emulator.md says what is \
           in a rule.",
};

pub(crate) static FAULT_SEED: Setting<Seed> = Setting {
    key: "emulator.fault_seed",
    kind: Seed,
    default: Some("0"),
    help: "What chance begins with, for fault rules without a seed of their own. The same seed and the \
           same calls make the same faults.",
};

/// The rules of the file, if one is given.
pub(super) fn read(values: &mut Values) -> Option<Vec<FaultRule>> {
    let Some(path) = values.optional(&FAULTS)? else {
        return Some(Vec::new());
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            values.fault(&FAULTS, message);
            return None;
        }
    };
    let rules = FaultRule::read_all(&text);
    rules
        .map_err(|wrong| {
            for wrong in wrong {
                values.fault(&FAULTS, format!("{}: {wrong}", path.display()));
            }
        })
        .ok()
}
