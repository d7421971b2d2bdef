//! Reads the files that settings name.

use std::{fs, io, path::Path};

/// Reads a file of UTF-8 text. To open a named pipe could block for ever.
///
/// # Errors
///
/// If it is not a regular file, or cannot be read.
pub(crate) fn read_to_string(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    fs::read_to_string(path)
}
