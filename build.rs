//! Compiles `proto/` into Rust, with no `protoc` on the machine, and keeps the
//! descriptor set for server reflection and for telling unknown fields.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const PROTOS: [&str; 1] = ["tapegate/v1/tape_service.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");

    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("tapegate.v1.bin"), descriptors.encode_to_vec())?;

    let mut messages = prost_build::Config::new();
    messages.enable_type_names();
    tonic_prost_build::configure()
        .codec_path("crate::grpc::codec::StrictCodec")
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_fds_with_config(descriptors, messages)?;
    Ok(())
}
