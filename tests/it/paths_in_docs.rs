//! The documents name source files that exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where documents and source files are, below the root of the repository.
const SOURCES: [&str; 6] = ["benches", "docs", "emulator", "examples", "src", "tests"];

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The paths of Rust and Python files in code spans, without placeholders such as `OPERATION.rs`.
fn named(page: &str) -> impl Iterator<Item = &str> {
    let is_path = |span: &&str| {
        let stem = span.strip_suffix(".rs").or_else(|| span.strip_suffix(".py"));
        let file = stem.and_then(|stem| stem.rsplit('/').next());
        file.is_some_and(|file| {
            file.contains(|c: char| c.is_ascii_lowercase()) && !file.contains([' ', '*', '{'])
        })
    };
    page.split('`').skip(1).step_by(2).filter(is_path)
}

#[test]
fn the_documents_name_source_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for directory in SOURCES {
        files(&root.join(directory), &mut all);
    }
    let pages = all
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut count = 0;
    let mut missing = Vec::new();
    for page in pages.chain(&[root.join("README.md"), root.join("CONTRIBUTING.md")]) {
        let text = fs::read_to_string(page).unwrap();
        for name in named(&text) {
            count += 1;
            let name = name.trim_start_matches("../");
            if !root.join(name).exists() && !all.iter().any(|path| path.ends_with(name)) {
                missing.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(count > 100, "{count} names of files were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
