//! The settings of the emulator, by theme. They end in [`emulator::Settings`], whose own
//! defaults are the same.

pub(crate) mod basics;
pub(crate) mod credentials;
mod credentials_file;
pub(super) mod faults;
pub(super) mod life;
pub(super) mod limits;
mod parsers;
pub(super) mod undocumented;

use std::{net::SocketAddr, path::PathBuf};

use super::values::Values;
use crate::emulator::{self, Credentials};

/// The embedded emulator of the AWS API.
#[derive(Clone, Debug)]
pub struct Emulator {
    /// Where it is served (`emulator.listen`).
    pub listen: SocketAddr,
    /// The file that keeps its state (`emulator.state`); `None`: it ends with the process.
    pub state: Option<PathBuf>,
    /// What it is made with: every other setting of the section.
    pub settings: emulator::Settings,
}

impl Emulator {
    /// Its settings; `pair` may sign beside whoever is in the file of credentials.
    pub(crate) fn read(values: &mut Values, pair: Option<&Credentials>) -> Option<Self> {
        // All of them first, so that a fault in one hides none in the next.
        let credentials = credentials::read(values, pair);
        let faults = faults::read(values);
        let life = life::read(values);
        let undocumented = undocumented::read(values);
        let tape_size = limits::tape_size(values);
        Some(Self {
            listen: values.get(&basics::LISTEN)?,
            state: values.optional(&basics::STATE)?,
            settings: emulator::Settings {
                credentials: credentials?,
                account_id: values.get(&basics::ACCOUNT_ID)?.to_string(),
                seed_tapes: values.get(&basics::SEED_TAPES)?,
                life: life?,
                undocumented: undocumented?,
                tags_with_barcode: values.get(&undocumented::TAGS_WITH_BARCODE)?,
                tape_size: tape_size?,
                tapes_per_library: values.get(&limits::TAPES_PER_LIBRARY)?,
                bytes_per_library: values.get(&limits::BYTES_PER_LIBRARY)?,
                code_of_full_library: values.get(&undocumented::CODE_OF_FULL_LIBRARY)?,
                code_without_cache: values.get(&undocumented::CODE_WITHOUT_CACHE)?,
                describe_offline: values.get(&undocumented::DESCRIBE_OFFLINE)?,
                tapes_per_page: values.get(&limits::TAPES_PER_PAGE)?,
                body_limit: values.get(&limits::MAX_REQUEST_BYTES)?,
                max_snapshot_bytes: values.get(&limits::MAX_SNAPSHOT_BYTES)?,
                time_scale: values.get(&basics::TIME_SCALE)?,
                clock_skew: values.get(&limits::CLOCK_SKEW)?,
                faults: faults?,
                fault_seed: values.get(&faults::FAULT_SEED)?.into(),
            },
        })
    }
}
