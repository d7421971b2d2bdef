use std::{
    borrow::Cow,
    fs::{self, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{FORMAT, StateError, Write, load::StoreLoader, summary};
use crate::{
    account::{
        store::{AccountRegion, Key, Store},
        timestamp::Timestamp,
    },
    settings::Settings,
};

type Rows = TableDefinition<'static, (&'static str, &'static str), &'static [u8]>;

const HEADER: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("about");
const STATE: &str = "state";

/// The cache of redb, in bytes. The state is read once at the start; later few rows are read again.
const CACHE: usize = 64 << 20;

/// The kinds of rows, each with its table, in the order in which they are read.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counters,
    Gateways,
    Pools,
    Tags,
    Tapes,
    Tokens,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Counters,
        Self::Gateways,
        Self::Pools,
        Self::Tags,
        Self::Tapes,
        Self::Tokens,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Counters => "counters",
            Self::Gateways => "gateways",
            Self::Pools => "pools",
            Self::Tags => "tags",
            Self::Tapes => "tapes",
            Self::Tokens => "tokens",
        }
    }

    fn table(self) -> Rows {
        TableDefinition::new(self.name())
    }
}

/// What a row of another account than that of the header has between account and region.
const SEPARATOR: char = '/';

/// The table of a row, and its key beside the region.
pub(super) fn place(key: Key) -> (Kind, String) {
    match key {
        Key::Counters => (Kind::Counters, String::new()),
        Key::Gateway(arn) => (Kind::Gateways, arn.to_string()),
        Key::Pool(id) => (Kind::Pools, id),
        Key::Tags(arn) => (Kind::Tags, arn),
        Key::Tape(barcode) => (Kind::Tapes, barcode.to_string()),
        Key::Creation(token) => (Kind::Tokens, token),
    }
}

/// The header of a file.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    account_id: String,
    /// The latest time that the emulator has shown, in milliseconds since 1970.
    clock: i64,
}

/// The state file of an emulator.
pub(crate) struct File {
    path: PathBuf,
    account_id: String,
    /// `None` after a failure, after which redb must be opened again.
    database: Option<Database>,
}

