//! Regions and accounts that are not served are refused before any call, wherever a
//! request names them.

use tapegate::grpc::{
    convert::Rules,
    proto::{
        CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
        ListTapesRequest,
    },
};
use tonic::Code;

use super::{Sample, faults, refused_under, rules};
use crate::harness::{GATEWAY, Reply, Service, Upstream, refusal, tape_arn};

const OURS: &str = "123456789012";
const THEIRS: &str = "210987654321";

fn our_account() -> Rules {
    Rules {
        accounts: [OURS.parse().unwrap()].into(),
        ..rules()
    }
}

#[test]
fn the_region_of_a_gateway() {
    let elsewhere = GATEWAY.replace("us-east-1", "eu-west-1");
    let create = CreateTapesRequest::but(|r| r.gateway_arn = elsewhere.clone());
    assert_eq!(refused_under(&rules(), create), ["gateway_arn"]);
    let create = CreateTapeWithBarcodeRequest::but(|r| r.gateway_arn = elsewhere.clone());
    assert_eq!(refused_under(&rules(), create), ["gateway_arn"]);
    let describe = DescribeTapesRequest::but(|r| r.gateway_arn = elsewhere);
    let faults = faults(&rules(), describe);
    let [(field, why)] = &faults[..] else {
        panic!("{faults:?}")
    };
    assert_eq!(field, "gateway_arn");
    assert!(why.contains("eu-west-1") && why.contains("us-east-1"), "{why}");
}

#[test]
fn the_account_of_a_gateway() {
    for (account, expected) in [(OURS, &[][..]), (THEIRS, &["gateway_arn"])] {
        let arn = GATEWAY.replace(OURS, account);
        let describe = DescribeTapesRequest::but(|r| r.gateway_arn = arn.clone());
        assert_eq!(refused_under(&our_account(), describe.clone()), expected);
        assert!(
            refused_under(&rules(), describe).is_empty(),
            "any account is served by default"
        );
        let create = CreateTapesRequest::but(|r| r.gateway_arn = arn);
        assert_eq!(refused_under(&our_account(), create), expected);
    }
}

#[test]
fn a_region_and_an_account_that_are_chosen() {
    let list = |region: Option<&str>, account: Option<&str>| {
        let (region, account_id) = (region.map(Into::into), account.map(Into::into));
        ListTapesRequest::but(|r| (r.region, r.account_id) = (region, account_id))
    };
    let refused = |request| refused_under(&our_account(), request);
    let none: [&str; 0] = [];
    assert_eq!(refused(list(Some("us-east-1"), Some(OURS))), none);
    assert_eq!(refused(list(Some("me"), None)), none);
    assert_eq!(refused(list(Some("eu-west-1"), None)), ["region"]);
    assert_eq!(
        refused(list(Some("US-EAST-1"), Some(THEIRS))),
        ["region", "account_id"]
    );
    assert_eq!(refused(list(Some(""), Some(""))), ["region", "account_id"]);
    let archives = DescribeTapeArchivesRequest::but(|r| r.region = Some("eu-west-1".into()));
    assert_eq!(refused_under(&our_account(), archives), ["region"]);
}

/// Tapes have to be of the call's own region and account; with no account known, of one
/// that is served.
#[test]
fn the_account_of_a_tape() {
    let theirs = tape_arn("TEST01").replace(OURS, THEIRS);
    let arns = vec![tape_arn("TEST01"), theirs];
    let list = ListTapesRequest::but(|r| r.tape_arns = arns.clone());
    let archives = DescribeTapeArchivesRequest::but(|r| r.tape_arns = arns);
    assert!(refused_under(&rules(), list.clone()).is_empty());
    assert_eq!(refused_under(&our_account(), list.clone()), ["tape_arns[1]"]);
    assert_eq!(refused_under(&our_account(), archives.clone()), ["tape_arns[1]"]);
    let by_default = Rules {
        account_id: Some(OURS.parse().unwrap()),
        ..our_account()
    };
    assert_eq!(refused_under(&by_default, list), ["tape_arns[1]"]);
    assert_eq!(refused_under(&by_default, archives), ["tape_arns[1]"]);
}

#[tokio::test]
async fn as_a_file_of_settings_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tapegate.toml");
    std::fs::write(
        &file,
        format!("regions = [\"us-east-1\", \"eu-west-1\"]\naccounts = [\"{OURS}\"]\n"),
    )
    .unwrap();
    let upstream = Upstream::always(Reply::ok(&serde_json::json!({"TapeInfos": []}))).await;
    let service = Service::over(&upstream, &["--config", file.to_str().unwrap()]).await;
    let list = |region: &str| ListTapesRequest {
        region: Some(region.into()),
        ..Default::default()
    };
    service.client().list_tapes(list("eu-west-1")).await.unwrap();
    let status = service.client().list_tapes(list("eu-west-2")).await.unwrap_err();
    let refused = refusal(&status);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::InvalidArgument, "INVALID_REQUEST")
    );
    assert_eq!(refused.fields(), ["region"]);
    let theirs = DescribeTapesRequest {
        gateway_arn: GATEWAY.replace(OURS, THEIRS),
        ..Default::default()
    };
    let status = service.client().describe_tapes(theirs).await.unwrap_err();
    assert_eq!(refusal(&status).fields(), ["gateway_arn"]);
    assert_eq!(upstream.asked().len(), 1, "what is refused is not asked");
}
