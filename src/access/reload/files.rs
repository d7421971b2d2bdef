use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::files;

/// The largest accepted file, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The maximum number of files in a folder.
const MAX_FILES: usize = 10_000;

/// The files that a setting names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// These files, all of which must exist.
    Each(Vec<PathBuf>),
    /// The files with this extension directly in this folder.
    Folder(PathBuf, &'static str),
}

/// The contents of files, in order. Has no `Debug`, because they may be a key.
pub struct FileContents(Vec<(PathBuf, Vec<u8>)>);

/// Identifies a version of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentDigest([u8; 32]);

impl Files {
    /// Reads all files.
    ///
    /// # Errors
    ///
    /// All files that cannot be read, with the reason.
    pub fn read(&self) -> Result<FileContents, Vec<String>> {
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
            Ok(FileContents(contents))
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
        // Editors write to hidden files first.
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
            "{folder} has {count} files *.{extension}; at most {MAX_FILES} are allowed"
        ));
    }
    paths.sort();
    Ok(paths)
}

fn load(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    files::open(path)
        .map_err(unreadable)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        true => Ok(bytes),
        false => Err(format!("is larger than the maximum of {MAX_BYTES} bytes")),
    }
}

impl FileContents {
    /// Creates contents that were not read from files.
    pub fn new(files: Vec<(PathBuf, Vec<u8>)>) -> Self {
        Self(files)
    }

    /// Returns the path and the bytes of each file.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.0
            .iter()
            .map(|(path, bytes)| (path.as_path(), bytes.as_slice()))
    }

    /// Returns the path and the bytes of the file at an index.
    pub fn get(&self, index: usize) -> Option<(&Path, &[u8])> {
        self.iter().nth(index)
    }

    /// Identifies this version of the files.
    pub fn digest(&self) -> ContentDigest {
        ContentDigest::of(
            self.iter()
                .flat_map(|(path, bytes)| [path.as_os_str().as_encoded_bytes(), bytes]),
        )
    }
}

impl ContentDigest {
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
