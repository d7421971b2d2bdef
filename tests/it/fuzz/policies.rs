//! Policies: the input is a file of Cedar.

use std::{fs, net::IpAddr, sync::Arc};

use tapegate::{
    access::policy::{AuthorizationRequest, PolicyEngine, TapeView},
    call::Caller,
    domain::{AccountId, DescribeTapes, ListTapes, PageRequest, Principal, Proof, Region, Scope},
};

const GATEWAY: &str = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B";

fn requests() -> [AuthorizationRequest; 3] {
    let groups = ["operators".to_owned()];
    let agent = Principal::new("agent-7".to_owned(), groups, Proof::Certificate).unwrap();
    let caller = Caller::new(agent, IpAddr::from([10, 1, 2, 3]));
    let (region, account): (Region, AccountId) =
        ("us-east-1".parse().unwrap(), "123456789012".parse().unwrap());
    let page = PageRequest::default;
    let tapes = Arc::new([]);
    let describe = DescribeTapes {
        gateway: GATEWAY.parse().unwrap(),
        tapes: tapes.clone(),
        page: page(),
    };
    let list = ListTapes {
        scope: Scope {
            region: region.clone(),
            account: Some(account.clone()),
        },
        tapes,
        page: page(),
    };
    let tape = TapeView {
        arn: "arn:aws:storagegateway:us-east-1:123456789012:tape/AB0001",
        barcode: "AB0001",
        pool: "GLACIER",
        status: "ARCHIVED".into(),
        gateway: Some(GATEWAY),
    };
    [
        AuthorizationRequest::of(&caller, &describe, "GLACIER"),
        AuthorizationRequest::of(&caller, &list, "GLACIER"),
        AuthorizationRequest::of_tape(&caller, Some(&account), &region, &tape),
    ]
}

/// Policies are valid, or have at least one fault. Valid ones decide as they do when all are evaluated.
pub fn run(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policies.cedar"), bytes).unwrap();
    match PolicyEngine::open("policy.path", folder.path()) {
        Ok(engine) => {
            let engine = engine.load();
            for request in requests() {
                // Twice, the second time from the cache.
                for _ in 0..2 {
                    assert_eq!(engine.decide(&request), engine.decide_unoptimized(&request));
                }
            }
        }
        Err(faults) => assert!(!faults.is_empty()),
    }
}
