//! What `build.rs` makes of `proto/`: nothing here is written by hand.
#![allow(missing_docs, reason = "the proto files document their own names")]
#![allow(clippy::all, clippy::pedantic, reason = "generated")]

tonic::include_proto!("tapegate.v1");

/// The descriptor set of the protos, with all they import, encoded.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("tapegate.v1");
