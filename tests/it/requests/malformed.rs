//! Bytes that are not a request, and requests with fields that this version does not know.

use bytes::Bytes;
use tonic::Code;

use super::{Attacked, METHODS, assert_refused, refused, valid};
use crate::wire;

const MALFORMED: &str = "MALFORMED_REQUEST";

#[tokio::test]
async fn bytes_that_are_not_a_message_are_malformed() {
    let attacked = Attacked::start(&[]).await;
    for method in METHODS {
        for bytes in [
            &b"\xff\xff\xff\xff\xff"[..],
            b"hello world",
            b"{\"tape_arns\": []}",
            b"\x0a\x7fshort",
        ] {
            let refused = attacked.refused(method, bytes).await;
            assert_refused(&refused, Code::InvalidArgument, MALFORMED, "");
        }
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn truncated_messages_are_malformed() {
    let attacked = Attacked::start(&[]).await;
    for method in METHODS {
        let valid = valid(method);
        for end in 0..valid.len() {
            let raw = attacked.post(method, &[], wire::frame(&valid[..end])).await;
            match raw.status().code() {
                // Cut between members, it is a message still.
                Code::Ok => {}
                _ => assert_eq!(
                    refused(&raw).code,
                    Code::InvalidArgument,
                    "{method} up to byte {end}"
                ),
            }
        }
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn invalid_frames_are_malformed() {
    let attacked = Attacked::start(&[]).await;
    let whole = wire::frame(&valid("ListTapes"));
    let flagged = |flag: u8| [&[flag], &whole[1..]].concat();
    let bodies = [
        vec![],
        whole[..3].to_vec(),
        whole[..5].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        flagged(1),
        flagged(2),
        flagged(255),
    ];
    for body in bodies {
        let raw = attacked.post("ListTapes", &[], Bytes::from(body.clone())).await;
        assert_refused(&refused(&raw), Code::InvalidArgument, MALFORMED, "");
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_malformed() {
    let attacked = Attacked::start(&[]).await;
    // Field 1 of each is text.
    for method in METHODS {
        let refused = attacked.refused(method, b"\x0a\x03a\xffb").await;
        let field = if method.ends_with("Archives") || method == "ListTapes" {
            "tape_arns"
        } else {
            "gateway_arn"
        };
        assert_refused(&refused, Code::InvalidArgument, MALFORMED, field);
        assert!(refused.message.contains("UTF-8"), "{}", refused.message);
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn fields_of_another_type_are_malformed() {
    let attacked = Attacked::start(&[]).await;
    // tape_size_in_bytes as text.
    let refused = attacked.refused("CreateTapes", b"\x12\x03100").await;
    assert_refused(&refused, Code::InvalidArgument, MALFORMED, "tape_size_in_bytes");
    attacked.ends_well().await;
}

/// A field of up to number 15, length-delimited.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, value.len().try_into().unwrap()], value].concat()
}

#[tokio::test]
async fn unknown_fields_are_named() {
    let attacked = Attacked::start(&[]).await;
    for method in METHODS {
        // Number 15, as length-delimited; number 99, as a varint; number 1000, as 32 bits.
        let unknown = [
            &valid(method)[..],
            &field(15, b"x"),
            b"\x98\x06\x01",
            b"\xc5\x3e\0\0\0\0",
        ]
        .concat();
        let refused = attacked.refused(method, &unknown).await;
        assert_refused(
            &refused,
            Code::InvalidArgument,
            MALFORMED,
            &format!("{method}Request.1000, {method}Request.15, {method}Request.99"),
        );
        assert!(
            refused.message.contains(&format!("{method}Request")),
            "{}",
            refused.message
        );
    }
    for (method, tags) in [("CreateTapeWithBarcode", 9), ("CreateTapes", 11)] {
        let tag = [field(1, b"three"), field(2, b"value"), field(7, b"x")].concat();
        let unknown = [valid(method), field(tags, &tag)].concat();
        let refused = attacked.refused(method, &unknown).await;
        assert_refused(&refused, Code::InvalidArgument, MALFORMED, "Tag.7");
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn two_members_of_the_pool_are_named() {
    let attacked = Attacked::start(&[]).await;
    // The valid requests have custom_pool_id and pool_id.
    let others = [
        ("CreateTapeWithBarcode", vec![6 << 3, 2]),
        ("CreateTapes", field(9, b"pool-12345678")),
    ];
    for (method, other) in others {
        let both = [valid(method), other].concat();
        let refused = attacked.refused(method, &both).await;
        assert_refused(
            &refused,
            Code::InvalidArgument,
            MALFORMED,
            "send one of pool_id and custom_pool_id",
        );
    }
    attacked.ends_well().await;
}

#[tokio::test]
async fn a_hundred_thousand_unknown_fields_are_malformed() {
    let attacked = Attacked::start(&[]).await;
    let unknown = [valid("ListTapes"), field(15, b"x").repeat(100_000)].concat();
    let refused = attacked.refused("ListTapes", &unknown).await;
    assert_refused(&refused, Code::InvalidArgument, MALFORMED, "15");
    attacked.ends_well().await;
}

/// A field of a later version is not dropped silently.
#[tokio::test]
async fn a_malformed_request_does_not_reach_aws() {
    let attacked = Attacked::start(&[]).await;
    let unknown = [valid("CreateTapes"), field(15, b"x")].concat();
    attacked.refused("CreateTapes", &unknown).await;
    attacked.refused("CreateTapes", b"").await;
    assert!(attacked.upstream.asked().is_empty());
    attacked.ends_well().await;
}

#[tokio::test]
async fn an_empty_message_lacks_the_required_fields() {
    let attacked = Attacked::start(&[]).await;
    let refused = attacked.refused("CreateTapes", b"").await;
    assert_refused(
        &refused,
        Code::InvalidArgument,
        "INVALID_REQUEST",
        "gateway_arn: required",
    );
    let required = [
        "gateway_arn",
        "tape_size_in_bytes",
        "client_token",
        "num_tapes_to_create",
        "tape_barcode_prefix",
    ];
    assert_eq!(refused.fields(), required);
    let raw = attacked.post("ListTapes", &[], wire::frame(b"")).await;
    assert_eq!(raw.status().code(), Code::Ok, "nothing is required of a list");
    attacked.ends_well().await;
}
