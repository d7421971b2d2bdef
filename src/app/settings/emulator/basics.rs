//! Where it listens, what it starts with, and how fast its time runs.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    app::settings::{
        Setting,
        parsers::{ACCOUNT, ADDRESS, FILE, Integer, Parsed},
    },
    domain::AccountId,
};

pub(crate) static LISTEN: Setting<Parsed<SocketAddr>> = Setting {
    key: "emulator.listen",
    kind: ADDRESS,
    default: Some("127.0.0.1:4588"),
    help: "Where the emulator serves the AWS API.",
};

pub(crate) static ACCOUNT_ID: Setting<Parsed<AccountId>> = Setting {
    key: "emulator.account_id",
    kind: ACCOUNT,
    default: Some("123456789012"),
    help: "The account that every caller of the emulator belongs to. It is in every ARN.",
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

pub(crate) static STATE: Setting<Parsed<PathBuf>> = Setting {
    key: "emulator.state",
    kind: FILE,
    default: None,
    help: "A file that keeps the emulator's state: what it has answered is there again after a restart, or \
           after an end at any moment. It is made and seeded if it is not there. Without it, all ends with \
           the process.",
};
