//! The ends of connections: no answer is lost, and none lasts for ever.

use std::{iter, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use prost::Message;
use tapegate::grpc::proto::{DescribeTapesRequest, ListTapesRequest, tape_service_client::TapeServiceClient};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, codec::CompressionEncoding, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use crate::harness::{
    GATEWAY, Program, Service, Site, Upstream, collect, eventually,
    http2::{self, Frame, GOAWAY, PING, RST_STREAM, Reader, Writer, connect},
    refusal,
};

/// The payload of the PING that follows the GOAWAY of a graceful shutdown in the library h2.
const SHUTDOWN_PING: [u8; 8] = [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54];

/// More than any response here.
const WINDOW: u32 = 1 << 24;

fn list(limit: i32) -> Vec<u8> {
    let request = ListTapesRequest {
        limit,
        max_items: limit.into(),
        ..Default::default()
    };
    request.encode_to_vec()
}

/// All frames up to the end of the connection.
async fn rest(reader: &mut Reader) -> std::io::Result<Vec<Frame>> {
    let all = async {
        let mut frames = Vec::new();
        while let Some(frame) = reader.frame().await? {
            frames.push(frame);
        }
        Ok(frames)
    };
    timeout(Duration::from_secs(20), all)
        .await
        .expect("the connection ends")
}

/// A connection on which the service has written a whole answer, of which the client has read only the first
/// frames.
async fn unread_answer(service: &Service) -> (Writer, Reader) {
    // The kernel of the client takes so little that the answer waits in the kernel of the service.
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, Some(16 << 10)).await;
    writer.open_window(WINDOW).await;
    writer.head(1, "ListTapes", &[]).await;
    writer.message(1, &list(1000)).await;
    // From now on the service only has to write.
    while reader.frame().await.unwrap().unwrap().kind != http2::DATA {}
    (writer, reader)
}

