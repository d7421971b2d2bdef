use tapegate::grpc::proto::{CreateTapesRequest, DescribeTapesRequest};
use tonic::Code;

use super::*;
use crate::harness::{SIZE, collect, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn each_call_lands_in_its_account_signed_by_its_role() {
    let world = World::new().await;
    let program = world.serve(ACCOUNTS, &["--allow-anonymous"]);
    let mut client = connect(&program).await;
    for (account, region, tapes) in [
        (MAIN, "us-east-1", 5),
        (MAIN, "eu-west-1", 0),
        (BACKUP, "us-east-1", 5),
        (CHINA, "cn-north-1", 5),
    ] {
        let arns = list(&mut client, account, region).await.unwrap();
        assert_eq!(arns.len(), tapes, "{account} {region}");
        let middle = format!(":storagegateway:{region}:{account}:tape/");
        assert!(arns.iter().all(|arn| arn.contains(&middle)), "{arns:?}");
        let signed = world.signed().pop().unwrap();
        let wanted = [account, region, &role(account), "tapegate", "OK"];
        assert_eq!(signed, wanted);
    }
    // Where a gateway is named, its ARN decides.
    for account in [MAIN, BACKUP, CHINA] {
        let request = DescribeTapesRequest {
            gateway_arn: gateway(account),
            ..Default::default()
        };
        let pages = collect(client.describe_tapes(request).await).await.unwrap();
        assert!(!pages.is_empty());
        let created = client
            .create_tapes(CreateTapesRequest {
                gateway_arn: gateway(account),
                client_token: format!("token-of-{account}"),
                num_tapes_to_create: 1,
                tape_barcode_prefix: "NEW".to_owned(),
                tape_size_in_bytes: SIZE,
                ..Default::default()
            })
            .await
            .unwrap();
        assert!(created.into_inner().tape_arns[0].contains(account));
        assert_eq!(world.signed().pop().unwrap()[2], role(account));
    }
    // Each role was assumed once, by the credentials of its profile, with its external id.
    let sts = world.emulator.calls().into_iter();
    let assumed: Vec<_> = sts
        .filter(|call| call.service == "sts")
        .map(|call| (call.operation, call.account, call.outcome))
        .collect();
    let mut wanted = [MAIN, BACKUP, CHINA].map(|account| ("AssumeRole", account.to_owned(), "OK".to_owned()));
    let mut assumed_once = assumed.clone();
    assumed_once.sort();
    wanted.sort();
    assert_eq!(assumed_once, wanted, "{assumed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_or_region_outside_the_table_is_an_error_before_any_call() {
    let world = World::new().await;
    let program = world.serve(
        &ACCOUNTS.replacen("account_id", "# account_id", 1),
        &["--allow-anonymous"],
    );
    let mut client = connect(&program).await;
    let fields = |status: tonic::Status| {
        let refused = refusal(&status);
        assert_eq!(refused.code, Code::InvalidArgument);
        refused.fields().join(" ")
    };
    for (account, region) in [
        ("444444444444", "us-east-1"),
        (BACKUP, "eu-west-1"),
        (CHINA, "us-east-1"),
    ] {
        let status = list(&mut client, account, region).await.unwrap_err();
        assert_eq!(fields(status), "account_id", "{account} {region}");
    }
    let status = list(&mut client, MAIN, "eu-west-2").await.unwrap_err();
    assert_eq!(fields(status), "region");
    // Without a default account, a call must name one.
    let status = client.list_tapes(ListTapesRequest::default()).await.unwrap_err();
    assert_eq!(fields(status), "account_id");
    for gateway in [
        gateway("444444444444"),
        gateway(BACKUP).replace("us-east-1", "eu-west-1"),
        gateway(CHINA).replace("aws-cn", "aws"),
    ] {
        let request = DescribeTapesRequest {
            gateway_arn: gateway,
            ..Default::default()
        };
        let status = client.describe_tapes(request).await.unwrap_err();
        assert_eq!(fields(status), "gateway_arn");
    }
    assert_eq!(world.signed().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_role_is_renewed_without_a_failed_call() {
    let world = World::new().await;
    let program = world.serve(
        ACCOUNTS,
        &[
            "--allow-anonymous",
            "--upstream-credentials-pause=1ms",
            "--log-filter=error",
        ],
    );
    let mut client = connect(&program).await;
    for number in 0..60 {
        if number % 20 == 10 {
            assert!(world.emulator.expire_sessions(&role(BACKUP)) > 0);
        }
        list(&mut client, BACKUP, "us-east-1").await.unwrap();
        list(&mut client, MAIN, "us-east-1").await.unwrap();
    }
    let sessions = world.emulator.sessions().into_iter();
    let of_backup = sessions.filter(|(session, _)| session.account == BACKUP).count();
    assert_eq!(of_backup, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_assume_a_role_are_rotated_without_a_failed_call() {
    let world = World::new().await;
    let flags = [
        "--allow-anonymous",
        "--upstream-credentials-pause=1ms",
        "--log-filter=error",
        "--reload-interval=10ms",
    ];
    let program = world.serve(ACCOUNTS, &flags);
    let mut client = connect(&program).await;
    list(&mut client, MAIN, "us-east-1").await.unwrap();
    // The old key of the main account is replaced by that of another, which may assume the role too.
    let keys = PROFILES.map(|(profile, _, _)| {
        format!("[{profile}]\naws_access_key_id = AKIDBACKUP\naws_secret_access_key = secret-of-the-tests\n")
    });
    write_keys(world.home.path(), &keys.concat());
    let assumed_by_new = || {
        let sessions = world.emulator.sessions().into_iter();
        sessions
            .filter(|(session, _)| session.account == MAIN && session.assumed_by.contains(BACKUP))
            .count()
    };
    while assumed_by_new() == 0 {
        world.emulator.expire_sessions(&role(MAIN));
        list(&mut client, MAIN, "us-east-1").await.unwrap();
    }
}
