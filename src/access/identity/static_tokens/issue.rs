//! Creates static tokens, for `tapegate token new`.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::SecretString;
use toml::Value;

use super::{
    ID_LENGTH, PREFIX, StaticTokens,
    digest::{TokenDigest, hex},
};

/// A token to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// The principal's name. Several tokens can have the same name, so that a token can be replaced
    /// before it is revoked.
    pub name: String,
    /// The groups of the principal.
    pub groups: Vec<String>,
    /// When the token expires.
    pub expires: Timestamp,
}

/// Why no token was created.
#[derive(Debug, thiserror::Error)]
pub enum NewTokenError {
    /// The file cannot be read or written.
    #[error("the file of tokens {path} cannot be read or written: {cause}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// The file is invalid, or would be with the token in it.
    #[error("the file of tokens {path} would be invalid with the token, so it was not changed:{}", faults.iter().fold(String::new(), |all, (line, what)| format!("{all}\n  line {line}: {what}")))]
    Faults {
        /// The path of the file.
        path: PathBuf,
        /// The faults, each with its line.
        faults: Vec<(usize, String)>,
    },
    /// The system has no random bytes.
    #[error("the system provided no random bytes: {0}")]
    Random(getrandom::Error),
}

impl NewToken {
    /// Creates a token, adds it to the file at `path`, and returns it.
    ///
    /// A new file can be read by its owner only. The file is replaced atomically. The returned value
    /// is the only copy of the token.
    ///
    /// # Errors
    ///
    /// [`NewTokenError`]; the file is then unchanged.
    pub fn add_to(&self, path: &Path) -> Result<SecretString, NewTokenError> {
        let mut id = [0; ID_LENGTH / 2];
        let mut secret = [0; 32];
        for random in [&mut id[..], &mut secret] {
            getrandom::fill(random).map_err(NewTokenError::Random)?;
        }
        let id = hex(&id);
        let token = format!("{PREFIX}{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
        append(path, &self.table(&id, &token))?;
        Ok(token.into())
    }

    fn table(&self, id: &str, token: &str) -> String {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let groups = self.groups.iter().cloned().map(Value::String).collect();
        format!(
            "[[token]]\nid = {}\nname = {}\ngroups = {}\nexpires = {}\nsha256 = {}\n",
            text(id),
            text(&self.name),
            Value::Array(groups),
            text(&self.expires.to_string()),
            text(&TokenDigest::of(token).to_hex())
        )
    }
}

/// Adds a table to the file at `path`, or creates the file.
fn append(path: &Path, table: &str) -> Result<(), NewTokenError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |cause| NewTokenError::File {
        path: path.clone(),
        cause,
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Locked, so that concurrent commands do not overwrite each other's token.
    let lock = File::open(folder).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let (mut text, old) = match fs::read_to_string(&path) {
        Ok(text) => (text, Some(fs::metadata(&path).map_err(failed)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), None),
        Err(error) => return Err(failed(error)),
    };
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    text.push_str(table);
    StaticTokens::default()
        .add(&text)
        .map_err(|faults| NewTokenError::Faults {
            path: path.clone(),
            faults,
        })?;
    let mode = match &old {
        Some(old) => old.permissions(),
        None => Permissions::from_mode(0o600),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || {
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        if let Some(old) = &old {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(mode)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        lock.sync_all()
    };
    write().map_err(failed)
}
