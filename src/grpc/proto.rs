//! The code that `build.rs` generates from `proto/`.
#![allow(missing_docs, reason = "the proto files document their own names")]
#![allow(clippy::all, clippy::pedantic, reason = "generated")]

tonic::include_proto!("tapegate.v1");
