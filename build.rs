//! Compiles `proto/` into Rust, with no `protoc` on the machine, and keeps the
//! descriptor set for server reflection and for telling unknown fields. Puts the revision, if
//! `TAPEGATE_REVISION` names it, into the version that the program prints.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const PROTOS: [&str; 1] = ["tapegate/v1/tape_service.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/tapegate");
    println!("cargo:rerun-if-changed=proto/google");
    println!("cargo:rerun-if-env-changed=TAPEGATE_REVISION");
    let version = env::var("CARGO_PKG_VERSION")?;
    let version = match env::var("TAPEGATE_REVISION") {
        Ok(revision) if !revision.is_empty() => format!("{version} ({revision})"),
        _ => version,
    };
    println!("cargo:rustc-env=BUILD_VERSION={version}");

    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("tapegate.v1.bin"), descriptors.encode_to_vec())?;

    let code = || {
        tonic_prost_build::configure()
            .codec_path("crate::grpc::codec::StrictCodec")
            .extern_path(".google.rpc", "::tonic_types::pb")
    };
    let mut messages = prost_build::Config::new();
    messages.enable_type_names();
    code()
        .build_server(false)
        .compile_fds_with_config(descriptors.clone(), messages)?;

    // The server has responses of its own for lists.
    let server = out.join("server");
    fs::create_dir_all(&server)?;
    let mut code = code()
        .build_client(false)
        .out_dir(server)
        .extern_path(".tapegate.v1", "crate::grpc::proto");
    for list in ["DescribeTapeArchives", "DescribeTapes", "ListTapes"] {
        code = code.extern_path(
            format!(".tapegate.v1.{list}Response"),
            format!("crate::grpc::list_response::{list}Response"),
        );
    }
    code.compile_fds_with_config(descriptors, prost_build::Config::new())?;
    Ok(())
}
