//! A call that nobody decided goes nowhere, though every layer above the SDK were wrong.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tapegate::{
    domain::{Fault, Grant},
    upstream::sdk::{Clients, Sdk, SdkSettings},
};
use tower::ServiceExt;

use crate::harness::{
    Reply, Upstream,
    transport::{call, list},
};

#[tokio::test]
async fn the_sdk_is_not_reached_without_a_decision() {
    let upstream = Upstream::always(Reply::ok(&json!({ "TapeInfos": [] }))).await;
    let credentials = aws_credential_types::Credentials::for_tests();
    let settings = SdkSettings {
        endpoint: Some(upstream.endpoint()),
        credentials: Some(credentials),
        connect_timeout: Duration::from_secs(3),
        attempt_timeout: Duration::from_secs(10),
        max_answer_bytes: 1 << 20,
        credentials_pause: Duration::from_secs(10),
    };
    let region = "us-east-1".parse().unwrap();
    let sdk = Sdk::new(Arc::new(Clients::new(&settings, &region, [region.clone()]).await));
    let list = || call(list(1), Duration::from_secs(10));

    let failure = sdk.clone().oneshot(list()).await.unwrap_err();
    let Fault::Internal { cause } = &failure.fault else {
        panic!("{failure:?}");
    };
    assert!(cause.contains("ListTapes"), "{cause}");
    assert_eq!(upstream.asked(), []);

    let granted = Grant {
        policies: Arc::new([]),
    };
    sdk.oneshot(list().granted(Some(granted))).await.unwrap();
    assert_eq!(upstream.asked().len(), 1);
}
