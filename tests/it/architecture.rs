//! The code follows the table of rooms in docs/architecture.md.
//!
//! The test parses every source file and resolves each path to the room and module, or to the crate,
//! that it leads to. It does not see what a macro generates, except for the code that `build.rs`
//! generates, and not the calls of methods, which name no room.

mod check;
mod graph;
mod page;
mod resolve;
mod source;

use std::collections::BTreeSet;

use self::{page::Rules, source::Sources};

const PAGE: &str = include_str!("../../docs/architecture.md");

/// The crates that the packages of the workspace may name.
fn crates() -> BTreeSet<String> {
    let manifests = [include_str!("../../Cargo.toml").to_owned()]
        .into_iter()
        .chain(std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/emulator/Cargo.toml"
        )));
    let mut crates = BTreeSet::new();
    for manifest in manifests {
        let manifest: toml::Table = manifest.parse().unwrap();
        for section in ["dependencies", "dev-dependencies"] {
            let Some(dependencies) = manifest.get(section) else {
                continue;
            };
            crates.extend(
                dependencies
                    .as_table()
                    .unwrap()
                    .keys()
                    .map(|name| name.replace('-', "_")),
            );
        }
    }
    crates
}

fn faults(page: &str, sources: &Sources) -> Vec<String> {
    check::faults(&Rules::parse(page), &sources.parse(), &crates())
}

