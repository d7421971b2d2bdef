//! CreateTapes and CreateTapeWithBarcode, over the emulator.

use std::fs;

use serde_json::json;
use tapegate::grpc::{
    proto::{
        self, CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapesRequest, ListTapesRequest,
        PoolId, create_tape_with_barcode_request, create_tapes_request,
    },
    status::{MAX_ENCODED, MAX_MESSAGE},
};
use tonic::Code;

use crate::harness::{GATEWAY, Refusal, Reply, SIZE, Service, Upstream, collect, refusal, tape_arn};

fn create_tapes(token: &str) -> CreateTapesRequest {
    CreateTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        client_token: token.into(),
        num_tapes_to_create: 2,
        tape_barcode_prefix: "NEW".into(),
        ..Default::default()
    }
}

/// A tape as DescribeTapes and ListTapes both show it: pool, and its text.
async fn pools(service: &Service, arn: &str) -> [(PoolId, Option<String>); 2] {
    let described = DescribeTapesRequest {
        gateway_arn: GATEWAY.into(),
        tape_arns: vec![arn.into()],
        ..Default::default()
    };
    let listed = ListTapesRequest {
        tape_arns: vec![arn.into()],
        ..Default::default()
    };
    let described = collect(service.client().describe_tapes(described).await)
        .await
        .unwrap();
    let listed = collect(service.client().list_tapes(listed).await).await.unwrap();
    let [tape] = &described[0].tapes[..] else {
        panic!("{described:?}")
    };
    let [info] = &listed[0].tape_infos[..] else {
        panic!("{listed:?}")
    };
    [
        (tape.pool_id(), tape.pool_id_text.clone()),
        (info.pool_id(), info.pool_id_text.clone()),
    ]
}

#[tokio::test]
async fn the_response_and_the_described_tape_have_the_pool_of_the_request() {
    use create_tapes_request::Pool;
    let service = Service::dev(&[]).await;
    let cases = [
        (
            Some(Pool::PoolId(PoolId::Glacier.into())),
            PoolId::Glacier,
            "GLACIER",
        ),
        (
            Some(Pool::PoolId(PoolId::DeepArchive.into())),
            PoolId::DeepArchive,
            "DEEP_ARCHIVE",
        ),
        (
            Some(Pool::CustomPoolId("pool-12345678".into())),
            PoolId::Unspecified,
            "pool-12345678",
        ),
        // What AWS makes of none is its own affair; the emulator makes it GLACIER.
        (None, PoolId::Glacier, "GLACIER"),
    ];
    for (index, (pool, id, text)) in cases.into_iter().enumerate() {
        let requested = pool.clone();
        let request = CreateTapesRequest {
            pool,
            ..create_tapes(&format!("token-{index}"))
        };
        let created = service.client().create_tapes(request).await.unwrap().into_inner();
        assert_eq!(created.tape_arns.len(), 2);
        // The response repeats the pool of the request, and so has none if AWS chose it.
        let (asked_id, asked_text) = match requested {
            Some(_) => (id, Some(text.to_owned())),
            None => (PoolId::Unspecified, None),
        };
        assert_eq!((created.pool_id(), created.pool_id_text), (asked_id, asked_text));
        for arn in &created.tape_arns {
            let expected = (id, Some(text.to_owned()));
            assert_eq!(pools(&service, arn).await, [expected.clone(), expected]);
        }
    }
}

#[tokio::test]
async fn require_pool_rejects_a_create_without_a_pool() {
    use create_tape_with_barcode_request::Pool;
    let service = Service::dev(&["--require-pool=true"]).await;
    let mut client = service.client();
    let one = CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "POOLED01".into(),
        ..Default::default()
    };
    let rejected = [
        client.create_tapes(create_tapes("token")).await.unwrap_err(),
        client.create_tape_with_barcode(one.clone()).await.unwrap_err(),
    ];
    for status in &rejected {
        let rejected = refusal(status);
        assert_eq!(rejected.code, Code::InvalidArgument);
        assert_eq!(rejected.fields(), ["pool_id"]);
        for part in [
            "require_pool",
            "POOL_ID_GLACIER",
            "custom_pool_id",
            "pool-12345678",
        ] {
            assert!(rejected.message.contains(part), "{}", rejected.message);
        }
    }
    for (barcode, pool) in [
        ("POOLED01", Pool::PoolId(PoolId::Glacier.into())),
        ("POOLED02", Pool::CustomPoolId("pool-12345678".into())),
    ] {
        let with_pool = CreateTapeWithBarcodeRequest {
            tape_barcode: barcode.into(),
            pool: Some(pool),
            ..one.clone()
        };
        client.create_tape_with_barcode(with_pool).await.unwrap();
    }
}

