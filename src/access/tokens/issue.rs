//! Making a token, as `tapegate token new` does.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::SecretString;
use toml::Value;

use super::{ID_LENGTH, PREFIX, Tokens, hash};

/// A token to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// The principal's name. Several tokens may have the same: that is how one is replaced by
    /// the next.
    pub name: String,
    /// The groups that the principal is in.
    pub groups: Vec<String>,
    /// When it lapses.
    pub expires: Timestamp,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file would be wrong with the token in it, or is wrong already.
    #[error("{path} is wrong, and was left as it is:{}", faults.iter().fold(String::new(), |all, (line, what)| format!("{all}\n  line {line}: {what}")))]
    Faults {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        faults: Vec<(usize, String)>,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

impl NewToken {
    /// Makes a token and adds it to the file at `path`, which is made if it is not there, for
    /// its owner alone to read. Whoever reads the file meanwhile sees it with the token or
    /// without. The token itself is nowhere but in what is returned.
    ///
    /// # Errors
    ///
    /// [`NotWritten`]; then the file is as it was.
    pub fn add_to(&self, path: &Path) -> Result<SecretString, NotWritten> {
        let mut id = [0; ID_LENGTH / 2];
        let mut secret = [0; 32];
        for random in [&mut id[..], &mut secret] {
            getrandom::fill(random).map_err(NotWritten::Random)?;
        }
        let id = hex(&id);
        let token = format!("{PREFIX}{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
        let row = self.row(&id, &token);
        self.append(path, &row)?;
        Ok(token.into())
    }

    fn row(&self, id: &str, token: &str) -> String {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let groups = self.groups.iter().cloned().map(Value::String).collect();
        format!(
            "[[token]]\nid = {}\nname = {}\ngroups = {}\nexpires = {}\nsha256 = {}\n",
            text(id),
            text(&self.name),
            Value::Array(groups),
            text(&self.expires.to_string()),
            text(&hex(&hash(token)))
        )
    }

    fn append(&self, path: &Path, row: &str) -> Result<(), NotWritten> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let failed = |cause| NotWritten::File {
            path: path.clone(),
            cause,
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // One at a time: the second would write over what the first has added.
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
        text.push_str(row);
        Tokens::default()
            .add(&text)
            .map_err(|faults| NotWritten::Faults {
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
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
