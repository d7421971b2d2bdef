//! Time that commands and the start need for files of many static tokens.

use std::{
    fmt::Write,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tapegate::access::identity::static_tokens::{Revocation, StaticTokens, list};

/// A file of as many tokens. With a `digest` that is none, each has a fault.
fn file_of(count: usize, digest: &str, path: &Path) {
    let mut text = String::new();
    for number in 0..count {
        writeln!(
            text,
            "[[token]]\nid = \"{number:016x}\"\nname = \"agent-{number}\"\ngroups = [\"site\"]\n\
             created = \"2026-01-01T00:00:00Z\"\nexpires = \"2100-01-01T00:00:00Z\"\nsha256 = \"{digest}\"\n"
        )
        .unwrap();
    }
    fs::write(path, text).unwrap();
}

/// The shortest of several runs: another process can only make a run longer.
fn time_of(run: impl Fn()) -> Duration {
    let times = (0..3).map(|_| {
        let started = Instant::now();
        run();
        started.elapsed()
    });
    times.min().unwrap()
}

#[test]
#[ignore = "compares real time; tests/soak/run runs it"]
fn the_time_for_tokens_grows_with_their_number_and_not_with_its_square() {
    const FEW: usize = 1_000;
    const MANY: usize = 8_000;
    // Between the 8 of a time that is linear and the 64 of one that is quadratic.
    const MOST: f64 = 24.0;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    let times = [FEW, MANY].map(|count| {
        file_of(count, &"0".repeat(64), &path);
        let open = time_of(|| drop(StaticTokens::open(&path).unwrap()));
        let listing = time_of(|| assert_eq!(list(&path).unwrap().len(), count));
        let revoke = time_of(|| {
            file_of(count, &"0".repeat(64), &path);
            let revoked = Revocation::Name("agent-7".to_owned()).apply(&path);
            assert_eq!(revoked.unwrap().len(), 1);
        });
        file_of(count, "none", &path);
        let faults = time_of(|| assert_eq!(StaticTokens::open(&path).unwrap_err().len(), count));
        [open, listing, revoke, faults]
    });
    let [few, many] = times;
    for (what, (few, many)) in ["open", "list", "revoke", "faults"]
        .into_iter()
        .zip(few.into_iter().zip(many))
    {
        println!("{what}: {few:?} for {FEW} tokens, {many:?} for {MANY}");
        assert!(
            many.as_secs_f64() < few.as_secs_f64() * MOST,
            "{what}: {few:?}, {many:?}"
        );
    }
}
