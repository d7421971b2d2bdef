use futures_util::{StreamExt, stream};
use http::Request;
use http_body_util::Empty;
use serde_json::json;
use tapegate::grpc::proto::DescribeTapesRequest;
use tower::ServiceExt;

use super::Scrape;
use crate::harness::{Reply, Site, Upstream, bearer, collect};

/// How many names of each kind callers make up; `TAPEGATE_CARDINALITY` overrides it.
fn many() -> usize {
    std::env::var("TAPEGATE_CARDINALITY").map_or(1_000, |many| many.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_callers_make_up_add_no_series() {
    let upstream = Upstream::answering(|asked| {
        // An unknown code, different each time.
        let code = format!(
            "Code{}",
            asked.body["GatewayARN"].as_str().unwrap().len() * 7 + asked.bytes.len()
        );
        std::future::ready(Reply::aws(
            400,
            &json!({ "__type": code, "message": asked.body.to_string() }),
        ))
    })
    .await;
    let site = Site::new();
    let flags = ["--max-concurrent-calls=100"];
    let service = site.over(&upstream, &site.config(), &flags).await;
    let channel = service.channel();
    let one = async |number: usize| {
        let name = format!("caller-{number}");
        let token = site
            .es256
            .token(&site.claims(&name, &["operators", &format!("group-{number}")]));
        let mut client = bearer(channel.clone(), Some(&token));
        let barcode = format!("B{number:07}");
        let request = DescribeTapesRequest {
            gateway_arn: format!("arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-{number:08X}"),
            tape_arns: vec![crate::harness::tape_arn(&barcode)],
            ..Default::default()
        };
        collect(client.describe_tapes(request).await).await.unwrap_err();
        // An unknown method, and a malformed token.
        let request = Request::post(format!("http://service/tapegate.v1.TapeService/Method{number}"))
            .header("content-type", "application/grpc")
            .header("authorization", format!("Bearer word{number}"))
            .body(tonic::body::Body::new(Empty::new()))
            .unwrap();
        drop(channel.clone().oneshot(request).await.unwrap());
    };
    // A few calls create every series that ever exists.
    stream::iter(0..10).for_each_concurrent(4, one).await;
    let before = Scrape::of(&service).await;
    stream::iter(10..many()).for_each_concurrent(20, one).await;
    let after = Scrape::of(&service).await;
    let new: Vec<_> = after
        .0
        .keys()
        .filter(|series| !before.0.contains_key(*series))
        .collect();
    println!(
        "{} callers, ARNs, barcodes and methods: {} series",
        many(),
        after.0.len()
    );
    assert!(new.is_empty(), "{new:?}");
    let ended = r#"rpc_server_call_duration_seconds_count{error_type="UNKNOWN",rpc_method="_OTHER""#;
    assert!(!after.0.keys().any(|series| series.starts_with(ended)));
}
