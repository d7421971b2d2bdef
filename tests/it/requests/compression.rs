//! Compressed messages: gzip requests within the limit of the message size, gzip responses if they are on.

use bytes::Bytes;
use prost::Message;
use tapegate::grpc::proto::{ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::{Code, codec::CompressionEncoding};

use super::{Attacked, assert_refused, refused, valid};
use crate::{
    harness::{collect, refusal},
    wire,
};

/// A client that compresses its requests.
fn client(attacked: &Attacked) -> TapeServiceClient<tonic::transport::Channel> {
    TapeServiceClient::new(attacked.channel.clone()).send_compressed(CompressionEncoding::Gzip)
}

#[tokio::test]
async fn a_gzip_request_is_read() {
    let attacked = Attacked::start(&[]).await;
    let request = ListTapesRequest {
        max_items: 1,
        ..Default::default()
    };
    let pages = collect(client(&attacked).list_tapes(request).await)
        .await
        .unwrap();
    assert_eq!(pages.len(), 1);
    attacked.ends_well().await;
}

#[tokio::test]
async fn a_message_over_the_limit_after_it_is_decompressed_is_rejected() {
    let attacked = Attacked::start(&["--max-request-bytes=65536"]).await;
    // A thousandth of it when compressed.
    let request = ListTapesRequest {
        marker: "m".repeat(16 << 20),
        ..Default::default()
    };
    let error = client(&attacked).list_tapes(request).await.unwrap_err();
    let limit =
        "size limit, of 65536 bytes, exceeded while decompressing message (setting max_request_bytes)";
    assert_refused(
        &refusal(&error),
        Code::ResourceExhausted,
        "REQUEST_TOO_LARGE",
        limit,
    );
    attacked.ends_well().await;
}

#[tokio::test]
async fn what_is_not_gzip_is_malformed() {
    let attacked = Attacked::start(&[]).await;
    let plain = wire::frame(&valid("ListTapes"));
    let compressed = Bytes::from_iter([1].into_iter().chain(plain[1..].iter().copied()));
    let raw = attacked
        .post("ListTapes", &[("grpc-encoding", "gzip")], compressed)
        .await;
    assert_refused(
        &refused(&raw),
        Code::InvalidArgument,
        "MALFORMED_REQUEST",
        "decompressing",
    );
    attacked.ends_well().await;
}

#[tokio::test]
async fn other_encodings_are_unimplemented() {
    let attacked = Attacked::start(&[]).await;
    for encoding in ["deflate", "zstd", "snappy", "größe", ""] {
        let raw = attacked
            .post(
                "ListTapes",
                &[("grpc-encoding", encoding)],
                wire::frame(&valid("ListTapes")),
            )
            .await;
        assert_refused(&refused(&raw), Code::Unimplemented, "UNSUPPORTED_COMPRESSION", "");
        // The protocol requires the encodings that are supported.
        assert_eq!(
            raw.trailers["grpc-accept-encoding"], "gzip,identity",
            "{encoding}"
        );
    }
    let identity = [("grpc-encoding", "identity")];
    let body = wire::frame(&valid("ListTapes"));
    let raw = attacked.post("ListTapes", &identity, body).await;
    assert_eq!(raw.status().code(), Code::Ok);
    attacked.ends_well().await;
}

#[tokio::test]
async fn responses_are_compressed_if_the_setting_and_the_client_say_so() {
    let accepts: &[_] = &[("grpc-accept-encoding", "identity, deflate, gzip")];
    let request = ListTapesRequest::default().encode_to_vec();
    for (flags, headers, encoding) in [
        (&[][..], accepts, None),
        (&["--compress-responses"][..], accepts, Some("gzip")),
        (&["--compress-responses"][..], &[], None),
    ] {
        let attacked = Attacked::start(flags).await;
        let raw = attacked.post("ListTapes", headers, wire::frame(&request)).await;
        assert_eq!(raw.status().code(), Code::Ok);
        let sent = raw
            .headers
            .get("grpc-encoding")
            .map(|value| value.to_str().unwrap());
        assert_eq!(sent, encoding, "{flags:?} {headers:?}");
        attacked.ends_well().await;
    }
}
