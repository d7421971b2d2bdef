//! docs/errors.md and the code say the same of every reason.

use std::collections::{BTreeMap, BTreeSet};

use tapegate::{
    domain::{Attempts, DescribeTapes, Failure, Fault, OperationKind, RetryRule},
    grpc::status::{
        self,
        codes::{self, ROWS},
        reasons::Reason,
    },
};
use tonic::Code;

use crate::harness::{GATEWAY, refusal};

/// What a row of the page says of a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    codes: BTreeSet<String>,
    create: String,
    repeats: Option<String>,
}

/// What the tables under a heading say of each reason.
fn said(heading: &str) -> BTreeMap<String, Said> {
    let page = include_str!("../../docs/errors.md");
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut said = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let words = |cell: &str| -> BTreeSet<String> {
            cell.split(", ")
                .map(|word| word.trim_matches('`').to_owned())
                .collect()
        };
        let row = Said {
            codes: words(cells[1]),
            create: cells[2].trim_matches('`').to_owned(),
            repeats: cells.get(3).map(|cell| (*cell).to_owned()),
        };
        for reason in words(cells[0]) {
            assert_eq!(
                said.insert(reason.clone(), row.clone()),
                None,
                "{reason} is there twice"
            );
        }
    }
    said
}

fn names(codes: &[Code]) -> BTreeSet<String> {
    codes
        .iter()
        .map(|code| upper_snake(&format!("{code:?}")))
        .collect()
}

fn upper_snake(camel: &str) -> String {
    let mut snake = String::new();
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_uppercase());
    }
    snake
}

fn aws(code: &str, http_status: u16) -> Fault {
    Fault::Aws {
        code: code.to_owned(),
        nested: true,
        message: String::new(),
        http_status,
        misdated: false,
    }
}

fn text() -> String {
    "words".to_owned()
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
            quota: text(),
            wait: Some(std::time::Duration::from_secs(1)),
        },
        Fault::QuotaUsedUp {
            quota: text(),
            wait: None,
        },
        Fault::TapeExists { differs: vec![] },
        Fault::TapeExists {
            differs: vec!["worm"],
        },
        Fault::BarcodeTaken,
        Fault::NoCredentials { cause: text() },
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
    faults.extend(ROWS.iter().map(|row| aws(row.code, 400)));
    faults
}

#[test]
fn every_reason_is_on_the_page_and_no_other() {
    let own: BTreeSet<_> = Reason::ALL
        .iter()
        .map(|reason| reason.as_str().to_owned())
        .collect();
    assert_eq!(own.len(), Reason::ALL.len());
    assert_eq!(
        said("Reasons of this service")
            .into_keys()
            .collect::<BTreeSet<_>>(),
        own
    );

    let mut aws: BTreeSet<_> = ROWS.iter().map(|row| row.reason.to_owned()).collect();
    aws.insert(codes::UNKNOWN.to_owned());
    assert_eq!(said("Codes of AWS").into_keys().collect::<BTreeSet<_>>(), aws);
}

#[test]
fn the_page_has_the_codes_of_each_reason() {
    let said_of_own = said("Reasons of this service");
    for reason in Reason::ALL {
        assert_eq!(
            said_of_own[reason.as_str()].codes,
            names(reason.codes()),
            "{reason:?}"
        );
    }
    let said_of_aws = said("Codes of AWS");
    for row in &ROWS {
        let said = &said_of_aws[row.reason];
        assert!(said.codes.is_superset(&names(&[row.grpc])), "{row:?}: {said:?}");
        if row.reason != codes::UNKNOWN {
            assert_eq!(said.codes.len(), 1, "{row:?}: {said:?}");
        }
    }
}

#[test]
fn the_page_has_what_each_fault_comes_to() {
    let list = DescribeTapes {
        gateway: GATEWAY.parse().unwrap(),
        tapes: [].into(),
        page: Default::default(),
    };
    let own = said("Reasons of this service");
    let of_aws = said("Codes of AWS");
    let mut seen = BTreeSet::new();
    for fault in faults() {
        let outcome = fault.outcome();
        let failure: Failure = fault.clone().after(Attempts::one(None));
        let refused = refusal(&status::failed(&list, &failure));
        let is_own = refused.domain == status::DOMAIN;
        let said = &if is_own { &own } else { &of_aws }[&refused.reason];
        let case = format!("{fault:?}: {refused:?}, {said:?}");
        let code = upper_snake(&format!("{:?}", refused.code));
        assert!(said.codes.contains(&code), "{case}");
        seen.insert((refused.reason.clone(), code));
        let is_429 = matches!(fault, Fault::Http { http_status: 429 });
        let created = if is_429 {
            "unknown".to_owned()
        } else {
            outcome.to_string()
        };
        assert!([&*created, "never"].contains(&&*said.create), "{case}");
        if !is_own && refused.reason != codes::UNKNOWN {
            let repeats =
                [OperationKind::Read, OperationKind::Create].map(|kind| match fault.retry_rule(kind) {
                    RetryRule::Never => "no",
                    RetryRule::Once => "once",
                    RetryRule::Soon => "yes",
                    RetryRule::Slowly => "slowly",
                });
            assert_eq!(
                said.repeats.as_deref(),
                Some(repeats.join(", ").as_str()),
                "{case}"
            );
        }
        let delay = refused.details.retry_info().and_then(|info| info.retry_delay);
        let can_help = matches!(
            fault,
            Fault::NoCredentials { .. }
                | Fault::Paced { .. }
                | Fault::OperationTimeout
                | Fault::QuotaUsedUp { wait: Some(_), .. }
        ) || matches!(&fault, Fault::LookUpFailed { cause, .. } if cause.retry_rule(OperationKind::Read) != RetryRule::Never)
            || fault.retry_rule(OperationKind::Read) != RetryRule::Never;
        assert_eq!(delay.is_some(), can_help, "{case}");
    }
    // Each code that the page has for a reason of the upstream comes.
    for (reason, said) in of_aws.iter().chain(own.iter().filter(|(reason, _)| {
        reason.starts_with("UPSTREAM_") || reason.starts_with("TAPE_") || *reason == "BARCODE_TAKEN"
    })) {
        for code in &said.codes {
            assert!(
                seen.contains(&(reason.clone(), code.clone())),
                "{reason} never comes as {code}"
            );
        }
    }
}
