//! Reads and replaces the file of static tokens, for the commands `tapegate token …`.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use super::StaticTokens;
use crate::files;

/// Why the file of tokens was not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensFileError {
    /// The file cannot be read or written.
    #[error("the file of tokens {path} cannot be read or written: {cause}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// There is no file.
    #[error(
        "there is no file of tokens at {path}; correct --file, or create a token with `tapegate token new`"
    )]
    Missing {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file is invalid, or would be after the change.
    #[error("the file of tokens {path} {what}:{}", lines(faults))]
    Faults {
        /// The path of the file.
        path: PathBuf,
        /// Whether the file is or would be invalid.
        what: &'static str,
        /// The faults, each with its line.
        faults: Vec<(usize, String)>,
    },
    /// No token in the file is the one to revoke.
    #[error("no token in {path} has {wanted}; {known}")]
    NotFound {
        /// The path of the file.
        path: PathBuf,
        /// What was asked for: `the name "agent-7"`.
        wanted: String,
        /// What is in the file.
        known: String,
    },
    /// The tokens are not written as tables that can be removed line by line.
    #[error(
        "the file of tokens {path} has a token that is not a table [[token]] on lines of its own, so it was not changed; \
         remove the token with an editor"
    )]
    NotRemovable {
        /// The path of the file.
        path: PathBuf,
    },
    /// The system has no random bytes.
    #[error("the system provided no random bytes: {0}")]
    Random(getrandom::Error),
}

fn lines(faults: &[(usize, String)]) -> String {
    let lines = faults
        .iter()
        .map(|(line, what)| format!("\n  line {line}: {what}"));
    lines.collect()
}

/// Replaces the file at `path` atomically with what `change` makes of its text; `None` is the text
/// of a file that does not exist yet.
///
/// A new file can be read by its owner only. Concurrent commands wait for each other.
///
/// # Errors
///
/// [`TokensFileError`]; the file is then unchanged.
pub(super) fn edit<T>(
    path: &Path,
    change: impl FnOnce(&Path, Option<String>) -> Result<(String, T), TokensFileError>,
) -> Result<T, TokensFileError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |cause| TokensFileError::File {
        path: path.clone(),
        cause,
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Locked, so that concurrent commands do not overwrite each other's change.
    let lock = File::open(folder).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let (text, old) = match files::read_to_string(&path) {
        Ok(text) => (Some(text), Some(fs::metadata(&path).map_err(failed)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
        Err(error) => return Err(failed(error)),
    };
    let (text, result) = change(&path, text)?;
    StaticTokens::default()
        .add(&text)
        .map_err(|faults| TokensFileError::Faults {
            path: path.clone(),
            what: "would be invalid, so it was not changed",
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
    write().map_err(failed)?;
    Ok(result)
}
