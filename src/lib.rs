//! tapegate: a gRPC façade for the virtual tapes of AWS Storage Gateway.
pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod convert;
pub mod domain;
pub mod emulator;
pub mod inbound;
pub mod paging;
pub mod proto;
pub mod readiness;
pub mod service;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod upstream;
