//! Responses of creates whose ARNs are not those of the new tapes.

use axum::{body::Body, http::header::CONTENT_LENGTH, response::Response};
use http_body_util::BodyExt;
use serde_json::Value;

use super::rule::WrongTapes;

/// The response of a create with wrong ARNs. A response without ARNs stays as it is.
pub(super) async fn apply(wrong: WrongTapes, response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = body.collect().await;
    let body = body.expect("the emulator's own answers are in memory").to_bytes();
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&body) else {
        return Response::from_parts(head, Body::from(body));
    };
    if let Some(Value::Array(arns)) = members.get_mut("TapeARNs") {
        for arn in arns.iter_mut() {
            *arn = changed(wrong, arn);
        }
        match wrong {
            WrongTapes::Fewer => drop(arns.pop()),
            WrongTapes::Repeated => arns.extend(arns.first().cloned()),
            _ => {}
        }
    }
    if let Some(arn) = members.get_mut("TapeARN") {
        *arn = changed(wrong, arn);
        if wrong == WrongTapes::Fewer {
            members.remove("TapeARN");
        }
    }
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(Value::Object(members).to_string()))
}

/// An ARN of a tape, `arn:PARTITION:storagegateway:REGION:ACCOUNT:tape/BARCODE`, with a wrong part.
fn changed(wrong: WrongTapes, arn: &Value) -> Value {
    let mut parts: Vec<_> = arn.as_str().unwrap_or_default().splitn(6, ':').collect();
    match (wrong, &mut parts[..]) {
        (WrongTapes::OtherRegion, [_, _, _, region, ..]) => *region = "eu-central-1",
        (WrongTapes::OtherAccount, [_, _, _, _, account, _]) => *account = "999999999999",
        (WrongTapes::OtherBarcode, [.., tape]) => *tape = "tape/WRONG0001",
        (WrongTapes::Barcodes, [.., tape]) => {
            return tape.trim_start_matches("tape/").into();
        }
        _ => {}
    }
    parts.join(":").into()
}
