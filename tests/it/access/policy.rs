//! The optimized evaluation decides as evaluating all policies does.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use proptest::prelude::*;
use tapegate::{
    access::{
        policy::{AuthorizationRequest, Policies, PolicyEngine, SCHEMA, TapeView},
        reload::Reloading,
    },
    call::Caller,
    domain::{
        AccountId, CreateTapes, DescribeTapes, Encryption, ListTapes, PageRequest, Principal, Proof, Region,
        Scope, TapeSize, TapeSizeBounds,
    },
};

use crate::harness::{GATEWAY, transport};

const GATEWAYS: [&str; 3] = [
    GATEWAY,
    "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-00000002",
    "arn:aws:storagegateway:eu-west-1:123456789012:gateway/sgw-00000003",
];
const POOLS: [&str; 4] = ["GLACIER", "DEEP_ARCHIVE", "pool-12345678", ""];
const STATUSES: [&str; 3] = ["AVAILABLE", "ARCHIVED", "IN_TRANSIT_TO_VTS"];
const ADDRESSES: [&str; 2] = ["10.1.2.3", "192.0.2.7"];

fn agent() -> impl Strategy<Value = String> {
    (0..3_u8).prop_map(|number| format!("TapeGate::Agent::\"agent-{number}\""))
}

fn group() -> impl Strategy<Value = String> {
    (0..3_u8).prop_map(|number| format!("TapeGate::Group::\"group-{number}\""))
}

fn gateway() -> impl Strategy<Value = String> {
    prop::sample::select(&GATEWAYS[..]).prop_map(|arn| format!("TapeGate::Gateway::\"{arn}\""))
}

fn scope() -> impl Strategy<Value = String> {
    prop::sample::select(&["123456789012/us-east-1", "123456789012/eu-west-1"][..])
        .prop_map(|id| format!("TapeGate::Scope::\"{id}\""))
}

/// One of few barcodes, so that policies match existing tapes.
fn barcode() -> impl Strategy<Value = String> {
    "[AB]{1,2}0?"
}

fn tape() -> impl Strategy<Value = String> {
    barcode().prop_map(|barcode| format!("TapeGate::Tape::\"{}\"", crate::harness::tape_arn(&barcode)))
}

fn principal() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("principal".to_owned()),
        Just("principal is TapeGate::Agent".to_owned()),
        agent().prop_map(|agent| format!("principal == {agent}")),
        group().prop_map(|group| format!("principal in {group}")),
        group().prop_map(|group| format!("principal is TapeGate::Agent in {group}")),
    ]
}

/// A condition of a policy for reading tapes.
fn condition() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        prop::sample::select(&POOLS[..]).prop_map(|pool| format!("resource.pool == \"{pool}\"")),
        prop::sample::select(&POOLS[..]).prop_map(|pool| format!("\"{pool}\" != resource.pool")),
        prop::sample::select(&STATUSES[..]).prop_map(|status| format!("resource.status == \"{status}\"")),
        prop::sample::select(&POOLS[..])
            .prop_map(|pool| format!("[\"GLACIER\", \"{pool}\"].contains(resource.pool)")),
        "[AB0*]{1,5}".prop_map(|pattern| format!("resource.barcode like \"{pattern}\"")),
        "[AB]\\\\\\*".prop_map(|pattern| format!("resource.barcode like \"{pattern}\"")),
        barcode().prop_map(|barcode| format!("resource.barcode == \"{barcode}\"")),
        barcode().prop_map(|barcode| format!("\"{barcode}\" != resource.barcode")),
        barcode().prop_map(|barcode| format!("[\"{barcode}\", resource.pool].contains(resource.barcode)")),
        Just("resource has pool".to_owned()),
        gateway().prop_map(|gateway| format!("resource in {gateway}")),
        (gateway(), gateway()).prop_map(|(one, other)| format!("resource in [{one}, {other}]")),
        scope().prop_map(|scope| format!("resource in {scope}")),
        tape().prop_map(|tape| format!("resource == {tape}")),
        tape().prop_map(|tape| format!("resource in {tape}")),
        tape().prop_map(|tape| format!("[{tape}].contains(resource)")),
        gateway().prop_map(|gateway| format!("resource is TapeGate::Tape in {gateway}")),
        Just("context.address.isInRange(ip(\"10.0.0.0/8\"))".to_owned()),
        Just("context.address == ip(\"192.0.2.7\")".to_owned()),
        agent().prop_map(|agent| format!("principal == {agent}")),
        group().prop_map(|group| format!("principal in {group}")),
        // Overflows, so that evaluating the policy fails.
        Just("9223372036854775807 + 1 > 0".to_owned()),
        Just("true".to_owned()),
    ];
    one.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) && ({other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) || ({other})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(one, two, three)| format!("if ({one}) then ({two}) else ({three})")),
        ]
    })
}

