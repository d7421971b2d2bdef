//! Messages, violations and texts beyond the limits.

use prost::Message;
use tapegate::grpc::{
    proto::{ListTapesRequest, Tag},
    status::MAX_ENCODED,
};
use tonic::Code;

use super::{Attacked, METHODS, assert_refused, valid};
use crate::{harness::tape_arn, wire};

/// What is kept free of a status for a longer request id than that of the tests, and for the outcome of a create.
const FOR_LATER: usize = 430;

#[tokio::test]
async fn a_message_over_the_limit_is_rejected() {
    let attacked = Attacked::start(&["--max-request-bytes=65536"]).await;
    let text = |bytes: usize| ListTapesRequest {
        marker: "m".repeat(bytes),
        ..Default::default()
    };
    let over = text(65_537 - 4).encode_to_vec();
    assert_eq!(over.len(), 65_537);
    let limit = "the limit is: 65536 bytes (setting max_request_bytes)";
    for method in METHODS {
        let refused = attacked.refused(method, &over).await;
        assert_refused(&refused, Code::ResourceExhausted, "REQUEST_TOO_LARGE", limit);
    }
    let within = text(65_536 - 4).encode_to_vec();
    let refused = attacked.refused("ListTapes", &within).await;
    assert_refused(&refused, Code::InvalidArgument, "INVALID_REQUEST", "marker");
    // A length that is only said.
    for length in [65_537, u32::MAX] {
        let body = [&[0][..], &length.to_be_bytes(), b"x"].concat();
        let raw = attacked.post("ListTapes", &[], body.into()).await;
        let refused = super::refused(&raw);
        assert_refused(&refused, Code::ResourceExhausted, "REQUEST_TOO_LARGE", limit);
    }
    attacked.ends_well().await;
}

/// As many violations as fit are listed; the message has the number of the others.
#[tokio::test]
async fn violations_that_do_not_fit_are_counted() {
    let attacked = Attacked::start(&[]).await;
    let long_ones = "arn:aws:storagegateway:us-east-1:123456789012:gateway/".to_owned() + &"🎞".repeat(200);
    for (arn, all) in [
        ("x", 1_000),
        (long_ones.as_str(), 1_000),
        (long_ones.as_str(), 10),
        ("x", 40),
    ] {
        let request = ListTapesRequest {
            tape_arns: vec![arn.to_owned(); all],
            ..Default::default()
        };
        let raw = attacked
            .post("ListTapes", &[], wire::frame(&request.encode_to_vec()))
            .await;
        let refused = super::refused(&raw);
        assert_refused(
            &refused,
            Code::InvalidArgument,
            "INVALID_REQUEST",
            &format!("and {} more", all - 1),
        );
        let fields = refused.fields();
        let expected: Vec<_> = (0..fields.len())
            .map(|index| format!("tape_arns[{index}]"))
            .collect();
        assert_eq!(fields, expected, "the first ones, in order");
        assert!(fields.len() >= 4.min(all), "{} of {all} fit", fields.len());
        let left_out = format!("({} of them are left out", all - fields.len());
        assert_eq!(
            refused.message.contains(&left_out),
            fields.len() < all,
            "{}",
            refused.message
        );
        assert!(
            fields.len() < all || !refused.message.contains("left out"),
            "{}",
            refused.message
        );
        // One more would not fit.
        let sizes = ["grpc-message", "grpc-status-details-bin"].map(|name| raw.trailers[name].len());
        let one = refused.details.bad_request().unwrap().field_violations[0]
            .description
            .len()
            * 4
            / 3
            + 100;
        assert!(
            fields.len() == all || sizes[0] + sizes[1] + one > MAX_ENCODED - FOR_LATER,
            "{sizes:?} bytes for {} of {all}",
            fields.len()
        );
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn a_hundred_violations_of_all_kinds_are_counted() {
    let attacked = Attacked::start(&[]).await;
    let mut request = tapegate::grpc::proto::CreateTapesRequest::decode(&valid("CreateTapes")[..]).unwrap();
    request.gateway_arn = tape_arn("TEST01");
    request.tags = (0..50)
        .map(|index| Tag {
            key: format!("aws:{index}"),
            value: "é".repeat(257),
        })
        .collect();
    let refused = attacked.refused("CreateTapes", &request.encode_to_vec()).await;
    assert_refused(&refused, Code::InvalidArgument, "INVALID_REQUEST", "and 100 more");
    assert_eq!(
        refused.fields()[..3],
        ["gateway_arn", "tags[0].key", "tags[0].value"]
    );
    attacked.ends_well().await;
}
