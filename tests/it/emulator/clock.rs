use std::time::{Duration, SystemTime};

use tapegate::emulator::Settings;

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
async fn a_stopped_clock_moves_by_steps_alone() {
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
