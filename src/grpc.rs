//! Everything that speaks gRPC.
//!
//! - In: connections of callers, and the gRPC calls on them.
//! - Out: a valid operation of the [`domain`](crate::domain) for [`upstream`](crate::upstream), and
//!   for the caller a response, or a status with `google.rpc` details.
//!
//! A call passes the [`inbound`] stack and reaches the [`service`]. [`convert`] makes an operation of
//! its request and a response of the result; [`status`] makes a status of a failure.
//!
//! The room uses all other rooms except `app`. It does not name the AWS SDK.

pub mod codec;
pub mod connection;
pub mod convert;
pub mod health;
pub mod inbound;
pub mod list_response;
pub mod proto;
pub mod reflection;
pub mod server;
pub mod service;
pub mod status;
pub mod tls;
pub mod violations;
pub mod web;
