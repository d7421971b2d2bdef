//! tapegate: a gRPC façade for the virtual tapes of AWS Storage Gateway.
pub mod cli;
pub mod config;
pub mod domain;
pub mod proto;
