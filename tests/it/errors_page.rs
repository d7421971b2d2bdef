//! docs/errors.md, the metric labels, the recording rules and the statuses follow from the table of
//! failures.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use http::HeaderMap;
use tapegate::{
    domain::{
        Attempts, DescribeTapes, ErrorDomain, Failure, FailureRow, Fault, FaultOwner, OperationKind,
        RetryRule, StatusCode,
        failure::table::{AWS_CODES, OTHER_FAILURES, UPSTREAM_UNKNOWN},
    },
    grpc::status,
    observability::metrics::labels,
};
use tonic::Status;
use tonic_types::ErrorInfo;

use crate::harness::{GATEWAY, refusal};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");

/// The generated section is the last one.
const GENERATED: &str = "\n| code | fault owner | log level | counts against the error budget | reasons |\n";

fn rows() -> impl Iterator<Item = &'static FailureRow> {
    AWS_CODES.iter().chain(OTHER_FAILURES)
}

/// The rows of each reason.
fn by_reason(domain: ErrorDomain) -> BTreeMap<&'static str, Vec<&'static FailureRow>> {
    let mut reasons = BTreeMap::<_, Vec<_>>::new();
    for row in rows().filter(|row| row.domain == domain) {
        reasons.entry(row.reason).or_default().push(row);
    }
    reasons
}

/// The cells of the tables under a heading, by reason.
fn documented(heading: &str) -> BTreeMap<String, Vec<String>> {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut documented = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        for reason in words(&cells[0]) {
            assert_eq!(
                documented.insert(reason.clone(), cells.clone()),
                None,
                "{reason} has two rows"
            );
        }
    }
    documented
}

fn words(cell: &str) -> BTreeSet<String> {
    cell.split(", ")
        .map(|word| word.trim_matches('`').to_owned())
        .collect()
}

fn codes(rows: &[&FailureRow]) -> BTreeSet<String> {
    rows.iter().map(|row| row.status.name().to_owned()).collect()
}

fn outcomes(rows: &[&FailureRow]) -> BTreeSet<String> {
    rows.iter().map(|row| row.outcome.to_string()).collect()
}

fn retries(row: &FailureRow) -> String {
    let words = [row.read, row.create].map(|rule| match rule {
        RetryRule::Never => "no",
        RetryRule::Once => "once",
        RetryRule::Soon => "yes",
        RetryRule::Slowly => "slowly",
    });
    words.join(", ")
}

#[test]
fn the_page_has_every_reason_of_the_table_and_no_other() {
    for (heading, domain) in [
        ("Reasons of this service", ErrorDomain::Tapegate),
        ("AWS codes", ErrorDomain::Aws),
    ] {
        let documented: BTreeSet<_> = documented(heading).into_keys().collect();
        let table: BTreeSet<_> = by_reason(domain).into_keys().map(str::to_owned).collect();
        assert_eq!(documented, table);
    }
}

#[test]
fn the_page_has_code_outcome_and_advice_of_each_reason() {
    // No create ends with these.
    let reads_only = ["NOT_FOUND", "UPSTREAM_MARKER_REPEATED", "UPSTREAM_PAGE_TOO_LONG"];
    let page = documented("Reasons of this service");
    for (reason, rows) in by_reason(ErrorDomain::Tapegate) {
        let [_, code, create, _, advice, _] = &page[reason][..] else {
            panic!("{reason}: {:?}", page[reason]);
        };
        assert_eq!(words(code), codes(&rows), "{reason}");
        match reads_only.contains(&reason) {
            true => assert_eq!(create, "–", "{reason}"),
            false => assert_eq!(words(create), outcomes(&rows), "{reason}"),
        }
        assert!(rows.iter().all(|row| row.advice == advice), "{reason}: {advice}");
    }
}

#[test]
fn the_page_has_code_outcome_retries_and_advice_of_each_aws_code() {
    let page = documented("AWS codes");
    for (reason, rows) in by_reason(ErrorDomain::Aws) {
        let cells = &page[reason];
        assert_eq!(words(&cells[1]), codes(&rows), "{reason}");
        assert_eq!(words(&cells[2]), outcomes(&rows), "{reason}");
        match reason == UPSTREAM_UNKNOWN {
            true => assert_eq!(cells[3], "by `http_status`"),
            false => assert!(
                rows.iter().all(|row| retries(row) == cells[3]),
                "{reason}: {cells:?}"
            ),
        }
        let for_other_operations = "AWS documents this code for other operations; \
                                    report it to the operator of this service";
        let advice = cells.get(4).map_or(for_other_operations, String::as_str);
        assert!(rows.iter().all(|row| row.advice == advice), "{reason}: {advice}");
    }
}

