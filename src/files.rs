//! Opens the files that settings, variables and arguments name.
//!
//! Each of them is a regular file, or a symbolic link to one: Kubernetes mounts Secrets as links. To
//! open a named pipe, a socket or a device can block for ever or have effects of its own, so their
//! kind is looked at first. This room uses no other.

use std::{
    fs::{self, File, FileType, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

/// The most symbolic links that are followed, as in Linux.
const MAX_LINKS: usize = 40;

/// Checks that nothing but a regular file is at a path. There may be nothing, or nothing that this
/// process can see.
///
/// # Errors
///
/// If something else is there.
pub fn check(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            let what = kind(about.file_type());
            Err(unusable(format!("it is {what}, not a regular file")))
        }
        _ => Ok(()),
    }
}

/// Opens a file to read it.
///
/// # Errors
///
/// If it is not a regular file or cannot be read. The kind of the error is `NotFound` only if there is
/// nothing at the path, not even a symbolic link.
pub fn open(path: &Path) -> io::Result<File> {
    check(path)?;
    File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound if path.is_symlink() => {
            unusable("it is a symbolic link to a file that does not exist".to_owned())
        }
        _ => error,
    })
}

/// Reads a file.
///
/// # Errors
///
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file of UTF-8 text.
///
/// # Errors
///
/// As [`open`], and if it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path)?)
}

/// Opens a file to append to it. If there is none, creates one that only its owner can read.
///
/// # Errors
///
/// If it is not a regular file or cannot be written.
pub fn append(path: &Path) -> io::Result<File> {
    check(path)?;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).open(path)
}

/// Checks that [`append`] can open a file, and neither creates nor changes one.
///
/// # Errors
///
/// Those of [`append`].
pub fn check_append(path: &Path) -> io::Result<()> {
    check(path)?;
    match OpenOptions::new().append(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = followed(path);
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            Ok(access(
                directory.unwrap_or(Path::new(".")),
                Access::WRITE_OK | Access::EXEC_OK,
            )?)
        }
        Err(error) => Err(error),
    }
}

/// Where symbolic links lead, also if there is nothing.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

fn kind(found: FileType) -> &'static str {
    match found {
        _ if found.is_dir() => "a directory",
        _ if found.is_fifo() => "a named pipe",
        _ if found.is_socket() => "a socket",
        _ => "a device",
    }
}

fn unusable(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::os::unix::{fs::symlink, net::UnixListener};

    use rustix::fs::{CWD, FileType as Node, Mode, mknodat};

    use super::*;

    #[test]
    fn what_is_not_a_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        mknodat(CWD, path("pipe"), Node::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        symlink("pipe", path("link")).unwrap();
        for (path, what) in [
            (path("pipe"), "a named pipe"),
            (path("link"), "a named pipe"),
            (path("socket"), "a socket"),
            (path(""), "a directory"),
            ("/dev/null".into(), "a device"),
        ] {
            let told = format!("it is {what}, not a regular file");
            let opened = [
                open(&path).map(drop),
                append(&path).map(drop),
                check_append(&path),
            ];
            for result in opened {
                assert_eq!(result.unwrap_err().to_string(), told);
            }
        }
    }

    #[test]
    fn a_link_is_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink("file", path("link")).unwrap();
        assert_eq!(read_to_string(&path("link")).unwrap(), "text");
        assert_eq!(open(&path("nothing")).unwrap_err().kind(), ErrorKind::NotFound);
        symlink("nothing", path("dangling")).unwrap();
        let error = open(&path("dangling")).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (
                ErrorKind::InvalidInput,
                "it is a symbolic link to a file that does not exist"
            )
        );
    }

    #[test]
    fn a_check_finds_out_whether_a_file_could_be_appended_to_and_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("new", path("link")).unwrap();
        symlink("missing/new", path("lost")).unwrap();
        for (name, is_possible) in [
            ("new", true),
            ("link", true),
            ("missing/new", false),
            ("lost", false),
        ] {
            assert_eq!(check_append(&path(name)).is_ok(), is_possible, "{name}");
            assert!(!path(name).exists(), "{name}");
        }
        for name in ["missing/new", "lost"] {
            append(&path(name)).unwrap_err();
        }
        append(&path("link")).unwrap();
        check_append(&path("new")).unwrap();
    }
}
