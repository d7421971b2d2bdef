//! Faults of the service that show that a seed finds them: patches, which tests/simulation/planted/run
//! applies one at a time.

use std::{fs, path::Path, process::Command};

/// The patches that the source has outgrown.
pub fn that_do_not_apply() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(root.join("tests/simulation/planted")).unwrap();
    let patches = files.map(|file| file.unwrap().path());
    let patches: Vec<_> = patches
        .filter(|path| path.extension().is_some_and(|end| end == "patch"))
        .collect();
    assert!(!patches.is_empty());
    let faults = patches.iter().filter_map(|patch| {
        let git = Command::new("git")
            .args(["apply", "--check"])
            .arg(patch)
            .current_dir(root)
            .output();
        let git = git.unwrap();
        (!git.status.success()).then(|| String::from_utf8_lossy(&git.stderr).into_owned())
    });
    let faults: Vec<_> = faults.collect();
    println!(
        "{} planted faults, {} of them do not apply",
        patches.len(),
        faults.len()
    );
    faults
}
