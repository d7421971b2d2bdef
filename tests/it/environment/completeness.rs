//! The list of variables has all that the libraries read, by their sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;
use serde_json::Value;
use tapegate::app::settings::library_variables;

/// The packages whose sources name variables that they read.
const PACKAGES: [&str; 9] = [
    "aws-",
    "opentelemetry",
    "reqwest",
    "hyper-util",
    "rustls-native-certs",
    "rustls-platform-verifier",
    "openssl-probe",
    "tokio",
    "tonic",
];

/// Names in examples and tests, and in code that is not compiled here.
const NOT_READ: [(&str, &str); 7] = [
    ("AWS_SOME_KEY", "an example"),
    ("AWS_SOME_KEY_SERVICE", "an example"),
    ("AWS_SOME_KEY_ANOTHER_SERVICE", "an example"),
    ("AWS_REGION", "a default of the setting region"),
    ("AWS_DEFAULT_REGION", "a default of the setting region"),
    ("TOKIO_UNSTABLE_SHARDED_BLOCKING_QUEUE", "of unstable tokio"),
    ("AWS_SDK_RUST_BUILD_UA_METADATA", "read when the SDK is compiled"),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The directories of the sources of [`PACKAGES`].
fn packages() -> Vec<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked"])
        .arg(format!(
            "--manifest-path={}/Cargo.toml",
            env!("CARGO_MANIFEST_DIR")
        ))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let is_read = |package: &&Value| {
        let name = package["name"].as_str().unwrap();
        PACKAGES.iter().any(|prefix| name.starts_with(prefix))
    };
    let directory = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        manifest.parent().unwrap().join("src")
    };
    packages.iter().filter(is_read).map(directory).collect()
}

#[test]
fn every_variable_that_a_library_reads_has_a_rule() {
    let name = Regex::new(r#""((?:AWS|OTEL|SSL|TOKIO)_[A-Z0-9_]+)""#).unwrap();
    let mut files = Vec::new();
    for package in packages() {
        sources(&package, &mut files);
    }
    assert!(files.len() > 1000, "{} files", files.len());
    let mut found = BTreeSet::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        // Tests are at the end of a file.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        found.extend(name.captures_iter(code).map(|names| names[1].to_owned()));
    }
    let known: BTreeSet<_> = library_variables().map(|(name, _)| name).collect();
    let unknown: Vec<_> = found
        .iter()
        .map(String::as_str)
        .filter(|name| !known.contains(name) && !name.starts_with("AWS_ENDPOINT_URL"))
        .filter(|name| NOT_READ.iter().all(|(known, _)| known != name))
        .collect();
    println!("{} variables in {} files", found.len(), files.len());
    assert!(found.len() > 70, "{found:?}");
    assert!(unknown.is_empty(), "without a rule: {unknown:?}");
}

#[test]
fn the_list_of_variables_is_in_alphabetical_order() {
    let names: Vec<_> = library_variables().map(|(name, _)| name).collect();
    assert!(names.is_sorted(), "{names:?}");
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/network.md");
const TABLE: &str = "\n| variable | values |\n|---|---|\n";

/// Update it with `UPDATE_DOCS=1 cargo test --test it the_page_of_the_network`.
#[test]
fn the_page_of_the_network_has_every_variable() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(TABLE).unwrap();
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    let rows: String = library_variables()
        .map(|(name, values)| format!("| `{name}` | {} |\n", values.replace('|', "\\|")))
        .collect();
    let expected = format!("{before}{TABLE}{rows}\n{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, &expected).unwrap();
    }
    assert!(
        fs::read_to_string(PAGE).unwrap() == expected,
        "docs/network.md is out of date; update it with\n    UPDATE_DOCS=1 cargo test --test it the_page_of_the_network"
    );
}
