//! The saved state: the rows of the store in a redb file or a JSON document.
//!
//! Calls are answered from the store in memory, which records the rows that change. `persister`, a
//! thread, writes them into the `file`: all changes since its last write in one transaction. No
//! response is sent before the changes that it shows are written. So a crash loses only changes that
//! no client has seen.
//!
//! `row` has the format of the rows, `load` builds a store from rows, `snapshot` is the document.

mod file;
mod load;
mod persister;
mod row;
pub(crate) mod snapshot;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    account::{
        clock::Clock,
        seed,
        store::{AccountRegion, Key, Region, Store},
        timestamp::{self, Timestamp},
    },
    json::Problem,
    settings::Settings,
};
pub use persister::NotPersisted;
pub(super) use persister::Persister;

/// The version of the format. A file or a document of another version is rejected.
const FORMAT: u32 = 1;

/// Why a state file cannot be used, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A process has it open, possibly this one.
    #[error("the file is in use by another emulator; stop that emulator, or choose another file")]
    InUse,
    /// It was not written by an emulator.
    #[error(
        "the file is not the state of an emulator ({0}); choose another file, or delete it to start with a new state"
    )]
    Foreign(String),
    /// It was written by another version.
    #[error(
        "the file has format {found}, but this version reads format {FORMAT}; use the version that wrote it, or \
         delete it to start with a new state"
    )]
    Format {
        /// The format of the file.
        found: u32,
    },
    /// It is the state of another account.
    #[error(
        "the file is the state of account {found}, but this emulator has account {ours}; choose another file"
    )]
    Account {
        /// The file's.
        found: String,
        /// The emulator's.
        ours: String,
    },
    /// It has impossible contents.
    #[error("the file is damaged ({0}); restore it from a copy, or delete it to start with a new state")]
    Damaged(String),
    /// The operating system reported an error.
    #[error("{0}; check that its folder exists, is writable and has free space")]
    Io(#[from] io::Error),
    /// redb reported another error.
    #[error("{0}")]
    Other(String),
}

/// The state file of an emulator, and what was found in it. Its `Display` is the line on stdout at
/// the start.
#[derive(Clone, Debug)]
pub struct StateFile {
    /// Where it is.
    pub path: PathBuf,
    /// The number of tapes found in it, or seeded if it is new.
    pub tapes: usize,
    /// Whether it is new.
    pub is_new: bool,
}

impl fmt::Display for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, tapes, is_new } = self;
        let path = path.display();
        if *is_new {
            write!(f, "state file {path}: new, with {tapes} seeded tapes")
        } else {
            write!(f, "state file {path}: {tapes} tapes restored, none seeded")
        }
    }
}

/// An opened state file with its contents.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) file: file::File,
    pub(super) info: StateFile,
}

/// Opens a file, or makes and seeds it if there is none.
pub(super) fn open(path: &Path, settings: &Settings) -> Result<Opened, StateError> {
    // An empty file is new too: mktemp makes one.
    let is_new = std::fs::metadata(path).map_or(true, |found| found.is_file() && found.len() == 0);
    let (file, mut store, clock) = if is_new {
        let store = seed::store(settings);
        let clock = Clock::new(settings.time_scale, Timestamp::from_millis(0));
        let rows = store.regions().into_iter();
        let rows = rows.flat_map(|(at, region)| writes(at, region, region.keys()));
        let file = file::File::create(path, &settings.account_id, clock.now(), rows)?;
        (file, store, clock)
    } else {
        let (file, store, saved) = file::File::open(path, settings)?;
        (file, store, Clock::new(settings.time_scale, saved))
    };
    store.start_journal();
    let tapes = store.regions().values().map(|region| region.all().len()).sum();
    let info = StateFile {
        path: path.to_owned(),
        tapes,
        is_new,
    };
    Ok(Opened {
        store,
        clock,
        file,
        info,
    })
}

/// A row to write, or to remove if it is `None`.
struct Write {
    kind: file::Kind,
    at: Arc<AccountRegion>,
    key: String,
    row: Option<Vec<u8>>,
}

/// The rows of a region as they are now.
fn writes(
    at: &AccountRegion,
    region: &Region,
    keys: impl IntoIterator<Item = Key>,
) -> impl Iterator<Item = Write> {
    let at = Arc::new(at.clone());
    keys.into_iter().map(move |key| {
        let row = row::json(region, &key);
        let (kind, key) = file::place(key);
        Write {
            kind,
            at: Arc::clone(&at),
            key,
            row,
        }
    })
}

/// The problem of a time that no clock of an emulator shows.
fn time_problem(millis: i64) -> Option<String> {
    let last = timestamp::LAST.millis();
    let is_shown = (0..=last).contains(&millis);
    (!is_shown).then(|| format!("{millis} is wrong; it takes milliseconds since 1970, up to {last}"))
}

/// The first problems, and the number of the others.
fn summary(wrong: &[Problem]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = wrong.iter().take(SHOWN).map(Problem::to_string).collect();
    let more = wrong.len().saturating_sub(SHOWN);
    let shown = shown.join("; ");
    if more == 0 {
        shown
    } else {
        format!("{shown}; and {more} more")
    }
}
