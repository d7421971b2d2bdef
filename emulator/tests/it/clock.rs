use std::time::{Duration, SystemTime};

use tapegate_emulator::Settings;

use super::{GATEWAY, Running, SIZE, settings};

/// When a tape made now was made, by the emulator's clock.
async fn made(emulator: &Running, barcode: &str) -> SystemTime {
    let client = emulator.client();
    let create = client.create_tape_with_barcode().gateway_arn(GATEWAY);
    let made = create.tape_size_in_bytes(SIZE).tape_barcode(barcode).send();
    let arn = made.await.unwrap().tape_arn.unwrap();
    let described = client.describe_tapes().gateway_arn(GATEWAY).tape_arns(arn);
    let tapes = described.send().await.unwrap();
    (*tapes.tapes()[0].tape_created_date().unwrap())
        .try_into()
        .unwrap()
}

async fn at_scale(time_scale: u32) -> Running {
    Running::start(Settings {
        time_scale,
        ..settings()
    })
    .await
}

#[tokio::test]
async fn a_stopped_clock_moves_only_by_steps() {
    let emulator = at_scale(0).await;
    let first = made(&emulator, "CLOCK1").await;
    assert_eq!(made(&emulator, "CLOCK2").await, first);
    emulator.emulator.step(Duration::from_millis(43_200_250));
    let second = made(&emulator, "CLOCK3").await;
    // The wire's floating point is exact to a millisecond, no further.
    let ran = second.duration_since(first).unwrap() + Duration::from_micros(500);
    assert_eq!(ran.as_millis(), 43_200_250);
}

#[tokio::test]
async fn a_scaled_clock_runs_ahead_by_its_factor_and_signatures_still_pass() {
    let emulator = at_scale(1_000_000).await;
    let first = made(&emulator, "CLOCK1").await;
    let before = SystemTime::now();
    let mut last = first;
    for n in 0..10 {
        let next = made(&emulator, &format!("CLOCK2{n}")).await;
        assert!(next > last);
        last = next;
    }
    let ran = last.duration_since(first).unwrap();
    assert!(ran >= Duration::from_secs(60), "{ran:?}");
    // The first tape was made before `before`, but not by more than a minute.
    let most = (before.elapsed().unwrap() + Duration::from_secs(60)) * 1_000_000;
    assert!(ran <= most, "{ran:?} of {most:?}");
}

#[tokio::test]
async fn a_clock_stepped_past_every_date_stops_where_clients_can_read_it() {
    let emulator = at_scale(1).await;
    emulator.emulator.step(Duration::MAX);
    emulator.emulator.step(Duration::MAX);
    let last = made(&emulator, "CLOCK1").await;
    assert_eq!(
        last.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(),
        253_370_764_800
    );
}

#[tokio::test]
async fn the_control_api_shows_the_clock_and_steps_it() {
    let emulator = at_scale(0).await;
    let clock = async |body: Option<serde_json::Value>| {
        let method = if body.is_some() { "POST" } else { "GET" };
        let body = body.map_or(String::new(), |body| body.to_string());
        let answer = emulator.control(method, "/_emulator/clock", body).send().await;
        assert_eq!(answer.status, 200);
        let answer = answer.json();
        assert_eq!(answer["time_scale"], 0);
        let now: jiff::Timestamp = answer["now"].as_str().unwrap().parse().unwrap();
        SystemTime::from(now)
    };
    let first = clock(None).await;
    assert_eq!(clock(None).await, first);
    assert!(SystemTime::now().duration_since(first).unwrap() < Duration::from_secs(60));
    let step = |seconds: u64| Some(serde_json::json!({ "step_seconds": seconds }));
    let second = first + Duration::from_secs(43_200);
    assert_eq!(clock(step(43_200)).await, second);
    assert_eq!(clock(step(0)).await, second);
    let made = made(&emulator, "CLOCK1").await;
    let off = made
        .duration_since(second)
        .unwrap_or_else(|error| error.duration());
    assert!(off < Duration::from_millis(1), "{off:?}");
    // A hundred years is the longest step; the clock ends in the year 9999.
    for _ in 0..81 {
        clock(step(3_155_760_000)).await;
    }
    let last: jiff::Timestamp = "9999-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(clock(None).await, SystemTime::from(last));
}

#[tokio::test]
async fn an_invalid_step_is_rejected() {
    let emulator = at_scale(3).await;
    for body in [
        "{}",
        r#"{"step_seconds": -1}"#,
        r#"{"step_seconds": 1.5}"#,
        r#"{"step_seconds": "1"}"#,
        r#"{"step_seconds": 3155760001}"#,
        r#"{"step_seconds": 1, "seconds": 1}"#,
        "[1]",
    ] {
        let answer = emulator.control("POST", "/_emulator/clock", body).send().await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 1, "{body}");
    }
    let shown = emulator
        .control("GET", "/_emulator/clock", "")
        .send()
        .await
        .json();
    assert_eq!(shown["time_scale"], 3);
    let now: jiff::Timestamp = shown["now"].as_str().unwrap().parse().unwrap();
    assert!(SystemTime::from(now) < SystemTime::now() + Duration::from_secs(3_600));
}
