//! tapegate: a gRPC façade for the virtual tapes of AWS Storage Gateway.
pub mod domain;
pub mod emulator;
pub mod proto;
