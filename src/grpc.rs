//! Everything that speaks gRPC.
//!
//! - In: an HTTP/2 connection and the calls on it.
//! - Out: a validated operation of the [`domain`](crate::domain) for [`upstream`](crate::upstream),
//!   and a gRPC response or a status with `google.rpc` details for the caller.

pub mod codec;
pub mod convert;
pub mod health;
pub mod inbound;
pub mod proto;
pub mod service;
pub mod status;
pub mod tls;
