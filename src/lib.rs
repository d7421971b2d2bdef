//! tapegate: a gRPC façade for the virtual tapes of AWS Storage Gateway.
//!
//! The way of a call:
//!
//! ```text
//! gRPC -> inbound stack -> service -> convert -> upstream stack -> sdk -> AWS (or the emulator, on the wire)
//!                                                    pages back -> paging -> convert -> stream
//! ```
//!
//! - [`inbound`] is what every call passes on its way in, [`service`] its five methods.
//! - [`convert`] makes an operation of the [`domain`] of a request, or a list of its faults;
//!   and messages of the contract, [`proto`], of what comes back.
//! - [`upstream`] is what every call passes on its way out; the AWS SDK is at its foot.
//! - [`paging`] asks for pages as their reader does, [`creating`] finds out what became of a
//!   create, [`status`] makes every error.
//! - [`auth`] knows who calls and what each may do, [`limits`] how much, and [`audit`] records
//!   it: `inbound` and `upstream` have the layers that ask them.
//! - [`emulator`] stands in for AWS, on the wire, and shares nothing with the rest.
//!
//! Around that: [`cli`] and [`config`] say what is to run, [`app`] puts it together and runs
//! it, [`tls`] is how connections are made safe, [`reload`] reads again what has changed,
//! [`readiness`], [`health`] and [`admin`] say how it is, [`metrics`] how much of what, [`telemetry`] what
//! it does, and [`shutdown`] when to stop.
//!
//! docs/architecture.md has the two stacks, who may touch what, and why.

pub mod admin;
pub mod app;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod config;
pub mod convert;
pub mod creating;
pub mod domain;
pub mod emulator;
pub mod health;
pub mod inbound;
pub mod limits;
pub mod metrics;
pub mod paging;
pub mod proto;
pub mod readiness;
pub mod reload;
pub mod service;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod tls;
pub mod upstream;
