//! Policies on trial are not enforced, and decisions that they would change are counted.

use tapegate::{
    access::{
        Authority,
        policy::{Policies, PolicyEngine, TapeView},
    },
    call::{Call, Caller},
    domain::{ListTapes, Principal, Proof},
};

use tapegate::grpc::proto::ListTapesRequest;

use super::attacks::OPERATORS;
use crate::harness::{Site, bearer, collect, transport};

#[tokio::test]
async fn policies_on_trial_are_not_enforced() {
    let site = Site::new();
    std::fs::create_dir(site.path("trial")).unwrap();
    site.write("trial/site.cedar", "forbid (principal, action, resource);");
    let flag = format!("--policy-trial={}", site.path("trial").display());
    let service = site.run(&site.config(), &[&flag]).await;
    let mut client = bearer(service.channel(), Some(&site.jwt("somebody", OPERATORS)));
    let pages = collect(client.list_tapes(ListTapesRequest::default()).await)
        .await
        .unwrap();
    let shown: usize = pages.iter().map(|page| page.tape_infos.len()).sum();
    assert_eq!(shown, 250);
}

#[test]
fn decisions_that_differ_on_trial_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, policies: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("all.cedar"), policies).unwrap();
        std::sync::Arc::new(PolicyEngine::open("policies of a test", &path).unwrap())
    };
    let real = open("real", "permit (principal, action, resource);");
    let trial = open(
        "trial",
        r#"permit (principal == TapeGate::Agent::"same", action, resource);
           permit (principal, action == TapeGate::Action::"ReadTape", resource) when { resource.pool == "GLACIER" };"#,
    );
    let policies = std::sync::Arc::new(Policies::new(real.clone(), Some(trial), "GLACIER".to_owned()));
    let authority = Authority::Policies(policies.clone());
    let list: ListTapes = transport::list(1);
    for (name, differs) in [("same", 0), ("other", 1)] {
        let principal = Principal::new(name.to_owned(), [], Proof::Certificate).unwrap();
        let caller = Caller::new(principal, std::net::Ipv4Addr::LOCALHOST.into());
        let before = policies.trial_differs();
        let deadline = tokio::time::Instant::now();
        let call = Call::new(&transport::context(), caller.clone(), list.clone(), deadline);
        authority.authorize(call).unwrap();
        assert_eq!(policies.trial_differs() - before, differs, "{name}");
        let filter = authority.row_filter(&caller, &list).unwrap();
        let tape = |pool| TapeView {
            arn: "",
            barcode: "",
            pool,
            status: "".into(),
            gateway: None,
        };
        assert_eq!(filter.may_show(&tape("GLACIER")), (true, false));
        assert_eq!(filter.may_show(&tape("DEEP_ARCHIVE")), (true, name == "other"));
        authority.record_filtering(&caller, 0, 7);
        assert_eq!(policies.trial_differs() - before, differs + 7);
    }
    // Policies that ignore the resource need no filter.
    let everything = std::sync::Arc::new(Policies::new(real, None, "GLACIER".to_owned()));
    assert!(
        Authority::Policies(everything)
            .row_filter(&transport::anonymous(), &list)
            .is_none()
    );
}
