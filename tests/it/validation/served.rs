//! Regions and accounts that are not served are rejected before any request to AWS.

use tapegate::grpc::{
    convert::Rules,
    proto::{
        CreateTapeWithBarcodeRequest, CreateTapesRequest, DescribeTapeArchivesRequest, DescribeTapesRequest,
        ListTapesRequest,
    },
};
use tonic::Code;

use super::{Sample, invalid_fields_under, rules, violations};
use crate::harness::{GATEWAY, Reply, Service, Upstream, refusal, tape_arn};

const OURS: &str = "123456789012";
const THEIRS: &str = "210987654321";

fn our_account() -> Rules {
    Rules {
        account_id: Some(OURS.parse().unwrap()),
        accounts: [(OURS.parse().unwrap(), rules().regions)].into(),
        ..rules()
    }
}

#[test]
fn a_gateway_in_another_region_is_rejected() {
    let elsewhere = GATEWAY.replace("us-east-1", "eu-west-1");
    let create = CreateTapesRequest::but(|r| r.gateway_arn = elsewhere.clone());
    assert_eq!(invalid_fields_under(&rules(), create), ["gateway_arn"]);
    let create = CreateTapeWithBarcodeRequest::but(|r| r.gateway_arn = elsewhere.clone());
    assert_eq!(invalid_fields_under(&rules(), create), ["gateway_arn"]);
    let describe = DescribeTapesRequest::but(|r| r.gateway_arn = elsewhere);
    let violations = violations(&rules(), describe);
    let [(field, why)] = &violations[..] else {
        panic!("{violations:?}")
    };
    assert_eq!(field, "gateway_arn");
    assert!(why.contains("eu-west-1") && why.contains("us-east-1"), "{why}");
}

/// The regions that are served are no secret. The accounts are one: no error names another account than
/// the request.
#[test]
fn a_violation_names_no_account_but_that_of_the_request() {
    let describe = DescribeTapesRequest::but(|r| r.gateway_arn = GATEWAY.replace(OURS, THEIRS));
    let list = ListTapesRequest::but(|r| r.account_id = Some(THEIRS.into()));
    let without_default = Rules {
        account_id: None,
        ..our_account()
    };
    for (told, part) in [
        (
            violations(&our_account(), describe),
            "account 210987654321 is not served; ask",
        ),
        (
            violations(&our_account(), list),
            "account 210987654321 is not served; ask",
        ),
        (
            violations(&without_default, ListTapesRequest::default()),
            "required; ask",
        ),
    ] {
        let [(_, why)] = &told[..] else { panic!("{told:?}") };
        assert!(why.contains(part) && !why.contains(OURS), "{why}");
    }
}

#[test]
fn a_gateway_of_another_account_is_rejected() {
    for (account, expected) in [(OURS, &[][..]), (THEIRS, &["gateway_arn"])] {
        let arn = GATEWAY.replace(OURS, account);
        let describe = DescribeTapesRequest::but(|r| r.gateway_arn = arn.clone());
        assert_eq!(invalid_fields_under(&our_account(), describe.clone()), expected);
        assert!(
            invalid_fields_under(&rules(), describe).is_empty(),
            "any account is served by default"
        );
        let create = CreateTapesRequest::but(|r| r.gateway_arn = arn);
        assert_eq!(invalid_fields_under(&our_account(), create), expected);
    }
}

#[test]
fn a_requested_region_or_account_must_be_served() {
    let list = |region: Option<&str>, account: Option<&str>| {
        let (region, account_id) = (region.map(Into::into), account.map(Into::into));
        ListTapesRequest::but(|r| (r.region, r.account_id) = (region, account_id))
    };
    let refused = |request| invalid_fields_under(&our_account(), request);
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
    assert_eq!(invalid_fields_under(&our_account(), archives), ["region"]);
}

/// Tapes must belong to the region and account of the call; if the account is not known, to a served
/// one.
#[test]
fn a_tape_of_another_account_is_rejected() {
    let theirs = tape_arn("TEST01").replace(OURS, THEIRS);
    let arns = vec![tape_arn("TEST01"), theirs];
    let list = ListTapesRequest::but(|r| r.tape_arns = arns.clone());
    let archives = DescribeTapeArchivesRequest::but(|r| r.tape_arns = arns);
    assert!(invalid_fields_under(&rules(), list.clone()).is_empty());
    assert_eq!(
        invalid_fields_under(&our_account(), list.clone()),
        ["tape_arns[1]"]
    );
    assert_eq!(
        invalid_fields_under(&our_account(), archives.clone()),
        ["tape_arns[1]"]
    );
}

#[test]
fn a_tape_of_another_account_and_region_is_told_both_at_once() {
    let arn = tape_arn("TEST01")
        .replace(OURS, THEIRS)
        .replace("us-east-1", "eu-west-1");
    let list = ListTapesRequest::but(|r| r.tape_arns = vec![arn]);
    let violations = violations(&our_account(), list);
    let told: Vec<_> = violations
        .iter()
        .map(|(field, why)| format!("{field}: {why}"))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, part) in told
        .iter()
        .zip(["region set to eu-west-1", "account_id set to 210987654321"])
    {
        assert!(
            told.starts_with("tape_arns[0]: ") && told.contains(part),
            "{told}"
        );
    }
}

#[tokio::test]
async fn the_settings_decide_what_is_served() {
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
    assert_eq!(upstream.asked().len(), 1, "a rejected request does not reach AWS");
}
