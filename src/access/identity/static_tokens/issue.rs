//! Creates static tokens, for `tapegate token new`.

use std::path::Path;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::SecretString;
use toml::Value;

use super::{
    ID_LENGTH, PREFIX,
    digest::TokenDigest,
    edit::{TokensFileError, edit},
};

/// A token to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// The principal's name. Several tokens can have the same name, so that a token can be replaced
    /// before it is revoked.
    pub name: String,
    /// The groups of the principal.
    pub groups: Vec<String>,
    /// When the token was created.
    pub created: Timestamp,
    /// When the token expires.
    pub expires: Timestamp,
}

impl NewToken {
    /// Creates a token, adds it to the file at `path`, and returns it.
    ///
    /// A new file can be read by its owner only. The file is replaced atomically. The returned value
    /// is the only copy of the token.
    ///
    /// # Errors
    ///
    /// [`TokensFileError`]; the file is then unchanged.
    pub fn add_to(&self, path: &Path) -> Result<SecretString, TokensFileError> {
        let mut id = [0; ID_LENGTH / 2];
        let mut secret = [0; 32];
        for random in [&mut id[..], &mut secret] {
            getrandom::fill(random).map_err(TokensFileError::Random)?;
        }
        let id = hex::encode(id);
        let token = format!("{PREFIX}{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
        let table = self.table(&id, &token);
        edit(path, |_, text| {
            let mut text = text.unwrap_or_default();
            if !text.is_empty() {
                text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
            }
            text.push_str(&table);
            Ok((text, token.into()))
        })
    }

    fn table(&self, id: &str, token: &str) -> String {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let groups = self.groups.iter().cloned().map(Value::String).collect();
        format!(
            "[[token]]\nid = {}\nname = {}\ngroups = {}\ncreated = {}\nexpires = {}\nsha256 = {}\n",
            text(id),
            text(&self.name),
            Value::Array(groups),
            text(&self.created.to_string()),
            text(&self.expires.to_string()),
            text(&TokenDigest::of(token).to_hex())
        )
    }
}
