//! An emulator of the tape side of the AWS Storage Gateway API, on a real socket.
//!
//! It serves sixteen operations, such as `CreateTapes` and `ListTapes`, to any AWS client: AWS JSON
//! 1.1, signed with SigV4. It holds several accounts, and answers STS for sessions of their roles. `docs/emulator.md` says what it does and how that is known of AWS.
//!
//! **Real:** the wire format (bodies, headers, signatures, error shapes), the constraints of the
//! service model, barcodes that are unique for ever, idempotency by client token, pages and their
//! markers, the statuses of a tape's life on a clock of the emulator's own, and which call shows a
//! tape in which status.
//!
//! **Simulated:** the tapes at the start, and the data on a tape: bytes are counted, not stored.
//!
//! **Missing:** every other operation of Storage Gateway and of STS, recovery points, policies of IAM,
//! KMS (keys are names).
//!
//! The package shares no type with the service: a wrong type that both use would hide its own
//! error.
//!
//! Each module uses only those to its right, or in rows below its own:
//!
//! | row | modules |
//! |---|---|
//! | the process | `cli` the command line, `server` the socket, `config` reads the settings |
//! | HTTP | `api` the operations of AWS, `control` the control API for tests |
//! | the accounts | `emulator` the accounts with all they have, `state` their state file and snapshots, `account` their state in memory, `identity` their callers |
//! | below all | `settings` what can be set, `faults` the fault rules, `protocol` AWS JSON 1.1 and AWS Query, `json` the documents of tests, `connection` the connections of the socket |
//!
//! ```no_run
//! use tapegate_emulator::{Emulator, Settings};
//! use tokio::net::TcpListener;
//!
//! # async fn example() -> std::io::Result<()> {
//! let emulator = Emulator::new(Settings { seed_tapes: 10, ..Settings::default() });
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! emulator.serve(listener, std::future::pending()).await
//! # }
//! ```

mod account;
mod api;
pub mod cli;
mod config;
mod connection;
mod control;
mod emulator;
mod faults;
mod files;
mod identity;
mod json;
mod protocol;
mod server;
mod settings;
mod state;

pub use config::{Config, Faults as ConfigFaults, Flags, Variables};
pub use emulator::{DriveError, Emulator, TapeState};
pub use faults::Rule as FaultRule;
pub use identity::{RoleSession, RoleState, SessionState, SignedCall};
pub use json::Problem;
pub use protocol::Code as ErrorCode;
pub use server::{CannotStart, Server};
pub use settings::{
    Account, BarcodeScope, Credentials, DefaultPool, InTransitSpelling, InternalServerErrorStatus, Life,
    RetrievedListed, Role, Setting, Settings, TapeArnsWithMarker, TokenMismatch, TokenScope, Undocumented,
    UnknownTapeArns,
};
pub use state::{NotPersisted, StateError, StateFile};
