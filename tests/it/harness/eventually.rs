use tokio::time::{Duration, sleep, timeout};

/// Waits until this holds, and fails if it does not within moments.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let came = timeout(Duration::from_secs(20), waiting).await;
    assert!(came.is_ok(), "never: {what}");
}