/// A policy for reading tapes.
fn of_tapes() -> impl Strategy<Value = String> {
    let resource = prop_oneof![
        Just("resource".to_owned()),
        Just("resource is TapeGate::Tape".to_owned()),
        gateway().prop_map(|gateway| format!("resource in {gateway}")),
        scope().prop_map(|scope| format!("resource in {scope}")),
        tape().prop_map(|tape| format!("resource == {tape}")),
        gateway().prop_map(|gateway| format!("resource is TapeGate::Tape in {gateway}")),
    ];
    let clauses = prop::collection::vec((any::<bool>(), condition()), 0..3);
    (any::<bool>(), principal(), resource, clauses).prop_map(|(permits, principal, resource, clauses)| {
        let effect = if permits { "permit" } else { "forbid" };
        let clauses: Vec<_> = clauses
            .iter()
            .map(|(when, clause)| format!("{} {{ {clause} }}", if *when { "when" } else { "unless" }))
            .collect();
        format!(
            "{effect} ({principal}, action == TapeGate::Action::\"ReadTape\", {resource}) {};",
            clauses.join(" ")
        )
    })
}

/// A policy for calls.
fn of_calls() -> impl Strategy<Value = String> {
    let action = prop_oneof![
        Just("action".to_owned()),
        Just("action == TapeGate::Action::\"ListTapes\"".to_owned()),
        Just("action == TapeGate::Action::\"DescribeTapes\"".to_owned()),
        Just("action in [TapeGate::Action::\"ListTapes\", TapeGate::Action::\"CreateTapes\"]".to_owned()),
    ];
    let resource = prop_oneof![
        Just("resource".to_owned()),
        scope().prop_map(|scope| format!("resource in {scope}")),
        gateway().prop_map(|gateway| format!("resource == {gateway}")),
        gateway().prop_map(|gateway| format!("resource in {gateway}")),
        scope().prop_map(|scope| format!("resource is TapeGate::Gateway in {scope}")),
        Just("resource is TapeGate::Scope".to_owned()),
    ];
    let clause = prop_oneof![
        Just(""),
        Just("when { context.address.isInRange(ip(\"10.0.0.0/8\")) }"),
        Just("unless { context has pool && context.pool == \"GLACIER\" }"),
    ];
    (any::<bool>(), principal(), action, resource, clause).prop_map(
        |(permits, principal, action, resource, clause)| {
            let effect = if permits { "permit" } else { "forbid" };
            format!("{effect} ({principal}, {action}, {resource}) {clause};")
        },
    )
}

fn caller() -> impl Strategy<Value = Caller> {
    let groups = prop::collection::vec(0..3_u8, 0..3);
    (0..3_u8, groups, prop::sample::select(&ADDRESSES[..])).prop_map(|(number, groups, address)| {
        let groups = groups.into_iter().map(|number| format!("group-{number}"));
        let principal = Principal::new(format!("agent-{number}"), groups, Proof::Certificate).unwrap();
        Caller::new(principal, address.parse().unwrap())
    })
}

/// A tape: its barcode, and the indexes of its pool, status and gateway.
fn row() -> impl Strategy<Value = (String, usize, usize, Option<usize>)> {
    let gateway = prop::option::of(0..GATEWAYS.len());
    (barcode(), 0..POOLS.len(), 0..STATUSES.len(), gateway)
}

