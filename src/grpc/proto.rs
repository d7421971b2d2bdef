//! The code that `build.rs` generates from `proto/`.
#![allow(missing_docs, reason = "the proto files document their own names")]
#![allow(clippy::all, clippy::pedantic, reason = "generated")]

tonic::include_proto!("tapegate.v1");
include!(concat!(env!("OUT_DIR"), "/server/tapegate.v1.rs"));
