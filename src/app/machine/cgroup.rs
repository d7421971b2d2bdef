//! The limit of memory that the cgroup of this process has.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Version 1 has no word for "no limit": it is the largest number of pages, in bytes.
const NO_LIMIT: u64 = 1 << 62;

/// The lowest limit of the cgroup of this process and of those around it, in bytes; `None` if there is
/// none. `root` is the root directory of the machine.
pub(super) fn memory_limit(root: &Path) -> Option<u64> {
    let cgroups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let limits = files(&cgroups).into_iter().filter_map(|file| {
        let text = fs::read_to_string(root.join(file)).ok()?;
        limit(&text)
    });
    limits.min()
}

/// The files that can have a limit, by the content of `/proc/self/cgroup`.
///
/// In a container, the path of the cgroup can be one that the container does not see. The directory that
/// it sees as the topmost one is then its own.
fn files(cgroups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            of if of.split(',').any(|controller| controller == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        let around = path.ancestors();
        files.extend(around.map(|path| Path::new(mount).join(path).join(file)));
    }
    files
}

/// The content of a file with a limit.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < NO_LIMIT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The limit on a machine with these files.
    fn limit_with(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        memory_limit(root.path())
    }

    #[test]
    fn the_lowest_limit_around_the_process_applies() {
        let cgroup = ("proc/self/cgroup", "0::/system.slice/tapegate.service\n");
        let own = "sys/fs/cgroup/system.slice/tapegate.service/memory.max";
        let slice = "sys/fs/cgroup/system.slice/memory.max";
        assert_eq!(limit_with(&[cgroup, (own, "268435456\n")]), Some(256 << 20));
        assert_eq!(
            limit_with(&[cgroup, (own, "max\n"), (slice, "4096\n")]),
            Some(4096)
        );
        assert_eq!(
            limit_with(&[cgroup, (own, "1024\n"), (slice, "4096\n")]),
            Some(1024)
        );
        assert_eq!(limit_with(&[cgroup, (own, "max\n"), (slice, "max\n")]), None);
        assert_eq!(limit_with(&[]), None);
    }

    #[test]
    fn in_a_container_the_topmost_directory_is_its_own() {
        let limit = ("sys/fs/cgroup/memory.max", "1024\n");
        assert_eq!(limit_with(&[("proc/self/cgroup", "0::/\n"), limit]), Some(1024));
        let outside = ("proc/self/cgroup", "0::/../../kubepods/pod1/tapegate\n");
        assert_eq!(limit_with(&[outside, limit]), Some(1024));
    }

    #[test]
    fn version_1_has_files_and_a_largest_number_of_its_own() {
        let cgroup = (
            "proc/self/cgroup",
            "9:name=systemd:/\n4:cpu,memory:/docker/1f2e\n0::/\n",
        );
        let own = "sys/fs/cgroup/memory/docker/1f2e/memory.limit_in_bytes";
        let seen = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        let none = "9223372036854771712\n";
        assert_eq!(limit_with(&[cgroup, (own, "1024\n"), (seen, none)]), Some(1024));
        assert_eq!(limit_with(&[cgroup, (seen, "2048\n")]), Some(2048));
        assert_eq!(limit_with(&[cgroup, (own, none)]), None);
    }
}
