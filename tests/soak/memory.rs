//! Memory of the running program while it lists many tapes.

use serde_json::Value;
use tapegate::grpc::proto::{DescribeTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient};
use tonic::transport::Endpoint;

use crate::{
    harness::{Program, Reply, Upstream},
    pagination::{full_page, page_number},
};

#[tokio::test]
#[ignore = "measures memory; tests/soak/run runs it"]
async fn memory_does_not_grow_with_the_length_of_a_list() {
    const PAGES: usize = 110;
    const ROWS: usize = 1000;
    let upstream = Upstream::answering(|asked| {
        let number = page_number(&asked);
        let mut page = full_page(number, ROWS);
        if number + 1 == PAGES {
            page["Marker"] = Value::Null;
        }
        std::future::ready(Reply::ok(&page))
    })
    .await;
    let program = Program::over(&upstream.endpoint(), "warn");
    // Windows smaller than a page, so that a pause of the reader is one of the stream.
    let endpoint = Endpoint::from_shared(program.grpc.clone())
        .unwrap()
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(1 << 20);
    let mut client = TapeServiceClient::new(endpoint.connect().await.unwrap());

    let mut other = client.clone();
    let mut pages = client
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap()
        .into_inner();
    let (mut number, mut early, mut late) = (0, 0, 0);
    while let Some(page) = pages.message().await.unwrap() {
        assert_eq!(page.tape_infos.len(), ROWS);
        number += 1;
        // The pause: meanwhile other calls come and go on the same connection.
        for _ in 0..3 {
            let nothing = DescribeTapesRequest::default();
            other.describe_tapes(nothing).await.unwrap_err();
        }
        // The first 10,000 tapes warm the program up; 100,000 more must take no more.
        let most = if number <= 10 { &mut early } else { &mut late };
        *most = program.resident().max(*most);
    }
    assert_eq!(number, PAGES);
    println!("resident: {early} KiB over the first 10,000 tapes, {late} KiB over 100,000 more");
    assert!(late - early < 8 * 1024, "grew from {early} KiB to {late} KiB");
}
