//! docs/operations.md explains every log event and every metric.

use std::{fs, path::Path};

use tapegate::{app::Held, observability::metrics::catalog};

const PAGE: &str = include_str!("../../docs/operations.md");

/// The texts of all events at info and above, in the order of the files.
fn events(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            events(&path, found);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for level in ["error", "warn", "info"] {
            for after in source.split(&format!("tracing::{level}!(")).skip(1) {
                found.extend(message(after));
            }
        }
    }
}

/// The last string literal of a macro's arguments. Continued lines are joined.
fn message(arguments: &str) -> Option<String> {
    let mut depth = 1;
    let (mut texts, mut text) = (Vec::new(), None::<String>);
    let mut letters = arguments.chars();
    while depth > 0 {
        match (letters.next()?, &mut text) {
            ('\\', Some(text)) => match letters.next()? {
                '\n' => {
                    let rest = letters.as_str();
                    letters = rest.trim_start().chars();
                }
                letter => text.push(letter),
            },
            ('"', open) => texts.extend(open.take().or_else(|| {
                *open = Some(String::new());
                None
            })),
            (letter, Some(text)) => text.push(letter),
            ('(', None) => depth += 1,
            (')', None) => depth -= 1,
            _ => {}
        }
    }
    texts.pop()
}

#[test]
fn every_event_is_explained() {
    let mut found = Vec::new();
    for folder in ["src", "emulator/src"] {
        events(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    // A function logs these two with texts of its callers.
    found.retain(|event| event != "{what}");
    found.push("closing new connections: max_connections are open".to_owned());
    found.push("closing new connections of an address: max_connections_per_address are open".to_owned());
    found.push("cannot accept a connection".to_owned());
    let written = |event: &str| {
        let mut parts = event.split(['{', '}']).enumerate();
        // Braces stand for values.
        let shown = parts.try_fold(String::new(), |shown, (number, part)| {
            Some(shown + if number % 2 == 0 { part } else { "{…}" })
        });
        format!("`{}`", shown.unwrap_or_default())
    };
    let missing: Vec<_> = found.iter().map(|event| written(event)).collect();
    let missing: Vec<_> = missing.iter().filter(|event| !PAGE.contains(*event)).collect();
    assert!(found.len() > 30, "{found:?}");
    assert!(
        missing.is_empty(),
        "docs/operations.md does not explain {missing:#?}"
    );
}

#[test]
fn every_metric_has_an_action() {
    let names = catalog::ALL
        .iter()
        .map(|metric| format!("`{}`", metric.prometheus_name()));
    let missing: Vec<_> = names.filter(|name| !PAGE.contains(name)).collect();
    assert!(
        missing.is_empty(),
        "docs/operations.md does not say what to do about {missing:#?}"
    );
}

#[test]
fn the_formula_of_memory_is_that_of_the_service() {
    for (what, unit, bytes) in [
        ("the program itself", "MiB", Held::BASE / 1024),
        ("an open connection", "KiB", Held::PLAIN_CONNECTION),
        ("an open connection with TLS", "KiB", Held::TLS_CONNECTION),
        (
            "a call that waits for AWS, with its connection",
            "KiB",
            Held::CALL,
        ),
        (
            "a call whose page of 1,000 tapes is coming from AWS",
            "KiB",
            Held::RESPONSE,
        ),
        (
            "a call whose page of 1,000 tapes waits for its reader",
            "KiB",
            Held::PAGE,
        ),
    ] {
        let row = format!("| {what} | {} {unit} |", bytes / 1024);
        assert!(PAGE.contains(&row), "docs/operations.md lacks {row}");
    }
    let unread = format!("`max_unread_bytes` / {} KiB", Held::UNREAD / 1024);
    assert!(PAGE.contains(&unread), "docs/operations.md lacks {unread}");
}

#[test]
fn every_link_within_the_page_leads_somewhere() {
    let headings = PAGE.lines().filter(|line| line.starts_with("##"));
    let anchors: Vec<_> = headings
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .replace(' ', "-")
        })
        .map(|anchor| anchor.replace(|c: char| !c.is_alphanumeric() && c != '-', ""))
        .collect();
    for link in PAGE.split("](#").skip(1) {
        let (anchor, _) = link.split_once(')').unwrap();
        assert!(anchors.iter().any(|known| known == anchor), "#{anchor}");
    }
}
