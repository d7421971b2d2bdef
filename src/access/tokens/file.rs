//! The file of static tokens, as `tapegate token new` writes it and people may edit it.

use std::{collections::hash_map, path::Path};

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::{Entry, ID_LENGTH, Tokens};
use crate::{
    access::reload::{Contents, Files, Reloading},
    domain::{Principal, Proof},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    #[serde(default)]
    groups: Vec<String>,
    expires: Timestamp,
    sha256: String,
}

impl Tokens {
    /// The tokens of the file at `path`, which are reloaded when it changes.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn open(path: &Path) -> Result<Reloading<Self>, Vec<String>> {
        Reloading::open("auth.tokens.file", Files::Each(vec![path.to_owned()]), Self::read)
    }

    /// The tokens of a file's text.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn read(contents: &Contents) -> Result<Self, Vec<String>> {
        let mut tokens = Self::default();
        let mut faults = Vec::new();
        for (path, bytes) in contents.iter() {
            let path = path.display();
            let Ok(text) = str::from_utf8(bytes) else {
                faults.push(format!("{path} is not UTF-8"));
                continue;
            };
            if let Err(wrong) = tokens.add(text) {
                faults.extend(
                    wrong
                        .into_iter()
                        .map(|(line, what)| format!("{path}:{line}: {what}")),
                );
            }
        }
        if faults.is_empty() {
            Ok(tokens)
        } else {
            Err(faults)
        }
    }

    /// Adds the tokens of this text; what is wrong comes with its line.
    pub(super) fn add(&mut self, text: &str) -> Result<(), Vec<(usize, String)>> {
        let line = |offset: usize| text[..text.floor_char_boundary(offset)].matches('\n').count() + 1;
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![(line(at), error.message().trim_end().to_owned())]
        })?;
        let mut faults = Vec::new();
        for row in file.token {
            let line = line(row.span().start);
            match row.into_inner().read() {
                Ok((id, entry)) => match self.0.entry(id) {
                    hash_map::Entry::Vacant(place) => drop(place.insert(entry)),
                    hash_map::Entry::Occupied(place) => {
                        faults.push((line, format!("the id {} stands here twice", place.key())));
                    }
                },
                Err(wrong) => faults.extend(wrong.into_iter().map(|what| (line, what.to_owned()))),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Row {
    fn read(self) -> Result<(String, Entry), Vec<&'static str>> {
        let Self {
            id,
            name,
            groups,
            expires,
            sha256,
        } = self;
        let mut faults = Vec::new();
        if id.len() != ID_LENGTH
            || !id
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            faults.push("id is not 16 hexadecimal digits in small letters");
        }
        let hash = from_hex(&sha256);
        if hash.is_none() {
            faults.push("sha256 is not 64 hexadecimal digits");
        }
        let principal = Principal::new(name, groups, Proof::Token { id: id.clone() });
        if principal.is_none() {
            faults.push(
                "name and groups: each has 1 to 2048 bytes and no control characters, and there are at most \
                 1000 groups",
            );
        }
        match (principal, hash) {
            (Some(principal), Some(sha256)) if faults.is_empty() => Ok((
                id,
                Entry {
                    principal,
                    expires,
                    sha256,
                },
            )),
            _ => Err(faults),
        }
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}