#[tokio::test]
async fn retrying_create_tapes_with_the_same_token_creates_no_more_tapes() {
    let service = Service::dev(&["--emulator-seed-tapes=0"]).await;
    let first = service
        .client()
        .create_tapes(create_tapes("token-1"))
        .await
        .unwrap()
        .into_inner();
    let second = service
        .client()
        .create_tapes(create_tapes("token-1"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, second);

    let other = CreateTapesRequest {
        num_tapes_to_create: 3,
        ..create_tapes("token-1")
    };
    let refused = service.client().create_tapes(other).await.unwrap_err();
    let refused = refusal(&refused);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::InvalidArgument, "INVALID_PARAMETERS")
    );

    let all = collect(service.client().list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();
    assert_eq!(all[0].tape_infos.len(), 2);
}

#[tokio::test]
async fn a_barcode_can_be_used_once() {
    let service = Service::dev(&[]).await;
    let request = CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "MINE0001".into(),
        pool: Some(create_tape_with_barcode_request::Pool::CustomPoolId(
            "pool-12345678".into(),
        )),
        ..Default::default()
    };
    let created = service
        .client()
        .create_tape_with_barcode(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        created,
        proto::CreateTapeWithBarcodeResponse {
            tape_arn: tape_arn("MINE0001"),
            pool_id: PoolId::Unspecified.into(),
            pool_id_text: Some("pool-12345678".into()),
            unconfirmed_tags: Vec::new(),
        }
    );
    let expected = (PoolId::Unspecified, Some("pool-12345678".to_owned()));
    assert_eq!(
        pools(&service, &created.tape_arn).await,
        [expected.clone(), expected]
    );

    let again = refusal(
        &service
            .client()
            .create_tape_with_barcode(request)
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (again.code, again.reason.as_str()),
        (Code::AlreadyExists, "TAPE_EXISTS")
    );
    assert_eq!(again.metadata["matches"], "true", "{again:?}");
}

/// What a caller reads of the two creates, of two tapes and of `MINE0001`, whose responses have this fault.
async fn wrong_tapes(tapes: &str) -> [Refusal; 2] {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("faults.json");
    fs::write(
        &rules,
        format!(r#"{{"kind": "wrong-tapes", "tapes": "{tapes}"}}"#),
    )
    .unwrap();
    let service = Service::dev(&[&format!("--emulator-faults={}", rules.display())]).await;
    let mut client = service.client();
    let one = CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: "MINE0001".into(),
        ..Default::default()
    };
    [
        refusal(&client.create_tapes(create_tapes("token-1")).await.unwrap_err()),
        refusal(&client.create_tape_with_barcode(one).await.unwrap_err()),
    ]
}