#[test]
fn the_code_follows_the_table_of_rooms() {
    let faults = faults(PAGE, &Sources::of_repository());
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// Two rooms, of which only the upper one may use the lower one, and the transport of the lower one.
const SMALL: &str = "
## Rooms

| room | holds | uses rooms | uses crates |
|---|---|---|---|
| `low` | | | |
| `low/sdk` | | | `aws-*` |
| `high` | | `low` | `tonic*` |
";

/// The faults of these files, by the rules of [`SMALL`] and whatever else the page says.
fn of(more: &str, files: &[(&str, &str)]) -> Vec<String> {
    let always = [
        ("src/lib.rs", ""),
        ("src/low.rs", ""),
        ("src/low/sdk.rs", ""),
        ("src/high.rs", ""),
    ];
    let files = always
        .iter()
        .chain(files)
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let sources = Sources {
        files: files.collect(),
        generated: [(
            "v1".to_owned(),
            "struct Made(crate::high::codec::Codec);".to_owned(),
        )]
        .into(),
    };
    faults(&format!("{SMALL}{more}"), &sources)
}

const FORBIDDEN: &str = "which the table in docs/architecture.md does not allow";

#[test]
fn what_the_table_allows_is_no_fault() {
    let faults = of(
        "",
        &[
            (
                "src/low.rs",
                "pub mod sdk; mod value; pub use self::value::Value; pub use serde::Serialize;",
            ),
            ("src/low/value.rs", "use std::fmt; pub struct Value;"),
            ("src/low/sdk.rs", "use aws_config::Region; use super::Value;"),
            (
                "src/high.rs",
                "use tonic::Status; use crate::low::{self, Value}; fn f() -> low::Value { Value }",
            ),
        ],
    );
    assert_eq!(faults, [""; 0]);
}

#[test]
fn a_forbidden_path_is_found_wherever_it_stands() {
    for text in [
        "\nuse crate::high;",
        "\nuse crate::{high::{Server as Other}};",
        "\nuse super::super::high::*;",
        "\nfn f() { self::super::super::high::serve() }",
        "\ntype Of = Vec<<crate::high::Server as Iterator>::Item>;",
        "\nfn f() { println!(\"{}\", crate::high::NAME) }",
        "\n#[derive(crate::high::Derive)] struct S;",
        "\nmacro_rules! call { () => { $crate::high::serve() } }",
        "\nimpl crate::high::Serve for () {}",
        "\nuse tapegate::high;",
        "\n#[cfg(test)] use crate::high;",
    ] {
        let faults = of("", &[("src/low/value.rs", text)]);
        let fault = format!("src/low/value.rs:2: room `low` uses `high`, {FORBIDDEN}");
        assert!(faults.contains(&fault), "{text}: {faults:?}");
    }
}

#[test]
fn a_forbidden_crate_is_found() {
    for (file, text, outside) in [
        ("src/low.rs", "use tonic::Status;", Some("tonic")),
        ("src/low.rs", "use ::tonic_types as types;", Some("tonic_types")),
        ("src/low.rs", "fn f() -> tonic::Status { todo!() }", Some("tonic")),
        ("src/low.rs", "use aws_config::Region;", Some("aws_config")),
        ("src/low/sdk/client.rs", "use tonic::Status;", Some("tonic")),
        ("src/low/sdk/client.rs", "use aws_config::Region;", None),
        (
            "src/low.rs",
            "#[cfg(test)] mod tests { use tonic::Status; }",
            None,
        ),
        (
            "src/low.rs",
            "mod tonic { pub struct Status; } use self::tonic::Status;",
            None,
        ),
        ("src/low.rs", "fn f(tonic: u8) -> u8 { tonic }", None),
    ] {
        let room = if file == "src/low.rs" { "low" } else { "low/sdk" };
        let fault = outside.map(|outside| format!("{file}:1: room `{room}` uses `{outside}`, {FORBIDDEN}"));
        assert_eq!(of("", &[(file, text)]), Vec::from_iter(fault), "{text}");
    }
}

#[test]
fn a_path_leads_through_what_other_modules_export() {
    let files = [
        ("src/high.rs", "pub use crate::low::Value;"),
        ("src/low.rs", "pub mod value; pub use value::Value;"),
        ("src/low/value.rs", "pub struct Value; use super::other::Other;"),
        ("src/low/other.rs", "pub struct Other; use super::Value;"),
    ];
    let circle = "modules of `low` use each other: other -> value (src/low/other.rs:1), \
                  value -> other (src/low/value.rs:1)";
    assert_eq!(of("", &files), [circle]);
}

#[test]
fn generated_code_belongs_to_the_module_that_includes_it() {
    let files = [
        ("src/high/proto.rs", "tonic::include_proto!(\"v1\");"),
        ("src/high/codec.rs", "use super::proto::Made; pub struct Codec;"),
    ];
    let circle = "modules of `high` use each other: codec -> proto (src/high/codec.rs:1), \
                  proto -> codec (v1.rs (generated by build.rs):1)";
    assert_eq!(of("", &files), [circle]);
}

#[test]
fn the_file_of_a_room_counts_as_a_module() {
    let files = [
        ("src/high.rs", "mod one; use one::One; pub struct High;"),
        ("src/high/one.rs", "pub struct One(super::High);"),
    ];
    let circle = "modules of `high` use each other: high.rs -> one (src/high.rs:1), \
                  one -> high.rs (src/high/one.rs:1)";
    assert_eq!(of("", &files), [circle]);
}

#[test]
fn a_circle_of_rooms_is_found_in_the_code_and_in_the_table() {
    let files = [
        ("src/low.rs", "use crate::high::A;"),
        ("src/high.rs", "use crate::low::B;"),
    ];
    let faults = of("", &files);
    let circle = "rooms use each other: high -> low (src/high.rs:1), low -> high (src/low.rs:1)";
    assert!(faults.iter().any(|fault| fault == circle), "{faults:?}");
    let faults = of("| `more` | | `third` | |\n| `third` | | `more` | |\n", &[]);
    let circle = "docs/architecture.md: rooms may use each other: more -> third (the table), third -> more (the table)";
    assert!(faults.iter().any(|fault| fault == circle), "{faults:?}");
}

#[test]
fn the_table_has_a_row_for_each_room_and_no_other() {
    let missing = of("", &[("src/new.rs", "")]);
    assert_eq!(
        missing,
        ["docs/architecture.md: the table of rooms has no row for `new`"]
    );
    let more = of("| `gone` | | `nowhere` | `no-such-crate` |\n", &[]);
    assert_eq!(
        more,
        [
            "docs/architecture.md: there is no room or module `gone`",
            "docs/architecture.md: `gone` may use `nowhere`, which is no room",
            "docs/architecture.md: `gone` may use `no-such-crate`, which is no dependency",
        ]
    );
}

#[test]
fn an_exception_allows_what_it_names_as_long_as_it_is_needed() {
    let page = "
### Exceptions

| from | uses | reason |
|---|---|---|
| `low/value` | `high` | of the test |
| `low/one` | `low/two` | of the test |
";
    let with = [
        ("src/low/value.rs", "use crate::high::Server;"),
        ("src/low/one.rs", "use super::two::Two; pub struct One;"),
        ("src/low/two.rs", "use super::one::One; pub struct Two;"),
    ];
    assert_eq!(of(page, &with), [""; 0]);
    let without = [
        ("src/low/value.rs", ""),
        ("src/low/one.rs", "use super::two::Two; pub struct One;"),
        ("src/low/two.rs", "pub struct Two;"),
    ];
    assert_eq!(
        of(page, &without),
        [
            "docs/architecture.md: the exception of `low/value` for `high` is not needed: remove it",
            "docs/architecture.md: the exception of `low/one` for `low/two` is not needed: remove it",
        ]
    );
}

#[test]
#[should_panic(expected = "has no reason")]
fn an_exception_needs_a_reason() {
    of(
        "\n### Exceptions\n\n| from | uses | reason |\n|---|---|---|\n| `low` | `high` | |\n",
        &[],
    );
}

/// A copy of the repository's own text, with one `use` put in.
#[test]
fn a_forbidden_use_in_the_repositorys_own_text_is_found() {
    let mut sources = Sources::of_repository();
    let text = sources.files.get_mut("src/domain/region.rs").unwrap();
    let line = text.lines().count() + 1;
    text.push_str("use crate::grpc::proto::ListTapesRequest;\n");
    let fault = format!("src/domain/region.rs:{line}: room `domain` uses `grpc`, {FORBIDDEN}");
    assert!(faults(PAGE, &sources).contains(&fault));
}
