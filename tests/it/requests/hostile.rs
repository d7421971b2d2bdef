//! Text that is meant to break what shows it, in each text field of each request.

use prost::Message;
use tapegate::grpc::proto::{
    CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
    ListTapesRequest, create_tape_with_barcode_request as barcode_request,
    create_tapes_request as tapes_request,
};
use tonic::Code;

use super::{Attacked, refused, valid};
use crate::wire;

fn texts() -> Vec<String> {
    let odd = [
        "\0",
        "\u{1}\u{1b}[31mred\u{7f}",
        "line\r\ngrpc-status: 0\r\n\r\n",
        "100 %41%zz%",
        "\"quoted\" \\ back",
        "größe 本 🎞 \u{202e}txet",
        "{}{:?}$HOME",
        "\u{fffd}\u{10ffff}",
    ];
    let long =
        ["a", "%", "\0", "\n", "🎞", "\u{10ffff}"].map(|unit| unit.repeat(((1 << 20) - 2_000) / unit.len()));
    odd.into_iter().map(str::to_owned).chain(long).collect()
}

/// The method, the path of the field, and the request with this text in it.
fn with(text: &str) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    fn but<R: Message + Default>(method: &str, change: impl FnOnce(&mut R)) -> Vec<u8> {
        let mut request = R::decode(&valid(method)[..]).unwrap();
        change(&mut request);
        request.encode_to_vec()
    }
    let text = || text.to_owned();
    let tapes =
        |path, change: &dyn Fn(&mut CreateTapesRequest)| ("CreateTapes", path, but("CreateTapes", change));
    let tape = |path, change: &dyn Fn(&mut CreateTapeWithBarcodeRequest)| {
        (
            "CreateTapeWithBarcode",
            path,
            but("CreateTapeWithBarcode", change),
        )
    };
    let describe = |path, change: &dyn Fn(&mut DescribeTapesRequest)| {
        ("DescribeTapes", path, but("DescribeTapes", change))
    };
    let archives = |path, change: &dyn Fn(&mut DescribeTapeArchivesRequest)| {
        ("DescribeTapeArchives", path, but("DescribeTapeArchives", change))
    };
    let list = |path, change: &dyn Fn(&mut ListTapesRequest)| ("ListTapes", path, but("ListTapes", change));
    vec![
        tapes("gateway_arn", &|r| r.gateway_arn = text()),
        tapes("client_token", &|r| r.client_token = text()),
        tapes("tape_barcode_prefix", &|r| r.tape_barcode_prefix = text()),
        tapes("kms_key", &|r| r.kms_key = Some(text())),
        tapes("custom_pool_id", &|r| {
            r.pool = Some(tapes_request::Pool::CustomPoolId(text()));
        }),
        tapes("tags[1].key", &|r| r.tags[1].key = text()),
        tapes("tags[1].value", &|r| r.tags[1].value = text()),
        tape("gateway_arn", &|r| r.gateway_arn = text()),
        tape("tape_barcode", &|r| r.tape_barcode = text()),
        tape("kms_key", &|r| r.kms_key = Some(text())),
        tape("custom_pool_id", &|r| {
            r.pool = Some(barcode_request::Pool::CustomPoolId(text()));
        }),
        tape("tags[0].key", &|r| r.tags[0].key = text()),
        tape("tags[0].value", &|r| r.tags[0].value = text()),
        describe("gateway_arn", &|r| r.gateway_arn = text()),
        describe("tape_arns[1]", &|r| r.tape_arns[1] = text()),
        describe("marker", &|r| r.marker = text()),
        archives("tape_arns[0]", &|r| r.tape_arns[0] = text()),
        archives("marker", &|r| r.marker = text()),
        archives("region", &|r| r.region = Some(text())),
        archives("account_id", &|r| r.account_id = Some(text())),
        list("tape_arns[0]", &|r| r.tape_arns[0] = text()),
        list("marker", &|r| r.marker = text()),
        list("region", &|r| r.region = Some(text())),
        list("account_id", &|r| r.account_id = Some(text())),
    ]
}

/// Fields that accept most texts, if they are not too long.
const FREE: [&str; 4] = ["client_token", "marker", "tags[0].value", "tags[1].value"];

#[tokio::test]
async fn hostile_text_is_rejected_in_every_field() {
    let attacked = Attacked::start(&[]).await;
    for text in texts() {
        for (method, path, message) in with(&text) {
            let raw = attacked.post(method, &[], wire::frame(&message)).await;
            if FREE.contains(&path) && text.len() < 1_000 && raw.status().code() == Code::Ok {
                continue;
            }
            let refused = refused(&raw);
            assert_eq!(
                (refused.code, refused.reason.as_str()),
                (Code::InvalidArgument, "INVALID_REQUEST")
            );
            assert_eq!(refused.fields(), [path], "{method}: {}", refused.message);
            let violation = &refused.details.bad_request().unwrap().field_violations[0];
            let shown = [&refused.message, &violation.description];
            assert!(
                shown.iter().all(|shown| !shown.contains(char::is_control)),
                "control characters reach a terminal: {shown:?}"
            );
        }
    }
    attacked.ends_well().await;
}
