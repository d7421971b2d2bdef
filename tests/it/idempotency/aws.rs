use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tapegate::grpc::proto::CreateTapeWithBarcodeRequest;
use tonic::{Request, Response, Status};

use crate::harness::{GATEWAY, Refusal, Reply, SIZE, Service, Upstream, refusal, tape_arn};

pub(super) const BARCODE: &str = "MINE0001";
pub(super) const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/mine";

/// What AWS is to answer: to the creates in order, the last one over and over, and to those who
/// look. A list's answer is made anew each time.
#[derive(Clone)]
pub(super) struct Aws {
    pub(super) creates: Vec<Reply>,
    pub(super) list: Reply,
    pub(super) library: Reply,
    pub(super) archive: Reply,
}

impl Aws {
    /// Has no tape, and answers creates like this.
    pub(super) fn answering(creates: &[Reply]) -> Self {
        Self {
            creates: creates.to_vec(),
            list: Reply::ok(&json!({ "TapeInfos": [] })),
            library: Reply::ok(&json!({ "Tapes": [] })),
            archive: Reply::ok(&json!({ "TapeArchives": [] })),
        }
    }

    /// The same, with a tape in the library of the gateway: as it is asked for by [`tape`], but
    /// for these members, and so old.
    pub(super) fn with(self, members: &Value, age: Duration) -> Self {
        let mut row = json!({
            "TapeARN": tape_arn(BARCODE),
            "TapeSizeInBytes": SIZE,
            "TapeStatus": "AVAILABLE",
            "PoolId": "GLACIER",
            "TapeCreatedDate": seconds_ago(age),
        });
        for (name, value) in members.as_object().unwrap() {
            row[name] = value.clone();
        }
        Self {
            list: listed(&json!({ "GatewayARN": GATEWAY })),
            library: Reply::ok(&json!({ "Tapes": [row] })),
            ..self
        }
    }

    pub(super) async fn serve(self) -> Upstream {
        let aws = Arc::new((self, AtomicUsize::new(0)));
        Upstream::answering(move |asked| {
            let aws = aws.clone();
            async move {
                let (aws, created) = &*aws;
                match asked.operation.as_str() {
                    "ListTapes" => aws.list.clone(),
                    "DescribeTapes" => aws.library.clone(),
                    "DescribeTapeArchives" => aws.archive.clone(),
                    _ => {
                        let place = created.fetch_add(1, Ordering::SeqCst);
                        aws.creates[place.min(aws.creates.len() - 1)].clone()
                    }
                }
            }
        })
        .await
    }
}

/// A page of ListTapes with the tape, and these members.
pub(super) fn listed(members: &Value) -> Reply {
    let mut row = json!({ "TapeARN": tape_arn(BARCODE), "TapeSizeInBytes": SIZE, "PoolId": "GLACIER" });
    for (name, value) in members.as_object().unwrap() {
        row[name] = value.clone();
    }
    Reply::ok(&json!({ "TapeInfos": [row] }))
}

pub(super) fn seconds_ago(age: Duration) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now - age).as_secs_f64()
}

/// A refusal with this nested code.
pub(super) fn refused(code: &str) -> Reply {
    let body = json!({
        "__type": "InvalidGatewayRequestException",
        "error": { "errorCode": code },
        "message": "No.",
    });
    Reply::aws(400, &body)
}

/// A failure of which nobody knows whether it made the tape.
pub(super) fn failed() -> Reply {
    Reply::aws(500, &json!({ "__type": "InternalServerError", "message": "Oh." }))
}

pub(super) fn made() -> Reply {
    Reply::ok(&json!({ "TapeARN": tape_arn(BARCODE) }))
}

pub(super) fn tape() -> CreateTapeWithBarcodeRequest {
    CreateTapeWithBarcodeRequest {
        gateway_arn: GATEWAY.into(),
        tape_size_in_bytes: SIZE,
        tape_barcode: BARCODE.into(),
        ..Default::default()
    }
}

/// Repeats at once.
pub(super) const QUICK: [&str; 2] = ["--retry-base=1ms", "--retry-cap=2ms"];

/// Asks for the tape, and for the tape as it says that it was sent before.
pub(super) async fn create(
    service: &Service,
    tape: CreateTapeWithBarcodeRequest,
    resent: bool,
) -> CreateResult {
    let mut request = Request::new(tape);
    if resent {
        request
            .metadata_mut()
            .insert("grpc-previous-rpc-attempts", 1.into());
    }
    CreateResult(
        service
            .client()
            .create_tape_with_barcode(request)
            .await
            .map(Response::into_inner),
    )
}

/// What the caller was told.
#[derive(Debug)]
pub(super) struct CreateResult(Result<tapegate::grpc::proto::CreateTapeWithBarcodeResponse, Status>);

impl CreateResult {
    pub(super) fn made(self) {
        assert_eq!(self.0.unwrap().tape_arn, tape_arn(BARCODE));
    }

    pub(super) fn refusal(self) -> Refusal {
        refusal(&self.0.unwrap_err())
    }

    /// There is a tape: in what it differs (nothing: it matches), and what the create has come to.
    pub(super) fn exists(self, differs: &str, outcome: &str) {
        let told = self.refusal();
        assert_eq!(
            (told.code, told.reason.as_str()),
            (tonic::Code::AlreadyExists, "TAPE_EXISTS"),
            "{told:?}"
        );
        assert_eq!(
            told.metadata["matches"],
            differs.is_empty().to_string(),
            "{told:?}"
        );
        let said = told.metadata.get("differs").map_or("", String::as_str);
        assert_eq!(said, differs, "{told:?}");
        assert_eq!(told.metadata["outcome"], outcome, "{told:?}");
        let resource = told.details.resource_info().unwrap();
        assert_eq!(resource.resource_name, tape_arn(BARCODE));
    }

    /// AWS refused it.
    pub(super) fn invalid(self, outcome: &str) {
        let told = self.refusal();
        assert_eq!(
            (told.code, told.reason.as_str()),
            (tonic::Code::InvalidArgument, "INVALID_PARAMETERS"),
            "{told:?}"
        );
        assert_eq!(told.metadata["outcome"], outcome, "{told:?}");
        assert!(told.details.retry_info().is_none());
    }
}
