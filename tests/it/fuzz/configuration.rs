//! The configuration file.

use std::{io::Write, path::Path};

use tapegate::app::cli::{self, Command, Stop};

/// The effective settings of a file, as a file.
fn effective(path: &Path) -> Result<String, Stop> {
    let arguments = [
        "tapegate".as_ref(),
        "serve".as_ref(),
        "--config".as_ref(),
        path.as_os_str(),
    ];
    match cli::parse(arguments, [] as [(&str, &str); 0])? {
        Command::Serve(checked) => Ok(checked.document),
        other => panic!("not serve: {other:?}"),
    }
}

fn file(contents: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(contents).unwrap();
    file
}

/// A file is valid, or has at least one fault. The effective settings of a valid one are valid, and have
/// themselves as effective settings.
pub fn run(bytes: &[u8]) {
    let settings = |document: &str| document.parse::<toml::Table>().unwrap();
    match effective(file(bytes).path()) {
        Ok(document) => {
            let again = effective(file(document.as_bytes()).path());
            let again = again.unwrap_or_else(|stop| panic!("{stop:?}: {document}"));
            assert_eq!(settings(&again), settings(&document));
        }
        Err(Stop::Faults(faults)) => assert!(!faults.to_string().is_empty()),
        Err(stop) => panic!("{stop:?}"),
    }
}