/// Loads policies, or returns their faults.
fn engine(policies: &[String]) -> Result<Reloading<PolicyEngine>, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("random.cedar"), policies.join("\n")).unwrap();
    PolicyEngine::open("policies of a test", folder.path())
}

fn scope_of(region: &str) -> (AccountId, Region) {
    ("123456789012".parse().unwrap(), region.parse().unwrap())
}

/// Compares which tapes a caller is shown with evaluating all policies for each of them.
fn compare(
    engine: &Arc<Reloading<PolicyEngine>>,
    caller: &Caller,
    rows: &[(String, usize, usize, Option<usize>)],
) -> Result<(), String> {
    let policies = Policies::new(engine.clone(), None, "GLACIER".to_owned());
    let (account, region) = scope_of("us-east-1");
    let filter = policies.row_filter(caller, Some(&account), &region);
    let mut all = true;
    // Twice, the second time from the cache.
    for (barcode, pool, status, gateway) in rows.iter().chain(rows) {
        let arn = crate::harness::tape_arn(barcode);
        let view = TapeView {
            arn: &arn,
            barcode,
            pool: POOLS[*pool],
            status: STATUSES[*status].into(),
            gateway: gateway.map(|gateway| GATEWAYS[gateway]),
        };
        let request = AuthorizationRequest::of_tape(caller, Some(&account), &region, &view);
        let plain = engine.load().decide_unoptimized(&request);
        let (shown, _) = filter.may_show(&view);
        if shown != plain.is_allowed || engine.load().decide(&request) != plain {
            return Err(format!("{caller:?}, {view:?}: {shown}, expected {plain:?}"));
        }
        all &= shown;
    }
    match filter.shows_all() && !all {
        true => Err(format!("{caller:?}: shows_all, but not all tapes are shown")),
        false => Ok(()),
    }
}

