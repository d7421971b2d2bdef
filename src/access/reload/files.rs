use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The most files of a folder.
const MAX_FILES: usize = 10_000;

/// Which files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// These, all of which must be there.
    Each(Vec<PathBuf>),
    /// Those in this folder, and not below it, whose names end in `.` and this.
    Folder(PathBuf, &'static str),
}

/// What is in files, in their order. Has no `Debug`: it may be a key.
pub struct Contents(Vec<(PathBuf, Vec<u8>)>);

/// Tells one state of files from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Files {
    /// Reads all of them.
    ///
    /// # Errors
    ///
    /// What cannot be read, each with its path.
    pub fn read(&self) -> Result<Contents, Vec<String>> {
        let paths = match self {
            Self::Each(paths) => paths.clone(),
            Self::Folder(folder, extension) => list(folder, extension).map_err(|fault| vec![fault])?,
        };
        let (mut contents, mut faults) = (Vec::new(), Vec::new());
        for path in paths {
            match load(&path) {
                Ok(bytes) => contents.push((path, bytes)),
                Err(why) => faults.push(format!("{} {why}", path.display())),
            }
        }
        if faults.is_empty() {
            Ok(Contents(contents))
        } else {
            Err(faults)
        }
    }
}

fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| format!("{} cannot be read: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // An editor's half-written copy is hidden.
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    if paths.len() > MAX_FILES {
        let (folder, count) = (folder.display(), paths.len());
        return Err(format!(
            "{folder} has {count} files *.{extension}; at most {MAX_FILES} are read"
        ));
    }
    paths.sort();
    Ok(paths)
}

fn load(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err("is a directory, not a file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        true => Ok(bytes),
        false => Err(format!("is larger than {MAX_BYTES} bytes")),
    }
}

impl Contents {
    /// These bytes, as if they stood in files of these paths.
    pub fn new(files: Vec<(PathBuf, Vec<u8>)>) -> Self {
        Self(files)
    }

    /// Each file's path and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.0
            .iter()
            .map(|(path, bytes)| (path.as_path(), bytes.as_slice()))
    }

    /// The bytes of the file at this place in the order.
    pub fn get(&self, index: usize) -> Option<(&Path, &[u8])> {
        self.iter().nth(index)
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(
            self.iter()
                .flat_map(|(path, bytes)| [path.as_os_str().as_encoded_bytes(), bytes]),
        )
    }
}

impl Digest {
    pub(super) fn of_faults(faults: &[String]) -> Self {
        Self::of(faults.iter().map(String::as_bytes))
    }

    fn of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}
