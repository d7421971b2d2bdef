use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;

use crate::{
    access::reload::{ChangeDetector, ContentDigest, FileContents, Files, Reload},
    files,
    observability::metrics::Count,
};

/// The two files that AWS's tools share: `~/.aws/config` and `~/.aws/credentials`, or those that
/// `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AwsFiles {
    config: PathBuf,
    credentials: PathBuf,
}

/// The profile where nobody names one.
pub(super) const DEFAULT_PROFILE: &str = "default";

/// The profile that the environment names.
pub(super) fn selected_profile() -> Option<String> {
    env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty())
}

/// The path of a file of AWS's tools: the one that a variable names, as the SDK reads it, or `name` in
/// the folder of these files.
pub fn locate_aws_file(named: Option<PathBuf>, home: &Path, name: &str) -> PathBuf {
    match named {
        None => home.join(".aws").join(name),
        Some(path) => match path.strip_prefix("~") {
            Ok(rest) => home.join(rest),
            Err(_) => path,
        },
    }
}

/// Identifies the content of both files. A file that cannot be read counts as empty.
pub(super) type FilesDigest = [ContentDigest; 2];

impl AwsFiles {
    pub(super) fn of_environment() -> Self {
        let home = env::home_dir().unwrap_or_default();
        let path = |variable, name| {
            let named = env::var_os(variable)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from);
            locate_aws_file(named, &home, name)
        };
        Self {
            config: path("AWS_CONFIG_FILE", "config"),
            credentials: path("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        }
    }

    pub(super) fn digest(&self) -> FilesDigest {
        [&self.config, &self.credentials].map(|path| {
            let contents = Files::Each(vec![path.clone()]).read();
            let empty = |_| FileContents::new(vec![(path.clone(), Vec::new())]);
            contents.unwrap_or_else(empty).digest()
        })
    }

    /// Where a profile is defined, for an error.
    pub(super) fn place_of_profile(&self, profile: &str) -> String {
        let [config, credentials] = [&self.config, &self.credentials];
        let in_config = line_of(config, |header| {
            header == profile
                || header
                    .strip_prefix("profile")
                    .is_some_and(|name| name.trim() == profile)
        });
        let in_credentials = line_of(credentials, |header| header == profile);
        let found = [(config, in_config), (credentials, in_credentials)];
        let mut places = found
            .iter()
            .filter_map(|(path, line)| Some(format!("{}:{}", path.display(), (*line)?)));
        match places.next() {
            None => format!(
                "profile {profile} is neither in {} nor in {}",
                config.display(),
                credentials.display()
            ),
            Some(first) => match places.next() {
                None => format!("profile {profile} at {first}"),
                Some(second) => format!("profile {profile} at {first} and {second}"),
            },
        }
    }
}

/// The line, counted from 1, of the first section whose header `is_it`.
fn line_of(path: &Path, is_it: impl Fn(&str) -> bool) -> Option<usize> {
    let text = files::read_to_string(path).ok()?;
    let header = |line: &str| {
        let inner = line.trim().strip_prefix('[')?.split(']').next()?.trim();
        Some(is_it(inner.trim_matches(['"', '\''])))
    };
    let found = text.lines().position(|line| header(line) == Some(true))?;
    Some(found + 1)
}

/// Finds out that the files of AWS have changed. What is in them is known when credentials were
/// fetched with them, which the owner of the clients does and reports.
pub(super) struct ReloadAwsFiles {
    files: AwsFiles,
    changes: Mutex<ChangeDetector<FilesDigest>>,
    changed: watch::Sender<()>,
    applied: Count,
    rejected: Count,
    is_broken: AtomicBool,
}

impl ReloadAwsFiles {
    pub(super) fn new(files: AwsFiles) -> Arc<Self> {
        Arc::new(Self {
            changes: Mutex::new(ChangeDetector::new(files.digest())),
            files,
            changed: watch::Sender::new(()),
            applied: Count::default(),
            rejected: Count::default(),
            is_broken: AtomicBool::new(false),
        })
    }

    /// Receives that a file has changed.
    pub(super) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Records whether the changed files have credentials, or all faults.
    pub(super) fn record(&self, faults: &[String]) {
        self.is_broken.store(!faults.is_empty(), Ordering::Relaxed);
        let what = self.setting();
        if faults.is_empty() {
            self.applied.add();
            tracing::info!(what, "loaded changed files");
        } else {
            self.rejected.add();
            let faults = faults.join("; ");
            tracing::error!(
                what,
                faults,
                "changed files are invalid; the previous version stays in force"
            );
        }
    }
}

impl Reload for ReloadAwsFiles {
    fn setting(&self) -> &'static str {
        "aws"
    }

    fn counts(&self) -> [u64; 2] {
        [self.applied.get(), self.rejected.get()]
    }

    fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    fn check(&self, complete: bool) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.is_due(self.files.digest(), complete) {
            self.changed.send_replace(());
        }
    }
}

impl fmt::Debug for ReloadAwsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReloadAwsFiles").field(&self.files).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::fs;

    use super::*;

    #[test]
    fn the_place_of_a_profile_has_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let files = AwsFiles {
            config: path("config"),
            credentials: path("credentials"),
        };
        let shown = |name: &str| {
            files
                .place_of_profile(name)
                .replace(&format!("{}/", folder.path().display()), "")
        };
        assert_eq!(
            shown("one"),
            "profile one is neither in config nor in credentials"
        );
        fs::write(
            path("config"),
            "[default]\nregion = a\n[profile one]\n [ profile  two ] ; comment\n",
        )
        .unwrap();
        fs::write(path("credentials"), "# keys\n[one]\n").unwrap();
        assert_eq!(shown("default"), "profile default at config:1");
        assert_eq!(shown("one"), "profile one at config:3 and credentials:2");
        assert_eq!(shown("two"), "profile two at config:4");
        assert_eq!(
            shown("profile"),
            "profile profile is neither in config nor in credentials"
        );
    }

    #[test]
    fn the_digest_follows_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let files = AwsFiles {
            config: folder.path().join("config"),
            credentials: folder.path().join("credentials"),
        };
        let missing = files.digest();
        fs::write(&files.credentials, "[default]").unwrap();
        let one = files.digest();
        fs::write(&files.credentials, "").unwrap();
        fs::write(&files.config, "[default]").unwrap();
        assert_eq!([missing == one, one == files.digest()], [false, false]);
        fs::remove_file(&files.config).unwrap();
        assert_eq!(missing, files.digest());
    }
}
