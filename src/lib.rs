//! tapegate: a gRPC façade for the virtual tapes of AWS Storage Gateway.
//!
//! The path of a call:
//!
//! ```text
//! gRPC -> inbound stack -> service -> convert -> upstream stack -> sdk -> AWS (or the emulator, on the wire)
//!                                                    pages back -> pagination -> convert -> stream
//! ```
//!
//! Each module is a room with a page of its own. docs/architecture.md has the table of which
//! room may use which, and why; `tests/it/architecture.rs` holds the code against that table.

pub mod access;
pub mod app;
pub mod call;
pub mod domain;
pub mod files;
pub mod grpc;
pub mod network;
pub mod observability;
pub mod upstream;
