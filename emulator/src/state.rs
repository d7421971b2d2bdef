//! The state that outlives the process: every row of the store, in a file of redb or in a
//! JSON document.
//!
//! The store in memory is what answers. It notes which rows change; `keeper`, a thread of its
//! own, writes those into the `file`, all that gathered while it last wrote in one
//! transaction; and no answer goes out before what it shows is written. So what nobody was
//! told may be lost by a crash, and what anybody was told is not.
//!
//! `row` is what is kept, `load` makes a store of it, `snapshot` is the document.

mod file;
mod keeper;
mod load;
mod row;
mod snapshot;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Settings,
    clock::Clock,
    control::Wrong,
    seed,
    store::{Key, Region, Store},
    timestamp::{self, Timestamp},
};
pub(super) use keeper::Keeper;
pub use keeper::NotKept;

/// The version of the rows. A file or a document of another one is refused.
const FORMAT: u32 = 1;

/// Why a state file cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A process has it open, this one perhaps.
    #[error("it is in use by another emulator; stop that one, or name another file")]
    InUse,
    /// It was not written by an emulator.
    #[error("it is no emulator's state ({0}); name another file, or delete it to begin anew")]
    Foreign(String),
    /// It was written by another version.
    #[error(
        "its format is {found}, and this version reads {FORMAT}; use the version that wrote it, or delete \
         it to begin anew"
    )]
    Format {
        /// The format of the file.
        found: u32,
    },
    /// It is the state of another account.
    #[error("it is the state of account {found}, and this emulator has {ours}; name another file")]
    Account {
        /// The file's.
        found: String,
        /// The emulator's.
        ours: String,
    },
    /// What is in it cannot be.
    #[error("it is damaged ({0}); restore it from a copy, or delete it to begin anew")]
    Damaged(String),
    /// The system refused.
    #[error("{0}; check that its folder is there, can be written to and has room")]
    Io(#[from] io::Error),
    /// redb refused for another reason.
    #[error("{0}")]
    Other(String),
}

/// Which file keeps an emulator's state, and what was found in it. Its `Display` is for the
/// line that says so at the start.
#[derive(Clone, Debug)]
pub struct StateFile {
    /// Where it is.
    pub path: PathBuf,
    /// The tapes found in it, or seeded if it is new.
    pub tapes: usize,
    /// Whether it was made now.
    pub is_new: bool,
}

impl fmt::Display for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, tapes, is_new } = self;
        let path = path.display();
        if *is_new {
            write!(f, "state is kept in {path}: made now, with {tapes} seeded tapes")
        } else {
            write!(
                f,
                "state is kept in {path}: its {tapes} tapes are there again, none is seeded"
            )
        }
    }
}

/// What an emulator with a state file begins with.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) file: file::File,
    pub(super) info: StateFile,
}

/// Opens a file, or makes and seeds it if there is none.
pub(super) fn open(path: &Path, settings: &Settings) -> Result<Opened, StateError> {
    // A file that is empty was made by mktemp or the like.
    let is_new = std::fs::metadata(path).map_or(true, |found| found.is_file() && found.len() == 0);
    let (file, mut store, clock) = if is_new {
        let store = seed::store(settings);
        let clock = Clock::new(settings.time_scale, Timestamp::from_millis(0));
        let rows = store.regions().into_iter();
        let rows = rows.flat_map(|(name, region)| writes(name, region, region.keys()));
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

/// One row to be written, or to be removed where there is none.
struct Write {
    kind: file::Kind,
    region: Arc<str>,
    key: String,
    row: Option<Vec<u8>>,
}

/// The rows of a region as they are now.
fn writes(name: &str, region: &Region, keys: impl IntoIterator<Item = Key>) -> impl Iterator<Item = Write> {
    let name: Arc<str> = name.into();
    keys.into_iter().map(move |key| {
        let row = row::json(region, &key);
        let (kind, key) = file::place(key);
        let region = Arc::clone(&name);
        Write {
            kind,
            region,
            key,
            row,
        }
    })
}

/// What is wrong with milliseconds that no clock of an emulator shows.
fn not_a_time(millis: i64) -> Option<String> {
    let last = timestamp::LAST.millis();
    let is_shown = (0..=last).contains(&millis);
    (!is_shown).then(|| format!("{millis} is wrong; it takes milliseconds since 1970, up to {last}"))
}

/// The first of what is wrong, and how much more there is.
fn summary(wrong: &[Wrong]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = wrong.iter().take(SHOWN).map(Wrong::to_string).collect();
    let more = wrong.len().saturating_sub(SHOWN);
    let shown = shown.join("; ");
    if more == 0 {
        shown
    } else {
        format!("{shown}; and {more} more")
    }
}
