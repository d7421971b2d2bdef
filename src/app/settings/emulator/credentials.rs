//! Whose signatures it takes.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    credentials_file,
    parsers::{self, Secret},
};
use crate::{
    app::settings::{
        Setting,
        parsers::{FILE, Parsed},
        values::Values,
    },
    emulator::Credentials,
};

pub(crate) static ACCESS_KEY_ID: Setting<Parsed<String>> = Setting {
    key: "emulator.access_key_id",
    kind: parsers::ACCESS_KEY_ID,
    default: None,
    help: "An access key that callers of the emulator may sign with. With neither this nor \
           `emulator.credentials`, signatures are judged by form, scope and date alone. `tapegate dev` has a \
           key of its own.",
};

pub(crate) static SECRET_ACCESS_KEY: Setting<Secret> = Setting {
    key: "emulator.secret_access_key",
    kind: parsers::SECRET_KEY,
    default: None,
    help: "The secret of that access key. Prefer the variable or the file: others on the machine can \
           read flags.",
};

pub(crate) static CREDENTIALS: Setting<Parsed<PathBuf>> = Setting {
    key: "emulator.credentials",
    kind: FILE,
    default: None,
    help: "A file of access keys that callers of the emulator may sign with, in the format of AWS's shared \
           credentials file: every profile in it, with its aws_access_key_id, aws_secret_access_key and, \
           where it has one, aws_session_token.",
};

/// The pair of the two settings, if one is given.
pub(in crate::app) fn pair(values: &mut Values) -> Option<Option<Credentials>> {
    let access_key_id = values.optional(&ACCESS_KEY_ID)?;
    let secret_access_key = values.optional(&SECRET_ACCESS_KEY)?;
    match (access_key_id, secret_access_key) {
        (Some(access_key_id), Some(secret_access_key)) => Some(Some(Credentials {
            access_key_id,
            secret_access_key,
            session_token: None,
        })),
        (None, None) => Some(None),
        (Some(_), None) => {
            values.fault(
                &SECRET_ACCESS_KEY,
                "is not set, but emulator.access_key_id is; give both or neither",
            );
            None
        }
        (None, Some(_)) => {
            values.fault(
                &ACCESS_KEY_ID,
                "is not set, but emulator.secret_access_key is; give both or neither",
            );
            None
        }
    }
}

/// All that may sign: the pair, and whoever is in the file.
pub(super) fn read(values: &mut Values, pair: Option<&Credentials>) -> Option<Vec<Credentials>> {
    let mut all: Vec<Credentials> = pair.cloned().into_iter().collect();
    let Some(path) = values.optional(&CREDENTIALS)? else {
        return Some(all);
    };
    let mut owners: HashMap<String, String> = all
        .iter()
        .map(|pair| (pair.access_key_id.clone(), "the emulator's own pair".to_owned()))
        .collect();
    let mut wrong = Vec::new();
    match profiles(&path) {
        Ok(profiles) => {
            for (name, credentials) in profiles {
                let id = credentials.access_key_id.clone();
                let owner = format!("profile {name}");
                if let Some(first) = owners.insert(id, owner.clone()) {
                    wrong.push(format!("{owner} has the same access key id as {first}"));
                }
                all.push(credentials);
            }
        }
        Err(more) => wrong = more,
    }
    for wrong in &wrong {
        values.fault(&CREDENTIALS, format!("{}: {wrong}", path.display()));
    }
    wrong.is_empty().then_some(all)
}

fn profiles(path: &Path) -> Result<Vec<(String, Credentials)>, Vec<String>> {
    let text = fs::read_to_string(path).map_err(|error| vec![format!("cannot be read: {error}")])?;
    credentials_file::read(&text)
}