/// The section is generated from the table; `UPDATE_DOCS=1` writes it.
#[test]
fn the_page_has_owner_level_and_objective_of_each_reason() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let before = page.split(GENERATED).next().unwrap();
    let generated = format!("{before}{GENERATED}{}", owners());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &generated).unwrap();
    }
    assert!(
        std::fs::read_to_string(PAGE).unwrap() == generated,
        "docs/errors.md differs from the table of failures; update it with\n    \
         UPDATE_DOCS=1 cargo test --test it the_page_has_owner"
    );
}

fn owners() -> String {
    let mut groups = BTreeMap::<_, BTreeSet<_>>::new();
    for row in rows() {
        let key = (row.status, row.owner, row.level, row.burns_objective);
        groups.entry(key).or_default().insert(row.reason);
    }
    let mut table = "|---|---|---|---|---|\n".to_owned();
    for ((status, owner, level, burns), reasons) in groups {
        let reasons: Vec<_> = reasons.iter().map(|reason| format!("`{reason}`")).collect();
        let level = format!("{level:?}").to_lowercase();
        let burns = if burns { "yes" } else { "no" };
        let (code, owner, reasons) = (status.name(), owner.as_str(), reasons.join(", "));
        writeln!(table, "| {code} | `{owner}` | {level} | {burns} | {reasons} |").unwrap();
    }
    table
}

/// So that log and metrics find the row of a failure by its status alone.
#[test]
fn a_status_is_classified_as_its_row_says() {
    for row in rows() {
        let info = ErrorInfo::new(row.reason, row.domain.as_str(), []);
        let classification = status::classify(row.status.into(), Some(&info), true);
        assert_eq!(classification, row.classification(), "{row:?}");
        let unauthenticated = status::classify(row.status.into(), Some(&info), false);
        assert_eq!(unauthenticated, row.classification().unauthenticated(), "{row:?}");
    }
}

/// The selectors of the recording rules know codes (by `error_type`, which is set for errors of the
/// server) and owners alone.
#[test]
fn the_recording_rules_select_what_burns_the_objective() {
    let rules = include_str!("../../deploy/prometheus/recording.rules.yaml");
    let selectors: BTreeSet<_> = rules
        .split("tapegate_fault_owner=~\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let [selector] = Vec::from_iter(selectors)[..] else {
        panic!("the rules differ in their selectors");
    };
    let burning: BTreeSet<_> = selector.split('|').collect();
    let with_error_type = rules.matches("error_type!=\"\", tapegate_fault_owner=~").count();
    assert_eq!(rules.matches("tapegate_fault_owner=~").count(), with_error_type);
    let selects =
        |status: StatusCode, owner: FaultOwner| status.is_server_error() && burning.contains(owner.as_str());
    for row in rows() {
        assert_eq!(selects(row.status, row.owner), row.burns_objective, "{row:?}");
    }
    for status in StatusCode::ALL {
        let classification = status.classification();
        let selected = classification.owner.is_some_and(|owner| selects(*status, owner));
        assert_eq!(selected, classification.burns_objective, "{status:?}");
    }
    let all_calls = format!(
        "tapegate_fault_owner!=\"{}\"",
        FaultOwner::Unauthenticated.as_str()
    );
    assert_eq!(rules.matches(&all_calls).count(), 1);
    let owners = FaultOwner::ALL.map(FaultOwner::as_str);
    assert!(burning.iter().all(|owner| owners.contains(owner)), "{burning:?}");
}

/// The table of owners for operators, and all dashboards and alerts, know the owners that exist.
#[test]
fn operations_and_dashboards_know_the_fault_owners() {
    let page = include_str!("../../docs/operations.md");
    let section = page
        .split("\n## Fault owner\n")
        .nth(1)
        .unwrap()
        .split("\n`tapegate_outcome`")
        .next()
        .unwrap();
    let documented: BTreeSet<_> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('`').nth(1).unwrap())
        .collect();
    assert_eq!(documented, FaultOwner::ALL.map(FaultOwner::as_str).into());
    for folder in ["prometheus", "grafana"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder);
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for owner in text.split("tapegate_fault_owner=\"").skip(1) {
                let owner = owner.split('"').next().unwrap();
                assert!(
                    FaultOwner::ALL.iter().any(|known| known.as_str() == owner),
                    "{owner}"
                );
            }
        }
    }
}

fn aws(code: &str, http_status: u16) -> Fault {
    Fault::Aws {
        code: code.to_owned(),
        nested: true,
        message: String::new(),
        http_status,
        misdated: false,
        is_internal: false,
    }
}

fn text() -> String {
    "text".to_owned()
}

