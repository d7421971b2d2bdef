use std::{fs, net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

use super::{
    Setting,
    values::Values,
    word::{AccessKeyId, Address, File, Integer, SecretKey, Seed},
};
use crate::emulator::FaultRule;

/// The embedded emulator of the AWS API.
#[derive(Clone, Debug, PartialEq)]
pub struct Emulator {
    /// Where it is served (`emulator.listen`).
    pub listen: SocketAddr,
    /// How many tapes it starts with (`emulator.seed_tapes`).
    pub seed_tapes: usize,
    /// What goes wrong from the start: what is in the file of `emulator.faults`.
    pub faults: Vec<FaultRule>,
    /// What chance begins with (`emulator.fault_seed`).
    pub fault_seed: u32,
    /// How many times as fast as the machine's its clock runs (`emulator.time_scale`).
    pub time_scale: u32,
    /// The file that keeps its state (`emulator.state`); `None`: it ends with the process.
    pub state: Option<PathBuf>,
    /// The longest snapshot that it takes, in bytes (`emulator.max_snapshot_bytes`).
    pub max_snapshot_bytes: usize,
}

/// A pair of AWS credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The public half (`emulator.access_key_id`).
    pub access_key_id: String,
    /// The secret half (`emulator.secret_access_key`).
    pub secret_access_key: SecretString,
}

pub(crate) static LISTEN: Setting<Address> = Setting {
    key: "emulator.listen",
    kind: Address,
    default: Some("127.0.0.1:4588"),
    help: "Where the emulator serves the AWS API.",
};

pub(crate) static SEED_TAPES: Setting<Integer<usize>> = Setting {
    key: "emulator.seed_tapes",
    kind: Integer {
        range: 0..=1_000_000,
        unit: "tapes",
    },
    default: Some("250"),
    help: "How many tapes the emulator starts with.",
};

pub(crate) static FAULTS: Setting<File> = Setting {
    key: "emulator.faults",
    kind: File,
    default: None,
    help: "A JSON file with the fault rules that the emulator starts with; docs/emulator.md says what is \
           in a rule.",
};

pub(crate) static FAULT_SEED: Setting<Seed> = Setting {
    key: "emulator.fault_seed",
    kind: Seed,
    default: Some("0"),
    help: "What chance begins with, for fault rules without a seed of their own. The same seed and the \
           same calls make the same faults.",
};

pub(crate) static TIME_SCALE: Setting<Integer<u32>> = Setting {
    key: "emulator.time_scale",
    kind: Integer {
        range: 0..=1_000_000,
        unit: "times",
    },
    default: Some("1"),
    help: "How many times as fast as the machine's clock the emulator's runs: 43200 makes 12 hours pass in \
           a second, 0 stops it. Signatures are judged by the machine's clock.",
};

pub(crate) static STATE: Setting<File> = Setting {
    key: "emulator.state",
    kind: File,
    default: None,
    help: "A file that keeps the emulator's state: what it has answered is there again after a restart, or \
           after an end at any moment. It is made and seeded if it is not there. Without it, all ends with \
           the process.",
};

pub(crate) static MAX_SNAPSHOT_BYTES: Setting<Integer<usize>> = Setting {
    key: "emulator.max_snapshot_bytes",
    kind: Integer {
        range: 1_024..=4_294_967_296,
        unit: "bytes",
    },
    default: Some("67108864"),
    help: "The longest snapshot that the emulator takes by PUT /_emulator/snapshot. 64 MiB are about \
           250,000 tapes.",
};

pub(crate) static ACCESS_KEY_ID: Setting<AccessKeyId> = Setting {
    key: "emulator.access_key_id",
    kind: AccessKeyId,
    default: None,
    help: "The access key that callers of the emulator must sign with. Without the pair, signatures are \
           judged by form, scope and date alone. `tapegate dev` has a pair of its own.",
};

pub(crate) static SECRET_ACCESS_KEY: Setting<SecretKey> = Setting {
    key: "emulator.secret_access_key",
    kind: SecretKey,
    default: None,
    help: "The secret of that access key. Prefer the variable or the file: others on the machine can \
           read flags.",
};

impl Emulator {
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        // Read first, so that a fault elsewhere hides none in the file.
        let faults = read_faults(values);
        Some(Self {
            listen: values.get(&LISTEN)?,
            seed_tapes: values.get(&SEED_TAPES)?,
            faults: faults?,
            fault_seed: values.get(&FAULT_SEED)?,
            time_scale: values.get(&TIME_SCALE)?,
            state: values.optional(&STATE)?,
            max_snapshot_bytes: values.get(&MAX_SNAPSHOT_BYTES)?,
        })
    }
}

/// The rules of the file, if one is given.
fn read_faults(values: &mut Values) -> Option<Vec<FaultRule>> {
    let Some(path) = values.optional(&FAULTS)? else {
        return Some(Vec::new());
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            values.fault(&FAULTS, message);
            return None;
        }
    };
    let rules = FaultRule::read_all(&text);
    rules
        .map_err(|wrong| {
            for wrong in wrong {
                values.fault(&FAULTS, format!("{}: {wrong}", path.display()));
            }
        })
        .ok()
}

impl Credentials {
    /// The pair, if one is given.
    pub(super) fn read(values: &mut Values) -> Option<Option<Self>> {
        let access_key_id = values.optional(&ACCESS_KEY_ID)?;
        let secret_access_key = values.optional(&SECRET_ACCESS_KEY)?;
        match (access_key_id, secret_access_key) {
            (Some(access_key_id), Some(secret_access_key)) => Some(Some(Self {
                access_key_id,
                secret_access_key,
            })),
            (None, None) => Some(None),
            (Some(_), None) => {
                values.fault(
                    &SECRET_ACCESS_KEY,
                    "is not set, but emulator.access_key_id is; give both or neither",
                );
                None
            }
            (None, Some(_)) => {
                values.fault(
                    &ACCESS_KEY_ID,
                    "is not set, but emulator.secret_access_key is; give both or neither",
                );
                None
            }
        }
    }
}