#[tokio::test]
async fn a_drain_loses_no_answer_of_a_client_that_reads_late_and_still_sends() {
    for _ in 0..5 {
        let mut service = Service::dev(&["--emulator-seed-tapes=1000", "--send-timeout=2s"]).await;
        let (mut writer, mut reader) = unread_answer(&service).await;
        service.begin_stop();
        // While nothing is read, PINGs arrive, some of them after the service has read for the last time.
        // The service closes the connection when its own PING is answered, which the client cannot see, or
        // after send_timeout.
        let until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < until {
            let sent = writer.frame(PING, 0, 0, &[7; 8]).await;
            let answered = writer.frame(PING, http2::ACK, 0, &SHUTDOWN_PING).await;
            if sent.and(answered).is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let frames = rest(&mut reader).await.unwrap();
        assert!(frames.iter().any(|frame| frame.ends(1)), "the answer has no end");
        assert!(frames.iter().any(|frame| frame.kind == GOAWAY));
        drop(writer);
        service.stop().await.unwrap();
    }
}

/// Reads up to the end of the answer, as a proxy does that had to wait for its own client: it has written
/// before it reads.
async fn read_late(mut writer: Writer, mut reader: Reader) {
    sleep(Duration::from_secs(4)).await;
    for _ in 0..3 {
        writer.frame(PING, 0, 0, &[7; 8]).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    while !reader
        .frame()
        .await
        .unwrap()
        .expect("the answer has an end")
        .ends(1)
    {}
}

#[tokio::test]
async fn a_drain_waits_for_a_client_that_reads_an_answer_seconds_later() {
    let mut service = Service::dev(&["--emulator-seed-tapes=1000"]).await;
    let (writer, reader) = unread_answer(&service).await;
    service.begin_stop();
    read_late(writer, reader).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_at_its_age_waits_for_a_client_that_reads_an_answer_seconds_later() {
    let service = Service::dev(&["--emulator-seed-tapes=1000", "--max-connection-age=1s"]).await;
    let (mut writer, reader) = unread_answer(&service).await;
    // The answer is written, and the connection is old: its first GOAWAY is out, and with the answer to the PING
    // the library has no more to do.
    sleep(Duration::from_millis(1300)).await;
    writer.frame(PING, http2::ACK, 0, &SHUTDOWN_PING).await.unwrap();
    read_late(writer, reader).await;
}

#[tokio::test]
async fn a_client_that_has_read_all_and_does_not_close_its_connection_delays_no_drain() {
    let mut service = Service::dev(&["--emulator-seed-tapes=1000"]).await;
    let (mut writer, mut reader) = unread_answer(&service).await;
    let began = Instant::now();
    service.begin_stop();
    let reading = async {
        while let Some(frame) = reader.frame().await.unwrap() {
            if frame.kind == PING && frame.flags & http2::ACK == 0 {
                writer.frame(PING, http2::ACK, 0, &frame.payload).await.unwrap();
            }
        }
    };
    reading.await;
    service.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(writer);
}

#[tokio::test]
async fn connections_that_were_opened_together_do_not_reach_their_age_together() {
    let service = Service::dev(&["--max-connection-age=2s"]).await;
    let began = Instant::now();
    let mut going = Vec::new();
    for _ in 0..20 {
        let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
        going.push(tokio::spawn(async move {
            writer.acknowledge().await;
            while reader.frame().await.unwrap().unwrap().kind != GOAWAY {}
            began.elapsed()
        }));
    }
    let mut ages = Vec::new();
    for age in going {
        ages.push(age.await.unwrap());
    }
    ages.sort();
    let (first, last) = (ages[0], ages[ages.len() - 1]);
    assert!(first >= Duration::from_millis(1800), "{ages:?}");
    assert!(last - first > Duration::from_millis(100), "{ages:?}");
}

#[tokio::test]
async fn a_connection_whose_call_never_ends_is_closed_after_the_grace() {
    let service = Service::dev(&["--max-connection-age=1s", "--max-connection-age-grace=1s"]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    writer.acknowledge().await;
    writer.frame(PING, http2::ACK, 0, &SHUTDOWN_PING).await.unwrap();
    // The message of this call never comes.
    writer.head(1, "ListTapes", &[]).await;
    let frames = rest(&mut reader).await.unwrap();
    let goaway = frames.iter().find(|frame| frame.kind == GOAWAY).unwrap();
    // NO_ERROR: the client did nothing wrong.
    assert_eq!(goaway.payload[4..8], [0; 4]);
}

#[tokio::test]
async fn a_stream_that_outlasts_the_grace_is_told_why_it_ends() {
    let service = Service::dev(&["--max-connection-age=1s", "--max-connection-age-grace=1s"]).await;
    let mut health = HealthClient::new(service.channel());
    let watch = health.watch(HealthCheckRequest::default()).await.unwrap();
    let mut watch = watch.into_inner();
    let ended = async {
        loop {
            if let Err(status) = watch.message().await {
                return status;
            }
        }
    };
    let status = timeout(Duration::from_secs(20), ended)
        .await
        .expect("the watch ends");
    let told = refusal(&status);
    assert_eq!(
        (told.code, &*told.reason),
        (Code::Unavailable, "CONNECTION_CLOSED")
    );
    assert!(told.details.retry_info().is_some());
}

#[tokio::test]
async fn an_idle_connection_gives_its_place_to_a_new_one_and_a_used_one_does_not() {
    let service = Service::dev(&["--max-connections=2"]).await;
    let (mut used, mut reads_used) = connect(service.addresses.grpc, WINDOW, None).await;
    // A call whose message never comes.
    used.head(1, "ListTapes", &[]).await;
    let (mut idle, mut reads_idle) = connect(service.addresses.grpc, WINDOW, None).await;
    idle.acknowledge().await;
    idle.frame(PING, http2::ACK, 0, &SHUTDOWN_PING).await.unwrap();
    let told = tokio::spawn(async move { rest(&mut reads_idle).await });
    // A client that needs a connection repeats until it has one.
    let mut client = service.client();
    let served = async || {
        client
            .clone()
            .list_tapes(ListTapesRequest::default())
            .await
            .is_ok()
    };
    eventually("the new connection is served", served).await;
    let frames = told.await.unwrap().unwrap();
    assert!(frames.iter().any(|frame| frame.kind == GOAWAY));
    used.frame(PING, 0, 0, &[1; 8]).await.unwrap();
    while reads_used.frame().await.unwrap().unwrap().kind != PING {}
    client.list_tapes(ListTapesRequest::default()).await.unwrap();
    let (_, metrics) = service.admin("/metrics").await;
    let displaced = "tapegate_server_connections_total{tapegate_result=\"displaced\"} 1";
    assert!(metrics.contains(displaced), "{metrics}");
}

#[tokio::test]
async fn one_address_cannot_take_all_places() {
    let service = Service::dev(&["--max-connections-per-address=1"]).await;
    let (mut used, _reader) = connect(service.addresses.grpc, WINDOW, None).await;
    used.head(1, "ListTapes", &[]).await;
    let status = service
        .client()
        .list_tapes(ListTapesRequest::default())
        .await
        .unwrap_err();
    assert!(
        matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown),
        "{status:?}"
    );
    let (_, metrics) = service.admin("/metrics").await;
    assert!(
        metrics.contains("{tapegate_result=\"refused_of_address\"}"),
        "{metrics}"
    );
}

/// A list whose page is larger than the window of its stream, and which is not read.
async fn stalled(writer: &mut Writer, reader: &mut Reader, stream: u32, headers: &[(&str, &str)]) {
    writer.head(stream, "ListTapes", headers).await;
    writer.message(stream, &list(1000)).await;
    while !reader.frame().await.unwrap().unwrap().is(http2::DATA, stream) {}
}

#[tokio::test]
async fn a_call_whose_client_does_not_read_is_reset_and_its_neighbours_go_on() {
    for (flags, headers) in [
        (vec!["--send-timeout=500ms"], vec![]),
        // The deadline ends it earlier, a second after it has passed.
        (vec![], vec![("grpc-timeout", "200m")]),
    ] {
        let service = Service::dev(&[&["--emulator-seed-tapes=1000"][..], &flags].concat()).await;
        let (mut writer, mut reader) = connect(service.addresses.grpc, 20_000, None).await;
        writer.open_window(WINDOW).await;
        stalled(&mut writer, &mut reader, 1, &headers).await;
        // The neighbour waits for the first message of its own, and is no stalled reader.
        writer.head(3, "ListTapes", &[]).await;
        let reset = async {
            loop {
                let frame = reader.frame().await.unwrap().unwrap();
                if frame.is(RST_STREAM, 1) {
                    return frame;
                }
            }
        };
        let reset = timeout(Duration::from_secs(10), reset)
            .await
            .expect("the call is reset");
        // CANCEL
        assert_eq!(reset.payload, [0, 0, 0, 8]);
        writer.message(3, &list(1)).await;
        while !reader.frame().await.unwrap().unwrap().ends(3) {}
        let (_, metrics) = service.admin("/metrics").await;
        assert!(
            metrics.contains("tapegate_server_stalled_calls_total 1"),
            "{metrics}"
        );
    }
}

#[tokio::test]
async fn a_call_whose_client_never_opens_its_window_is_reset() {
    let service = Service::dev(&["--send-timeout=500ms"]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, 0, None).await;
    writer.open_window(WINDOW).await;
    writer.head(1, "ListTapes", &[]).await;
    writer.message(1, &list(1)).await;
    let reset = async { while !reader.frame().await.unwrap().unwrap().is(RST_STREAM, 1) {} };
    timeout(Duration::from_secs(10), reset)
        .await
        .expect("the call is reset");
}

#[tokio::test]
async fn beyond_max_unread_bytes_the_call_that_was_unread_for_longest_is_reset() {
    let flags = ["--emulator-seed-tapes=1000", "--max-unread-bytes=1048576"];
    let service = Service::dev(&flags).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, 20_000, None).await;
    writer.open_window(WINDOW).await;
    let mut reset = Vec::new();
    // A page has some 125 KB.
    for number in 0..12 {
        let stream = 2 * number + 1;
        writer.head(stream, "ListTapes", &[]).await;
        writer.message(stream, &list(1000)).await;
        loop {
            let frame = reader.frame().await.unwrap().unwrap();
            if frame.is(http2::DATA, stream) {
                break;
            }
            if frame.kind == RST_STREAM {
                reset.push(frame.stream);
            }
        }
    }
    let another = async {
        while reset.is_empty() {
            let frame = reader.frame().await.unwrap().unwrap();
            reset.extend((frame.kind == RST_STREAM).then_some(frame.stream));
        }
    };
    timeout(Duration::from_secs(10), another)
        .await
        .expect("a call is reset");
    assert_eq!(reset[0], 1);
    // A client that reads is served meanwhile.
    let request = ListTapesRequest {
        limit: 1000,
        ..Default::default()
    };
    let rows = collect(service.client().list_tapes(request).await).await.unwrap();
    assert_eq!(rows.iter().map(|page| page.tape_infos.len()).sum::<usize>(), 1000);
}

#[tokio::test]
async fn a_slow_reader_that_reads_is_not_reset() {
    let service = Service::dev(&["--emulator-seed-tapes=1000", "--send-timeout=1s"]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, 20_000, None).await;
    writer.open_window(WINDOW).await;
    stalled(&mut writer, &mut reader, 1, &[]).await;
    // The page takes longer than the timeout, but the reader is never still for so long.
    let mut ended = false;
    for _ in 0..6 {
        sleep(Duration::from_millis(250)).await;
        writer
            .frame(http2::WINDOW_UPDATE, 0, 1, &20_000_u32.to_be_bytes())
            .await
            .unwrap();
    }
    writer
        .frame(http2::WINDOW_UPDATE, 0, 1, &WINDOW.to_be_bytes())
        .await
        .unwrap();
    while !ended {
        let frame = reader.frame().await.unwrap().unwrap();
        assert!(!frame.is(RST_STREAM, 1));
        ended = frame.ends(1);
    }
}

#[tokio::test]
async fn a_flood_of_pings_is_slowed_down_and_its_connection_goes_on() {
    // A PING counts as ten frames.
    let service = Service::dev(&["--max-control-frames=1000"]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    let began = Instant::now();
    let pings: Vec<u8> = (0..200_u64)
        .flat_map(|number| {
            let head = [0, 0, 8, PING, 0, 0, 0, 0, 0];
            head.into_iter().chain(number.to_be_bytes())
        })
        .collect();
    writer.bytes(&pings).await.unwrap();
    let mut answered = 0;
    while answered < 200 {
        let frame = reader.frame().await.unwrap().unwrap();
        answered += usize::from(frame.kind == PING && frame.flags == http2::ACK);
    }
    writer.head(1, "ListTapes", &[]).await;
    writer.message(1, &list(1)).await;
    while !reader.frame().await.unwrap().unwrap().ends(1) {}
    assert!(
        began.elapsed() > Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
}

/// How long calls with this path take, one after the other on each of so many connections.
async fn calls(service: &Service, path: &str, connections: usize, number: u32) -> Duration {
    let began = Instant::now();
    let all = (0..connections).map(async |_| {
        let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
        for stream in (0..number).map(|number| 2 * number + 1) {
            writer.head_of(stream, path, &[]).await;
            writer.message(stream, &[]).await;
            while !reader.frame().await.unwrap().unwrap().ends(stream) {}
        }
    });
    join_all(all).await;
    began.elapsed()
}

#[tokio::test]
async fn a_client_whose_calls_need_no_aws_is_slowed_down_except_a_proxy() {
    const REJECTED: &str = "/tapegate.v1.TapeService/NoSuchMethod";
    const HEALTH: &str = "/grpc.health.v1.Health/Check";
    const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    // Such a call counts as fifty frames. Sixteen connections share what four may send.
    let least = Duration::from_millis(1300);
    for (path, trusted, connections, number, is_slow) in [
        (REJECTED, "[]", 1, 31, true),
        (HEALTH, "[]", 1, 31, true),
        (REFLECTION, "[]", 1, 31, true),
        (REJECTED, "[]", 16, 10, true),
        (REJECTED, "[\"127.0.0.1/32\"]", 16, 10, false),
    ] {
        let site = Site::new();
        let config = format!(
            "max_control_frames = 1000\ntrusted_proxies = {trusted}\n{}",
            site.config()
        );
        let service = site.run(&config, &[]).await;
        let took = calls(&service, path, connections, number).await;
        assert_eq!(took > least, is_slow, "{path}: {took:?}");
    }
}

#[tokio::test]
async fn a_client_that_opens_more_streams_than_it_may_is_slowed_down() {
    let service = Service::dev(&["--max-control-frames=1000", "--max-concurrent-streams=1"]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    let began = Instant::now();
    // A call whose message never comes.
    writer.head(1, "ListTapes", &[]).await;
    for stream in (1..40).map(|number| 2 * number + 1) {
        writer.head(stream, "ListTapes", &[]).await;
        while !reader.frame().await.unwrap().unwrap().is(RST_STREAM, stream) {}
    }
    assert!(
        began.elapsed() > Duration::from_millis(1300),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn many_questions_to_reflection_wait() {
    let service = Service::dev(&["--max-control-frames=1000"]).await;
    let mut reflection = ServerReflectionClient::new(service.channel());
    let question = || ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let began = Instant::now();
    for _ in 0..2 {
        let questions = stream::iter(iter::repeat_with(question).take(200));
        let answers = reflection.server_reflection_info(questions).await.unwrap();
        assert_eq!(answers.into_inner().count().await, 200);
    }
    // A question counts as ten frames; those of one DATA frame are answered before the connection waits.
    assert!(
        began.elapsed() > Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn requests_that_do_not_end_hold_at_most_max_arriving_bytes() {
    const PART: usize = 1_000_000;
    let service = Service::dev(&["--max-arriving-bytes=8388608", "--max-concurrent-streams=100"]).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
        writer.head(1, "DescribeTapes", &[]).await;
        let announced = u32::try_from(PART + 1).unwrap().to_be_bytes();
        writer
            .frame(http2::DATA, 0, 1, &[&[0], &announced[..]].concat())
            .await
            .unwrap();
        http2::send_part(&mut writer, &mut reader, PART).await;
        held.push((writer, reader));
    }
    // Nine have no room, so the two that began first have ended.
    for (_, reader) in &mut held[..2] {
        let ended = async { while !reader.frame().await.unwrap().unwrap().ends(1) {} };
        timeout(Duration::from_secs(10), ended)
            .await
            .expect("the first requests end");
    }
    let (_, metrics) = service.admin("/metrics").await;
    let counted = "tapegate_server_shed_calls_total{tapegate_limit=\"max_arriving_bytes\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    // A large request that ends is served meanwhile, and so are those that were held.
    let request = DescribeTapesRequest {
        gateway_arn: GATEWAY.to_owned(),
        tape_arns: (0..10_000)
            .map(|number| format!("arn:aws:storagegateway:us-east-1:123456789012:tape/AAA{number:05}"))
            .collect(),
        ..Default::default()
    };
    let status = collect(service.client().describe_tapes(request).await)
        .await
        .unwrap_err();
    assert_ne!(status.code(), Code::Unavailable, "{status:?}");
    let (writer, reader) = &mut held[9];
    writer.frame(http2::DATA, 1, 1, &[0]).await.unwrap();
    while !reader.frame().await.unwrap().unwrap().ends(1) {}
}

#[tokio::test]
async fn a_health_check_whose_message_does_not_come_ends() {
    let service = Service::dev(&[]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    writer.head_of(1, "/grpc.health.v1.Health/Check", &[]).await;
    let ended = async { while !reader.frame().await.unwrap().unwrap().ends(1) {} };
    timeout(Duration::from_secs(10), ended)
        .await
        .expect("the check ends");
}

#[tokio::test]
async fn the_clients_of_one_address_cannot_take_all_watches_and_checks() {
    // A tenth of the calls are watches, and a quarter of those are for one address.
    let service = Service::dev(&["--max-concurrent-calls=40"]).await;
    let mut health = HealthClient::new(service.channel());
    let mut watch = async || health.watch(HealthCheckRequest::default()).await;
    let held = watch().await.unwrap();
    let told = refusal(&watch().await.unwrap_err());
    assert_eq!((told.code, &*told.reason), (Code::Unavailable, "OVERLOADED"));
    drop(held);
    eventually("the place is free again", async || watch().await.is_ok()).await;
    // Checks whose messages do not come.
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    for number in 0..16 {
        writer
            .head_of(2 * number + 1, "/grpc.health.v1.Health/Check", &[])
            .await;
    }
    writer.frame(PING, 0, 0, &[1; 8]).await.unwrap();
    while reader.frame().await.unwrap().unwrap().kind != PING {}
    let mut health = HealthClient::new(service.channel());
    let told = refusal(&health.check(HealthCheckRequest::default()).await.unwrap_err());
    assert_eq!((told.code, &*told.reason), (Code::Unavailable, "OVERLOADED"));
}

#[tokio::test]
async fn what_is_rejected_before_it_is_a_call_is_counted() {
    let service = Service::dev(&[]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    writer
        .head(1, "ListTapes", &[(":authority", "10.0.0.1,10.0.0.2")])
        .await;
    while !reader.frame().await.unwrap().unwrap().is(RST_STREAM, 1) {}
    let (_, metrics) = service.admin("/metrics").await;
    let counted = "tapegate_server_protocol_errors_total{tapegate_code=\"PROTOCOL_ERROR\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn rejected_calls_whose_messages_come_late_leave_their_connection_open() {
    let service = Service::dev(&[]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    // More than a library allows of a client's errors on one connection.
    for number in 0..1100 {
        let stream = 2 * number + 1;
        // Rejected by its head alone.
        writer.head(stream, "NoSuchMethod", &[]).await;
        while !reader.frame().await.unwrap().unwrap().ends(stream) {}
        writer.message(stream, &list(1)).await;
    }
    writer.frame(PING, 0, 0, &[1; 8]).await.unwrap();
    loop {
        let frame = reader.frame().await.unwrap().expect("the connection is open");
        assert_ne!(frame.kind, GOAWAY);
        if frame.kind == PING {
            break;
        }
    }
}

#[tokio::test]
async fn the_line_of_a_call_that_finds_no_room_names_the_limit() {
    let upstream = Upstream::answering(|_| std::future::pending()).await;
    let endpoint = format!("--upstream-endpoint={}", upstream.endpoint());
    let flags = [
        "serve",
        "--allow-anonymous",
        "--region=us-east-1",
        "--max-concurrent-calls=1",
        &endpoint,
    ];
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret"),
    ];
    let mut program = Program::start(&flags, variables);
    let channel = Endpoint::from_shared(program.grpc.clone()).unwrap();
    let mut client = TapeServiceClient::new(channel.connect().await.unwrap());
    let mut other = client.clone();
    let _first = tokio::spawn(async move { client.list_tapes(ListTapesRequest::default()).await });
    upstream.was_asked(1).await;
    other.list_tapes(ListTapesRequest::default()).await.unwrap_err();
    let line = program.logged("setting max_concurrent_calls").await;
    assert!(line.contains("call ended"), "{line}");
}

#[tokio::test]
async fn a_request_with_many_messages_is_rejected_at_the_second_one() {
    let service = Service::dev(&[]).await;
    let (mut writer, mut reader) = connect(service.addresses.grpc, WINDOW, None).await;
    writer.head(1, "DescribeTapes", &[]).await;
    let messages = [0; 5 * 3000];
    writer.frame(http2::DATA, 0, 1, &messages).await.unwrap();
    // It does not wait for the end of the request.
    let ended = async { while !reader.frame().await.unwrap().unwrap().ends(1) {} };
    timeout(Duration::from_secs(10), ended)
        .await
        .expect("the call ends");
}

#[tokio::test]
async fn a_request_with_too_many_values_is_rejected_before_they_are_decoded() {
    let service = Service::dev(&[]).await;
    // A kilobyte on the wire.
    let request = DescribeTapesRequest {
        gateway_arn: GATEWAY.to_owned(),
        tape_arns: vec![String::new(); 400_000],
        ..Default::default()
    };
    let mut client = service.client().send_compressed(CompressionEncoding::Gzip);
    let status = client.describe_tapes(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("more than 5000 values"), "{status:?}");
}
