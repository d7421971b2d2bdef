//! Faults on demand, as the SDK and as raw HTTP see them.

mod kinds;
mod rules;

use aws_sdk_storagegateway::{
    Client,
    error::SdkError,
    operation::{create_tape_with_barcode::CreateTapeWithBarcodeError, list_tapes::ListTapesError},
};
use serde_json::{Value, json};

use super::{Answer, GATEWAY, Running, SIZE, codes, settings};

const FAULTS: &str = "/_emulator/faults";

/// An emulator with these rules.
async fn with(rules: &Value) -> Running {
    let emulator = Running::start(settings()).await;
    let answer = emulator.control("POST", FAULTS, rules.to_string()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    emulator
}

async fn list(client: &Client) -> Result<(), SdkError<ListTapesError>> {
    client.list_tapes().send().await.map(drop)
}

async fn create(client: &Client, barcode: &str) -> Result<(), SdkError<CreateTapeWithBarcodeError>> {
    let call = client.create_tape_with_barcode().gateway_arn(GATEWAY);
    let call = call.tape_size_in_bytes(SIZE).tape_barcode(barcode);
    call.send().await.map(drop)
}

/// Whether the account has the tape, whatever the rules.
async fn exists(emulator: &Running, barcode: &str) -> bool {
    emulator.control("DELETE", FAULTS, "").send().await;
    let arn = format!("arn:aws:storagegateway:us-east-1:123456789012:tape/{barcode}");
    let call = emulator.client().list_tapes().tape_arns(arn);
    !call.send().await.unwrap().tape_infos().is_empty()
}

/// Which of so many calls go wrong.
async fn hits(emulator: &Running, calls: usize) -> Vec<bool> {
    let client = emulator.client();
    let mut hits = Vec::with_capacity(calls);
    for _ in 0..calls {
        hits.push(list(&client).await.is_err());
    }
    hits
}

async fn shown(emulator: &Running) -> Value {
    emulator.control("GET", FAULTS, "").send().await.json()["faults"].clone()
}