impl File {
    /// Makes a file with all rows. It is renamed to its name when it is complete, so that a crash
    /// leaves no partial state file.
    pub(super) fn create(
        path: &Path,
        account_id: &str,
        clock: Timestamp,
        rows: impl Iterator<Item = Write>,
    ) -> Result<Self, StateError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        let database = emptied(&unfinished)?;
        // Checked while the unfinished file, which is the lock, is held.
        if fs::metadata(path).is_ok_and(|found| found.len() > 0) {
            return Err(StateError::InUse);
        }
        let file = Self {
            path: path.to_owned(),
            account_id: account_id.to_owned(),
            database: None,
        };
        let written = file.commit(&database, clock, false, rows);
        if let Err(error) = written.and_then(|()| Ok(fs::rename(&unfinished, path)?)) {
            drop(database);
            // It is of no use, and may have filled the disk.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(Self {
            database: Some(database),
            ..file
        })
    }

    /// Opens a file, and reads its rows and its time.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<(Self, Store, Timestamp), StateError> {
        // A file that somebody else has changed would otherwise give other rows, or a panic of redb.
        let checked = builder().set_check_integrity_on_open(true).open(path);
        let database = checked.map_err(error)?;
        let file = Self {
            path: path.to_owned(),
            account_id: settings.account_id.clone(),
            database: None,
        };
        let header = file.header(&database)?;
        let store = rows(&database, settings)?;
        let file = Self {
            database: Some(database),
            ..file
        };
        Ok((file, store, Timestamp::from_millis(header.clock)))
    }

    /// Writes rows in one transaction: all of them or, on failure, none. With `is_all` they replace
    /// every row.
    pub(super) fn write(
        &mut self,
        clock: Timestamp,
        is_all: bool,
        rows: impl Iterator<Item = Write>,
    ) -> Result<(), StateError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let database = builder().open(&self.path).map_err(error)?;
                self.header(&database)?;
                database
            }
        };
        self.commit(&database, clock, is_all, rows)?;
        self.database = Some(database);
        Ok(())
    }

    /// Closes the file, so that it can be opened again.
    pub(super) fn close(self) -> Result<(), StateError> {
        self.database
            .map_or(Ok(()), |database| database.close().map_err(error))
    }

    fn commit(
        &self,
        database: &Database,
        clock: Timestamp,
        is_all: bool,
        rows: impl Iterator<Item = Write>,
    ) -> Result<(), StateError> {
        let transaction = database.begin_write().map_err(error)?;
        if is_all {
            for kind in Kind::ALL {
                transaction.delete_table(kind.table()).map_err(error)?;
            }
        }
        {
            let header = Header {
                format: FORMAT,
                account_id: self.account_id.clone(),
                clock: clock.millis(),
            };
            let header = serde_json::to_vec(&header).expect("it is strings and whole numbers");
            let mut table = transaction.open_table(HEADER).map_err(error)?;
            table.insert(STATE, header.as_slice()).map_err(error)?;
            let mut tables = Vec::with_capacity(Kind::ALL.len());
            for kind in Kind::ALL {
                tables.push(transaction.open_table(kind.table()).map_err(error)?);
            }
            for Write { kind, at, key, row } in rows {
                let region = self.region_column(&at);
                let (table, key) = (&mut tables[kind as usize], (&*region, key.as_str()));
                match row {
                    Some(row) => drop(table.insert(key, row.as_slice()).map_err(error)?),
                    None => drop(table.remove(key).map_err(error)?),
                }
            }
        }
        // Durable when this returns: the default of redb.
        transaction.commit().map_err(error)
    }

    /// The region in the key of a row: its name, after the account if that is not the account of the
    /// header.
    fn region_column<'a>(&self, AccountRegion { account, region }: &'a AccountRegion) -> Cow<'a, str> {
        if *account == self.account_id {
            region.into()
        } else {
            format!("{account}{SEPARATOR}{region}").into()
        }
    }

    /// The header of the file, if this emulator can use it.
    fn header(&self, database: &Database) -> Result<Header, StateError> {
        let transaction = database.begin_read().map_err(error)?;
        let named = transaction
            .list_tables()
            .map_err(error)?
            .any(|table| table.name() == HEADER.name());
        let foreign = || StateError::Foreign("redb wrote it for something else".to_owned());
        if !named {
            return Err(foreign());
        }
        let table = transaction.open_table(HEADER).map_err(error)?;
        let header = table.get(STATE).map_err(error)?.ok_or_else(foreign)?;
        // The format first: another format may have other members.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = read(header.value(), STATE)?;
        if format != FORMAT {
            return Err(StateError::Format { found: format });
        }
        let header: Header = read(header.value(), STATE)?;
        if header.account_id != self.account_id {
            return Err(StateError::Account {
                found: header.account_id,
                ours: self.account_id.clone(),
            });
        }
        Ok(header)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// An empty database. The rest of an interrupted earlier start is dropped.
fn emptied(path: &Path) -> Result<Database, StateError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    // redb holds this lock while it has the file open.
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StateError::InUse),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    file.unlock()?;
    builder().create(path).map_err(error)
}

/// Every row of the file.
fn rows(database: &Database, settings: &Settings) -> Result<Store, StateError> {
    let transaction = database.begin_read().map_err(error)?;
    let mut load = StoreLoader::new(&settings.account_id, &settings.life);
    for kind in Kind::ALL {
        let table = transaction.open_table(kind.table()).map_err(error)?;
        for entry in table.iter().map_err(error)? {
            let (place, row) = entry.map_err(error)?;
            let ((region, key), row) = (place.value(), row.value());
            let (account, region) = region
                .split_once(SEPARATOR)
                .unwrap_or((&settings.account_id, region));
            let at = AccountRegion::new(account, region);
            let path = load.path(&at, kind.name(), key);
            match kind {
                Kind::Counters => load.counters(&at, read(row, &path)?),
                Kind::Gateways => load.gateway(&at, key, read(row, &path)?),
                Kind::Pools => load.pool(&at, key, read(row, &path)?),
                Kind::Tags => load.tags(&at, key, read(row, &path)?),
                Kind::Tapes => load.tape(&at, key, read(row, &path)?),
                Kind::Tokens => load.creation(&at, key, read(row, &path)?),
            }
        }
    }
    load.finish()
        .map_err(|wrong| StateError::Damaged(summary(&wrong)))
}

fn read<T: DeserializeOwned>(row: &[u8], at: &str) -> Result<T, StateError> {
    serde_json::from_slice(row).map_err(|error| StateError::Damaged(format!("{at}: {error}")))
}

/// The meaning of a redb error for an operator.
fn error(error: impl Into<redb::Error>) -> StateError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StateError::InUse,
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            StateError::Foreign(error.to_string())
        }
        redb::Error::Io(error) => StateError::Io(error),
        redb::Error::UpgradeRequired(version) => {
            StateError::Foreign(format!("a redb file of the old format {version}"))
        }
        redb::Error::Corrupted(what) => StateError::Damaged(what),
        other => StateError::Other(other.to_string()),
    }
}
