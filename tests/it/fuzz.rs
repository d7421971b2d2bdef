//! What parses bytes from outside: credentials, addresses, markers, responses of AWS, requests to the
//! emulator, configuration and policies.
//!
//! These tests run each fuzz target on its seeds and on mutations of them. The programs in
//! `tests/fuzz`, which only cargo-fuzz builds, run the same functions for longer.

mod authorization;
mod aws_response;
mod certificate;
mod configuration;
mod emulator_request;
mod forwarded_for;
mod jwks;
mod jwt;
mod marker;
mod policies;
mod tokens_file;

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz");

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 11] = [
    ("authorization", authorization::run),
    ("aws_response", aws_response::run),
    ("certificate", certificate::run),
    ("configuration", configuration::run),
    ("emulator_request", emulator_request::run),
    ("forwarded_for", forwarded_for::run),
    ("jwks", jwks::run),
    ("jwt", jwt::run),
    ("marker", marker::run),
    ("policies", policies::run),
    ("tokens_file", tokens_file::run),
];

/// One change to a seed.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Duplicate(Index, Index),
    CutAt(Index),
}

impl Edit {
    fn any() -> impl Strategy<Value = Self> {
        let telling: Vec<Vec<u8>> = [
            "\0", "\n", "\"", "{}", "[", ":", ",", " ", "..", "null", "-1", "1e999", "\u{202e}",
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
        let inserted = prop_oneof![select(telling), vec(any::<u8>(), 1..20)];
        prop_oneof![
            any::<(Index, u8)>().prop_map(|(at, byte)| Self::Set(at, byte)),
            (any::<Index>(), inserted).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            any::<(Index, Index)>().prop_map(|(from, to)| Self::Remove(from, to)),
            any::<(Index, Index)>().prop_map(|(from, to)| Self::Duplicate(from, to)),
            any::<Index>().prop_map(Self::CutAt),
        ]
    }

    fn apply(self, bytes: &mut Vec<u8>) {
        let place = |index: Index| index.index(bytes.len() + 1);
        let range = |from: Index, to: Index| {
            let (from, to) = (place(from), place(to));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Set(at, byte) => {
                let at = place(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
            Self::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new);
            }
            Self::Remove(from, to) => drop(bytes.drain(range(from, to))),
            Self::Duplicate(from, to) => {
                let range = range(from, to);
                bytes.extend_from_within(range);
            }
            Self::CutAt(at) => bytes.truncate(place(at)),
        }
    }
}

/// The names of the entries of a folder in `tests/fuzz`, without extensions, in order.
fn names(folder: &str) -> Vec<String> {
    let mut names: Vec<_> = paths(folder)
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// The seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    paths(&format!("seeds/{target}"))
        .map(|path| fs::read(path).unwrap())
        .collect()
}

fn paths(folder: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(Path::new(FUZZ).join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path())
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let targets = TARGETS.map(|(name, _)| name);
    assert_eq!(names("targets"), targets);
    assert_eq!(names("seeds"), targets);
    for name in targets {
        assert!(!seeds(name).is_empty(), "{name} has no seed");
    }
}

#[test]
fn seeds_break_no_parser() {
    for (name, run) in TARGETS {
        seeds(name).iter().for_each(|seed| run(seed));
    }
}

#[test]
fn mutated_seeds_break_no_parser() {
    for (name, run) in TARGETS {
        let mutated = (
            prop_oneof![9 => select(seeds(name)), 1 => Just(Vec::new())],
            vec(Edit::any(), 0..6),
        )
            .prop_map(|(mut bytes, edits)| {
                edits.into_iter().for_each(|edit| edit.apply(&mut bytes));
                bytes
            });
        TestRunner::new(Config {
            failure_persistence: None,
            ..Config::default()
        })
        .run(&mutated, |bytes| {
            run(&bytes);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}