/// The number of cases in `PROPTEST_CASES`, or 40.
fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(40, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn tapes_are_filtered_as_by_evaluating_all_policies_for_each(
        policies in prop::collection::vec(of_tapes(), 1..8),
        callers in prop::collection::vec(caller(), 1..4),
        rows in prop::collection::vec(row(), 1..30),
    ) {
        // Some random conditions do not pass validation.
        let engine = Arc::new(engine(&policies).map_err(|faults| TestCaseError::reject(faults.join("; ")))?);
        for caller in &callers {
            compare(&engine, caller, &rows).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn calls_are_decided_as_by_evaluating_all_policies(
        policies in prop::collection::vec(of_calls(), 1..10),
        callers in prop::collection::vec(caller(), 1..5),
    ) {
        let engine = engine(&policies).map_err(|faults| TestCaseError::reject(faults.join("; ")))?.load();
        let page = PageRequest::default;
        for caller in callers.iter().chain(&callers) {
            let mut requests = vec![AuthorizationRequest::of(caller, &transport::create("explained"), "GLACIER")];
            for gateway in GATEWAYS {
                let describe = DescribeTapes { gateway: gateway.parse().unwrap(), tapes: Arc::new([]), page: page() };
                requests.push(AuthorizationRequest::of(caller, &describe, "GLACIER"));
            }
            for region in ["us-east-1", "eu-west-1"] {
                let (account, region) = scope_of(region);
                let scope = Scope { region, account: Some(account) };
                let list = ListTapes { scope, tapes: Arc::new([]), page: page() };
                requests.push(AuthorizationRequest::of(caller, &list, "GLACIER"));
            }
            for request in requests {
                prop_assert_eq!(engine.decide(&request), engine.decide_unoptimized(&request), "{:?}", request);
            }
        }
    }
}

/// Tests each condition alone, on all kinds of tapes.
#[test]
fn every_attribute_that_a_policy_uses_is_found() {
    let tape = format!("TapeGate::Tape::\"{}\"", crate::harness::tape_arn("AB"));
    let gateway = format!("TapeGate::Gateway::\"{GATEWAY}\"");
    let clauses = [
        "resource.pool == \"GLACIER\"".to_owned(),
        "resource.status == \"ARCHIVED\"".to_owned(),
        "[\"GLACIER\"].contains(resource.pool)".to_owned(),
        "resource.barcode like \"A*\"".to_owned(),
        "resource.barcode like \"*B\"".to_owned(),
        "resource.barcode like \"A\"".to_owned(),
        "resource.barcode like \"A\\*\"".to_owned(),
        "resource.barcode == \"AB\"".to_owned(),
        "\"AB\" != resource.barcode".to_owned(),
        "[\"AB\"].contains(resource.barcode)".to_owned(),
        "resource.barcode == resource.pool".to_owned(),
        "(if context.address.isLoopback() then resource.pool else resource.barcode) like \"A*\"".to_owned(),
        format!("resource in {gateway}"),
        format!("resource in [{gateway}]"),
        format!("resource is TapeGate::Tape in {gateway}"),
        format!("resource == {tape}"),
        format!("{tape} != resource"),
        format!("resource in {tape}"),
        format!("resource in [{tape}]"),
        format!("resource is TapeGate::Tape in {tape}"),
        format!("[{tape}].contains(resource)"),
        format!("{{ tape: resource }} == {{ tape: {tape} }}"),
        format!("(if resource.pool == \"GLACIER\" then resource else {tape}).barcode like \"A*\""),
        "context.address.isInRange(ip(\"10.0.0.0/8\"))".to_owned(),
        "principal == TapeGate::Agent::\"agent-1\"".to_owned(),
        "principal in TapeGate::Group::\"group-1\"".to_owned(),
    ];
    let mut rows = Vec::new();
    for barcode in ["A", "AB", "B", "A*", "GLACIER"] {
        for (pool, status) in [(0, 0), (1, 0), (0, 1)] {
            rows.extend([None, Some(0), Some(1)].map(|gateway| (barcode.to_owned(), pool, status, gateway)));
        }
    }
    // The third is the first one at another address.
    let callers = [("0", "10.1.2.3"), ("1", "10.1.2.3"), ("0", "192.0.2.7")].map(|(number, address)| {
        let group = format!("group-{number}");
        let principal = Principal::new(format!("agent-{number}"), [group], Proof::Certificate).unwrap();
        Caller::new(principal, address.parse().unwrap())
    });
    let action = "action == TapeGate::Action::\"ReadTape\"";
    let mut sets: Vec<_> = clauses
        .iter()
        .flat_map(|clause| {
            [
                format!("permit (principal, {action}, resource) when {{ {clause} }};"),
                format!("permit (principal, {action}, resource) unless {{ {clause} }};"),
                format!("permit (principal, action, resource); forbid (principal, {action}, resource) when {{ {clause} }};"),
            ]
        })
        .collect();
    sets.push(format!("permit (principal, {action}, resource in {gateway});"));
    sets.push(format!("permit (principal, {action}, resource == {tape});"));
    sets.push(format!("permit (principal, {action}, resource in {tape});"));
    sets.push(format!(
        "permit (principal, {action}, resource is TapeGate::Tape in {tape});"
    ));
    for policies in sets {
        let engine = Arc::new(engine(std::slice::from_ref(&policies)).unwrap());
        for caller in &callers {
            compare(&engine, caller, &rows).unwrap_or_else(|wrong| panic!("{policies}: {wrong}"));
        }
    }
}

/// Creates that differ from the first one in one attribute of the context each.
fn creates() -> Vec<CreateTapes> {
    let first = transport::create("explained");
    let bounds = TapeSizeBounds::gib(100, 15 * 1024).unwrap();
    let changes: [fn(&mut CreateTapes, &TapeSizeBounds); 7] = [
        |_, _| {},
        |create, bounds| create.tape.size = TapeSize::new(200 << 30, bounds).unwrap(),
        |create, _| create.tape.pool = Some("DEEP_ARCHIVE".parse().unwrap()),
        |create, _| create.tape.worm = Some(true),
        |create, _| create.count = 2,
        |create, _| create.prefix = "OLD".parse().unwrap(),
        |create, _| {
            let key = "arn:aws:kms:us-east-1:123456789012:key/1".parse().unwrap();
            create.tape.encryption = Encryption::new(Some(true), Some(key)).unwrap();
        },
    ];
    let changed = changes.map(|change| {
        let mut create = first.clone();
        change(&mut create, &bounds);
        create
    });
    changed.into()
}

#[test]
fn every_attribute_of_the_context_that_a_policy_uses_is_found() {
    let clauses = [
        "context.size_gib > 150",
        "context.pool == \"DEEP_ARCHIVE\"",
        "context[\"pool\"] like \"DEEP*\"",
        "context.worm",
        "context.tapes == 2",
        "context.prefix like \"O*\"",
        "context.kms_encrypted && context.kms_key != \"\"",
        "[context.prefix, context.pool].contains(\"OLD\")",
        "context has prefix && context.prefix == \"NEW\"",
        "(if context.worm then context.pool else context.prefix) == \"GLACIER\"",
        "{ pool: context.pool, worm: context.worm } == { pool: \"GLACIER\", worm: true }",
        "context.address.isInRange(ip(\"10.0.0.0/8\"))",
        "context.tapes + 9223372036854775806 > 0",
        "true",
    ];
    let principal = Arc::new(Principal::new("agent".to_owned(), [], Proof::Certificate).unwrap());
    for clause in clauses {
        let action = "action == TapeGate::Action::\"CreateTapes\"";
        let policies = format!("permit (principal, {action}, resource) when {{ {clause} }};");
        let engine = engine(&[policies]).unwrap_or_else(|faults| panic!("{clause}: {faults:?}"));
        // Each twice, the second time from the cache.
        for _ in 0..2 {
            for address in ADDRESSES {
                let caller = Caller::new(principal.clone(), address.parse().unwrap());
                for create in creates() {
                    let request = AuthorizationRequest::of(&caller, &create, "GLACIER");
                    let plain = engine.load().decide_unoptimized(&request);
                    assert_eq!(engine.load().decide(&request), plain, "{clause}: {create:?}");
                }
            }
        }
    }
}

#[test]
fn a_policy_has_its_annotated_id_or_its_file_and_number() {
    let engine = engine(&[
        "permit (principal, action == TapeGate::Action::\"ListTapes\", resource);".to_owned(),
        "@id(\"nobody from elsewhere\") forbid (principal, action, resource) unless { context.address.isLoopback() };"
            .to_owned(),
    ])
    .unwrap()
    .load();
    let (account, region) = scope_of("us-east-1");
    let ask = |address: IpAddr| {
        let list = ListTapes {
            scope: Scope {
                region: region.clone(),
                account: Some(account.clone()),
            },
            tapes: Arc::new([]),
            page: PageRequest::default(),
        };
        let principal = Principal::new("somebody".to_owned(), [], Proof::Certificate).unwrap();
        engine.decide(&AuthorizationRequest::of(
            &Caller::new(principal, address),
            &list,
            "GLACIER",
        ))
    };
    let here = ask(Ipv4Addr::LOCALHOST.into());
    assert_eq!(
        (here.is_allowed, here.policy_names().as_str()),
        (true, "random#1")
    );
    // An IPv4 address in IPv6 form matches IPv4 ranges.
    assert!(ask("::ffff:127.0.0.1".parse().unwrap()).is_allowed);
    let elsewhere = ask("192.0.2.1".parse().unwrap());
    assert_eq!(
        (elsewhere.is_allowed, elsewhere.policy_names().as_str()),
        (false, "nobody from elsewhere")
    );
}

#[test]
fn the_schema_has_the_documented_entities_and_actions() {
    for word in [
        "Agent",
        "Group",
        "Scope",
        "Gateway",
        "Tape",
        "CreateTapes",
        "CreateTapeWithBarcode",
        "ReadTape",
    ] {
        assert!(SCHEMA.contains(word), "{word}");
    }
    // All attributes are required, so that policies can use them without `has`.
    assert!(!SCHEMA.contains('?'), "an optional attribute");
}