/// Every fault that a create, or a list, can end in.
fn faults() -> Vec<Fault> {
    let lookup = |cause| Fault::LookUpFailed {
        refusal: Box::new(aws("InvalidParameters", 400)),
        cause: Box::new(cause),
    };
    let mut faults = vec![
        Fault::Unreadable { what: text() },
        Fault::Unreachable { cause: text() },
        Fault::ConnectionLost { cause: text() },
        Fault::AttemptTimeout,
        Fault::OperationTimeout,
        Fault::Deadline { last: None },
        Fault::Paced {
            wait: std::time::Duration::from_secs(1),
        },
        Fault::Denied {
            action: "ListTapes",
            resource: text(),
        },
        Fault::QuotaUsedUp {
            principal: text().into(),
            quota: text().into(),
            wait: Some(std::time::Duration::from_secs(1)),
        },
        Fault::QuotaUsedUp {
            principal: text().into(),
            quota: text().into(),
            wait: None,
        },
        Fault::LimitsUnavailable { cause: text() },
        Fault::TapeExists { differs: vec![] },
        Fault::TapeExists {
            differs: vec!["worm"],
        },
        Fault::BarcodeTaken,
        Fault::NoCredentials { cause: text() },
        Fault::WrongAccount {
            requested: "123456789012".parse().unwrap(),
            owner: "210987654321".parse().unwrap(),
        },
        Fault::MarkerRepeated,
        Fault::PageTooLong { rows: 2, limit: 1 },
        Fault::NotSent { cause: text() },
        Fault::Internal { cause: text() },
        lookup(Fault::AttemptTimeout),
        lookup(Fault::Deadline { last: None }),
        lookup(aws("AccessDeniedException", 400)),
        lookup(aws("GatewayNotFound", 400)),
        lookup(Fault::Unreadable { what: text() }),
    ];
    for http_status in [302, 400, 404, 408, 429, 500, 502, 503, 504] {
        faults.push(Fault::Http { http_status });
        faults.push(aws("Unheard", http_status));
    }
    faults.extend(AWS_CODES.iter().map(|row| aws(row.name, 400)));
    faults
}

#[test]
fn each_fault_ends_a_call_as_its_row_says() {
    let list = DescribeTapes {
        gateway: GATEWAY.parse().unwrap(),
        tapes: [].into(),
        page: Default::default(),
    };
    let mut seen = BTreeSet::new();
    for fault in faults() {
        let row = fault.row();
        let failure: Failure = fault.clone().after(Attempts::one(None));
        let refused = refusal(&status::failed(&list, &failure));
        let case = format!("{fault:?}: {refused:?}, {row:?}");
        assert_eq!(refused.code, row.status.into(), "{case}");
        assert_eq!(
            (refused.domain.as_str(), refused.reason.as_str()),
            (row.domain.as_str(), row.reason),
            "{case}"
        );
        let advice = match (&fault, row.name) {
            // The row has the advice for both.
            (Fault::QuotaUsedUp { wait: Some(_), .. }, _) => "; retry after the delay in `RetryInfo`",
            (Fault::QuotaUsedUp { wait: None, .. }, _) => "; create fewer tapes in one call",
            // It names the members of the operation.
            (_, "InvalidParameters") => "check `gateway_arn`, `tape_arns` and `marker`",
            _ => row.advice,
        };
        assert!(
            refused.message.ends_with(advice)
                || row.status == StatusCode::PermissionDenied
                || row.is_about_permissions(),
            "{case}"
        );
        assert!(refused.message.contains(advice), "{case}");
        seen.insert((row.reason, row.status));
        assert_eq!(fault.outcome(), row.outcome, "{case}");
        for kind in [OperationKind::Read, OperationKind::Create] {
            assert_eq!(fault.retry_rule(kind), row.retry_rule(kind), "{case}");
        }
        let error_type = labels::error_type(&fault);
        assert_eq!(error_type, row.name.trim_end(), "{case}");
        let delay = refused.details.retry_info().and_then(|info| info.retry_delay);
        let can_help = matches!(
            fault,
            Fault::NoCredentials { .. }
                | Fault::Paced { .. }
                | Fault::OperationTimeout
                | Fault::QuotaUsedUp { wait: Some(_), .. }
                | Fault::LimitsUnavailable { .. }
        ) || matches!(&fault, Fault::LookUpFailed { cause, .. } if cause.retry_rule(OperationKind::Read) != RetryRule::Never)
            || fault.retry_rule(OperationKind::Read) != RetryRule::Never;
        assert_eq!(delay.is_some(), can_help, "{case}");
        let mut headers = HeaderMap::new();
        status::failed(&list, &failure).add_header(&mut headers).unwrap();
        status::complete(&mut headers, || None, false, "request-1");
        let completed = refusal(&Status::from_header_map(&headers).unwrap());
        let verdict = completed.metadata[status::RETRY].as_str();
        match can_help {
            true => assert_eq!(verdict, "same_call", "{case}"),
            false => assert!(
                ["same_call", "after_change", "never"].contains(&verdict),
                "{case}"
            ),
        }
    }
    // Each row of the upstream occurs.
    let of_the_upstream = rows().filter(|row| {
        row.domain == ErrorDomain::Aws
            || row.reason.starts_with("UPSTREAM_")
            || row.reason.starts_with("TAPE_")
            || row.reason == "BARCODE_TAKEN"
    });
    for row in of_the_upstream {
        assert!(seen.contains(&(row.reason, row.status)), "never occurs: {row:?}");
    }
}