#[tokio::test]
async fn a_response_with_other_tapes_than_requested_is_an_error_that_names_them() {
    let other_account = tape_arn("MINE0001").replace("123456789012", "999999999999");
    let other_region = tape_arn("MINE0001").replace("us-east-1", "eu-central-1");
    let of_account = "is not the ARN of a tape of 123456789012/us-east-1";
    let cases = [
        (
            "fewer",
            None,
            "2 tapes requested, 1 tape named",
            "1 tape requested, 0 tapes named",
        ),
        ("other-account", Some(other_account), of_account, of_account),
        ("other-region", Some(other_region), of_account, of_account),
        (
            "other-barcode",
            Some(tape_arn("WRONG0001")),
            "does not have the barcode prefix NEW",
            "does not have the barcode MINE0001",
        ),
        ("barcodes", Some("MINE0001".to_owned()), of_account, of_account),
    ];
    for (tapes, arn, why_tapes, why_tape) in cases {
        let [several, one] = wrong_tapes(tapes).await;
        for (refused, why) in [(&several, why_tapes), (&one, why_tape)] {
            assert_eq!(
                (refused.code, refused.reason.as_str()),
                (Code::Internal, "UPSTREAM_UNREADABLE")
            );
            assert_eq!(refused.metadata["outcome"], "unknown", "{tapes}: {refused:?}");
            assert_eq!(refused.metadata["retry"], "same_call", "{tapes}: {refused:?}");
            assert_eq!(refused.metadata["attempts"], "1", "{tapes}: {refused:?}");
            assert!(
                refused.metadata.contains_key("aws_request_id"),
                "{tapes}: {refused:?}"
            );
            assert!(refused.message.contains(why), "{tapes}: {}", refused.message);
        }
        assert_eq!(one.metadata.get("tape_arns"), arn.as_ref(), "{tapes}: {one:?}");
        let named = several.metadata["tape_arns"].split(',').count();
        assert_eq!(
            named,
            if tapes == "fewer" { 1 } else { 2 },
            "{tapes}: {several:?}"
        );
    }
    let [several, one] = wrong_tapes("barcodes").await;
    // Every wrong ARN is named, not only the first.
    assert_eq!(
        several.message.matches(of_account).count(),
        2,
        "{}",
        several.message
    );
    assert_eq!(one.metadata["tape_arns"], "MINE0001");
}

#[tokio::test]
async fn a_response_with_the_same_tape_twice_or_with_too_many_tapes_is_an_error_that_fits_the_details() {
    let arns = |count: usize| (0..count).map(|number| tape_arn(&format!("NEW{number:06X}")));
    let twice = vec![tape_arn("NEW000001"); 2];
    let long = format!("{}{}", tape_arn("NEW000001"), "0".repeat(10_000));
    let cases = [
        (twice, "is named twice", 2),
        (arns(3).collect(), "2 tapes requested, 3 tapes named", 3),
        (arns(5_000).collect(), "2 tapes requested, 5000 tapes named", 10),
        (
            arns(1).chain([long]).collect(),
            "is longer than an ARN of a tape",
            1,
        ),
    ];
    for (arns, why, named) in cases {
        let upstream = Upstream::always(Reply::ok(&json!({ "TapeARNs": arns }))).await;
        let service = Service::over(&upstream, &[]).await;
        let status = service
            .client()
            .create_tapes(create_tapes("token-1"))
            .await
            .unwrap_err();
        let refused = refusal(&status);
        assert_eq!(refused.reason, "UPSTREAM_UNREADABLE");
        assert_eq!(refused.metadata["outcome"], "unknown");
        assert!(refused.message.contains(why), "{}", refused.message);
        let shown: Vec<_> = refused.metadata["tape_arns"].split(',').collect();
        assert_eq!(shown.len(), named, "{shown:?}");
        assert!(status.details().len() * 4 / 3 <= MAX_ENCODED - MAX_MESSAGE);
        assert_eq!(upstream.asked().len(), 1);
    }
}

#[tokio::test]
async fn the_same_call_finds_out_what_an_attempt_before_the_last_one_did() {
    let reset = json!({"kind": "reset", "when": "after", "operations": ["CreateTapes"], "calls": 1});
    let denied = json!({
        "kind": "error", "code": "AccessDeniedException", "operations": ["CreateTapes"], "calls": 1, "when": "before",
    });
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("faults.json");
    // The denial is for the second attempt: a rule that has hit lets the next one decide.
    std::fs::write(&rules, json!([reset, denied]).to_string()).unwrap();
    let service = Service::dev(&[&format!("--emulator-faults={}", rules.display())]).await;
    let mut client = service.client();
    let refused = refusal(&client.create_tapes(create_tapes("token-1")).await.unwrap_err());
    assert_eq!(refused.reason, "ACCESS_DENIED_EXCEPTION", "{refused:?}");
    for (key, value) in [
        ("outcome", "unknown"),
        ("earlier_outcome", "unknown"),
        ("retry", "same_call"),
    ] {
        assert_eq!(refused.metadata[key], value, "{refused:?}");
    }
    let created = client.create_tapes(create_tapes("token-1")).await.unwrap();
    assert_eq!(created.into_inner().tape_arns.len(), 2);
}
